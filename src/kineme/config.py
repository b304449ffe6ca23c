"""A run's settings, typed and complete; `kineme.settings` reads them.

data:     the clips and their streams               (DataConfig)
train:    optimisation and hardware                 (TrainConfig)
method:   name and keyword arguments of a method
encoder:  name and keyword arguments of an encoder
evaluate: settings of the evaluation protocols      (EvaluateConfig)
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml

from kineme.errors import KinemeError

LEAST = {  # of settings of `train`, and of the protocols' of the same names
    "epochs": 1,
    "batch_size": 2,
    "accumulate": 1,
    "devices": 1,
    "nodes": 1,
    "save_every": 1,
    "lr": 0,
    "momentum": 0,
    "weight_decay": 0,
    "warmup": 0,
    "final_lr": 0,
    "seed": 0,
    "knn_every": 0,
}
LARGEST = {"epochs": 10**7, "devices": 1024, "nodes": 10**5, "seed": 2**63 - 1}  # of the same
LARGEST_NUMBER = 2**53  # of all settings but seeds: floats count up to here


@dataclass
class DataConfig:
    """Training clips, and what the encoder sees of them.

    Args:
        store: Path of the clip store; a list of paths trains one encoder on all of them, even if their joints
            differ.
        preprocessing: Required preprocessing of the store, such as `agcn`; any if left out.
        split: Split whose training part is used, such as `xsub`, `xview`, `xset` or `odd-even`; `all` takes
            every clip. For several stores, one split for all, or a list with one for each.
        stream: Input modality; `joint+bone+motion` is all three together, for the encoders `canonical`,
            `sttr` and `dste`.
        frames: Number of frames T that each view is resized to.
        window: Cut untrimmed recordings into windows of this many frames, with 50 % overlap, and train on
            each as a clip; 0 to use every recording whole.
    """

    store: list[str] | str | None = None
    preprocessing: str | None = None
    split: list[str] | str = "all"
    stream: Literal["joint", "bone", "motion", "joint+bone+motion"] = "joint"
    frames: int = 64
    window: int = 0

    @property
    def stores(self) -> list[str]:
        """None, one or several."""
        return [] if self.store is None else _listed(self.store)

    @property
    def splits(self) -> list[str]:
        """One for all stores, or one for each."""
        return _listed(self.split)

    def split_of(self, store: Path) -> str | None:
        """The split of one of the stores; of another store that which all have in common, if there is one.

        >>> data = DataConfig(store=["a", "b"], split=["odd-even", "xview"])
        >>> data.split_of(Path("b")), data.split_of(Path("c"))
        ('xview', None)
        """
        splits = dict(zip((Path(each).resolve() for each in self.stores), self.splits, strict=False))
        return splits.get(store.resolve(), self.splits[0] if len(self.splits) == 1 else None)


def _listed(value: list[str] | str) -> list[str]:
    return [value] if isinstance(value, str) else value


Optimizer = Literal["sgd", "adam", "adamw"]
Schedule = Literal["step", "cosine", "warmup-cosine"]
Compile = Literal["off", "default", "reduce-overhead", "max-autotune"]
Logger = Literal["csv", "tensorboard", "wandb"]


@dataclass
class TrainConfig:
    """Optimisation and hardware.

    Args:
        epochs: Passes over the training clips.
        minutes: Train for about this long instead: as many epochs as fit, estimated from the first steps;
            milestones and warm-up keep their share. Time spent in the online kNN is excluded.
        max_minutes: Train for `epochs`, or for fewer if they would take longer than this; always for at least
            one.
        batch_size: Clips per batch and device; clips that do not fill a batch are left out, different ones
            each epoch.
        accumulate: Batches whose gradients are averaged for one optimiser step.
        optimizer: SGD with momentum, Adam, or Adam with decoupled weight decay.
        lr: Initial learning rate.
        momentum: Momentum of SGD.
        betas: Decay rates of Adam's running means.
        weight_decay: L2 penalty.
        final_weight_decay: L2 penalty at the end, reached along half a cosine; constant if left out.
        decay_vectors: Also penalise vectors, that is, biases and the scales of normalisation layers.
        clip_gradients: Maximum norm of the gradient, or of each part's gradient if the method clips its parts
            separately; unlimited if left out.
        schedule: `step` multiplies the rate by 0.1 after each milestone; `cosine` decays it to zero over all
            epochs; `warmup-cosine` decays it to `final_lr` over the epochs after the warm-up.
        milestones: Epochs after which a `step` schedule lowers the rate.
        warmup: Epochs of linear warm-up of the learning rate.
        final_lr: Learning rate at the end of `warmup-cosine`.
        precision: Precision of the networks; `auto` is bfloat16 if the hardware supports it. Losses and
            weights are always float32.
        device: `auto`, `cpu` or `cuda`.
        devices: Devices per node; more than one trains with DistributedDataParallel.
        nodes: Number of nodes, started by torchrun or SLURM.
        compile: Compile the encoder with `torch.compile` in this mode; the first steps then take minutes.
            `reduce-overhead` and `max-autotune` record CUDA graphs on a GPU.
        recompute: Keep only the inputs of attention layers and recompute the rest in the backward pass: less
            memory, more time, the same gradients.
        seed: Seed of initialisation, shuffling and augmentation.
        save_every: Save a checkpoint every N epochs.
        knn_every: Check the features of training clips every N epochs: their spread and, if clips have
            labels, the online kNN; 0 for never. Labels are used for monitoring only.
        loggers: Also log every epoch to these: CSV or TensorBoard files in the run directory, or Weights &
            Biases.
    """

    epochs: int = 300
    minutes: float | None = None
    max_minutes: float | None = None
    batch_size: int = 128
    accumulate: int = 1
    optimizer: Optimizer = "sgd"
    lr: float = 0.1
    momentum: float = 0.9
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 1e-4
    final_weight_decay: float | None = None
    decay_vectors: bool = True
    clip_gradients: float | None = None
    schedule: Schedule = "step"
    milestones: tuple[int, ...] = ()
    warmup: float = 0.0
    final_lr: float = 0.0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    devices: int = 1
    nodes: int = 1
    compile: Compile = "off"
    recompute: bool = False
    seed: int = 0
    save_every: int = 1
    knn_every: int = 5
    loggers: tuple[Logger, ...] = ()


@dataclass
class LinearConfig:
    """The published linear probe: a linear layer on frozen features, trained by SGD.

    Args:
        lr: Initial learning rate; required by this protocol.
        batch_size: Clips per step; the last batch of an epoch may be smaller.
        epochs: Passes over the training features.
        milestones: Epochs after which a `step` schedule lowers the rate.
        init_std: Standard deviation of normally distributed initial weights, with zero biases; by default,
            PyTorch's initialisation.
        schedule: `step` multiplies the rate by 0.1 after each milestone, `cosine` decays it to zero.
        norm: Batch-normalise the features first, without scale and shift.
        rates: Learning rates to try instead of `lr`: the one that does best on a held-out fifth of the
            training clips is used. A rate given on the command line is used as is.
    """

    lr: float | None = None
    batch_size: int = 128
    epochs: int = 100
    milestones: tuple[int, ...] = (80,)
    init_std: float | None = None
    schedule: Literal["step", "cosine"] = "step"
    norm: bool = False
    rates: tuple[float, ...] = ()


@dataclass
class FinetuneConfig:
    """Fine-tuning: the whole encoder is trained with labels.

    Args:
        lr: Initial learning rate; required by this protocol.
        batch_size: Clips per step.
        epochs: Passes over the labelled clips.
        schedule: As in pre-training.
        milestones: Epochs after which a `step` schedule lowers the rate.
        warmup: Epochs of linear warm-up of the learning rate.
        final_lr: Learning rate at the end of `warmup-cosine`.
        optimizer: As in pre-training.
        weight_decay: L2 penalty.
        decay_vectors: Also penalise vectors, that is, biases and the scales of normalisation layers.
        layer_decay: Each stage of the encoder has this many times the learning rate of the stage after it;
            the last has the rate of the head. For patch encoders; not used in training from scratch.
        encoder_lr: Initial learning rate of the whole encoder; by default that of the head. Not used in
            training from scratch.
        drop_path: Stochastic depth of the encoder's last block; less in earlier blocks. For patch encoders.
        head: `linear`, on the clip feature, or `joints`, on the mean token of each joint, with a hidden layer
            of 2,048; for patch encoders.
        dropout: Share of the tokens' channels that the `joints` head drops.
        label_smoothing: Share of each label that is spread over all classes.
        min_crop: Views are windows of at least this share of a clip's frames.
        min_frames: Views also have at least this many frames; by default the encoder's number.
        shear: Amplitude of the shear's off-diagonal entries.
        rotation: Maximum angle by which a clip is rotated about each axis, in radians.
        mirror: Mirror half of the clips: left becomes right, and x is reversed.
        bone_scale: In half of the clips, the bones of trunk, arms and legs become longer or shorter by up to
            this share.
        turn: Maximum angle by which half of the clips are turned about the vertical axis, in radians.
        noise: Standard deviation of Gaussian noise on half of the clips, in the clips' units.
        pad_crop: Pad both ends by reflection and crop at random, as AimCLR does.
        draw: Draw few labels from each `class` separately, or from `all` clips at once.
    """

    lr: float | None = None
    batch_size: int = 128
    epochs: int = 100
    schedule: Schedule = "step"
    milestones: tuple[int, ...] = (80,)
    warmup: float = 0.0
    final_lr: float = 0.0
    optimizer: Optimizer = "sgd"
    weight_decay: float = 1e-4
    decay_vectors: bool = True
    layer_decay: float = 1.0
    encoder_lr: float | None = None
    drop_path: float = 0.0
    head: Literal["linear", "joints"] = "linear"
    dropout: float = 0.0
    label_smoothing: float = 0.0
    min_crop: float = 1.0
    min_frames: int | None = None
    shear: float = 0.0
    rotation: float = 0.0
    mirror: bool = False
    bone_scale: float = 0.0
    turn: float = 0.0
    noise: float = 0.0
    pad_crop: bool = False
    draw: Literal["class", "all"] = "class"


@dataclass
class FusionConfig:
    """Weights of the streams when their scores are summed.

    Args:
        joint: Weight of the joint stream.
        bone: Weight of the bone stream.
        motion: Weight of the motion stream.
    """

    joint: float = 1.0
    bone: float = 1.0
    motion: float = 1.0


@dataclass
class EvaluateConfig:
    """Settings of the protocols that evaluate the encoder.

    Args:
        crop: Central share of each clip's frames that evaluation uses.
        linear: The linear probe.
        finetune: Fine-tuning, on all labels or few.
        fusion: Fusion of streams.
    """

    crop: float = 1.0
    linear: LinearConfig = field(default_factory=LinearConfig)
    finetune: FinetuneConfig = field(default_factory=FinetuneConfig)
    fusion: FusionConfig = field(default_factory=FusionConfig)


@dataclass
class Config:
    """All settings of a run; `method` and `encoder` are `name` and the keyword arguments of that class.

    >>> from kineme.settings import load_config
    >>> config = load_config("usdrl-small")
    >>> config.train.optimizer, config.encoder["name"], list(config.to_dict())
    ('adam', 'sttr', ['data', 'encoder', 'evaluate', 'method', 'train'])
    """

    data: DataConfig
    train: TrainConfig
    method: dict[str, Any]
    encoder: dict[str, Any]
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)

    def to_dict(self) -> dict[str, Any]:
        """Plain containers, as in a run's config.yaml.

        Raises:
            KinemeError: a setting is neither text nor a number, such as a class in place of its name.
        """
        try:
            written: dict[str, Any] = yaml.safe_load(yaml.safe_dump(plain(asdict(self))))
        except yaml.representer.RepresenterError as error:
            raise KinemeError(f"a setting is {error.args[1]!r}; give its name") from error
        return written


def check(config: Config) -> None:
    """Checks what types do not cover: ranges, and settings that exclude each other.

    Raises:
        KinemeError: a setting is out of range, or has no effect in combination with another.
    """
    for key, number in _numbers(config.to_dict()):
        if not math.isfinite(number):
            raise KinemeError(f"{key} is {number}; it must be a finite number")
        if abs(number) > LARGEST_NUMBER and key != "train.seed":
            raise KinemeError(f"{key} is {number}; it must be from -{LARGEST_NUMBER} to {LARGEST_NUMBER}")
    _check_range("train", config.train)
    _check_range("evaluate.linear", config.evaluate.linear, batch_size=1)
    _check_range("evaluate.finetune", config.evaluate.finetune, batch_size=1)
    _check_training(config.train)
    _check_tuning(config.evaluate.finetune)
    for key, value, least in (("frames", config.data.frames, 2), ("window", config.data.window, 0)):
        if value < least:
            raise KinemeError(f"data.{key} is {value}; it must be at least {least}")
    for section, each in (("train", config.train), ("evaluate.finetune", config.evaluate.finetune)):
        if each.final_lr and each.schedule != "warmup-cosine":
            raise KinemeError(f"{section}.final_lr needs schedule: warmup-cosine; set that too")
    if not 0 < config.evaluate.crop <= 1:
        raise KinemeError(f"evaluate.crop is {config.evaluate.crop:g}; it must be above 0 and at most 1")
    if any(rate <= 0 for rate in config.evaluate.linear.rates):
        raise KinemeError(f"evaluate.linear.rates are {config.evaluate.linear.rates}; each must be over 0")


def _check_range(
    section: str, settings: TrainConfig | LinearConfig | FinetuneConfig, **others: float
) -> None:
    for key, least in {**LEAST, **others}.items():
        value: float | None = getattr(settings, key, None)
        if value is not None and value < least:
            raise KinemeError(f"{section}.{key} is {value}; it must be at least {least}")
    for key, largest in LARGEST.items():
        value = getattr(settings, key, None)
        if value is not None and value > largest:
            raise KinemeError(f"{section}.{key} is {value:,}; it must be at most {largest:,}")


def _check_training(train: TrainConfig) -> None:
    if not all(0 <= beta < 1 for beta in train.betas):
        raise KinemeError(f"train.betas are {train.betas}; each must be at least 0 and less than 1")
    for key in ("minutes", "max_minutes"):
        minutes: float | None = getattr(train, key)
        if minutes is not None and minutes <= 0:
            raise KinemeError(f"train.{key} is {minutes:g}; it must be above 0")
        if minutes is not None and train.devices * train.nodes > 1:
            raise KinemeError(f"train.{key} works on one device only; set train.epochs instead")
    if train.minutes is not None and train.max_minutes is not None:
        raise KinemeError("train.minutes and train.max_minutes exclude each other; drop one of the two")
    if train.clip_gradients is not None and train.clip_gradients <= 0:
        raise KinemeError(f"train.clip_gradients is {train.clip_gradients:g}; it must be above 0")
    if train.final_weight_decay is not None and not min(train.final_weight_decay, train.weight_decay) > 0:
        raise KinemeError("train.final_weight_decay: it and train.weight_decay must be over 0")
    if train.schedule != "step" and train.milestones:
        raise KinemeError("train.milestones have no effect with a cosine schedule; drop one of the two")


def _check_tuning(tuning: FinetuneConfig) -> None:
    for key, value, low, high in (
        ("layer_decay", tuning.layer_decay, 0, 1),
        ("drop_path", tuning.drop_path, 0, 0.99),
        ("dropout", tuning.dropout, 0, 0.99),
        ("label_smoothing", tuning.label_smoothing, 0, 0.99),
        ("bone_scale", tuning.bone_scale, 0, 0.99),
        ("min_crop", tuning.min_crop, 0, 1),
    ):
        if not low <= value <= high:
            raise KinemeError(f"evaluate.finetune.{key} is {value:g}; it must be from {low} to {high}")
    if tuning.encoder_lr is not None and (tuning.encoder_lr <= 0 or tuning.layer_decay != 1):
        raise KinemeError("evaluate.finetune.encoder_lr must be above 0, and excludes layer_decay")
    if tuning.dropout and tuning.head == "linear":
        raise KinemeError("evaluate.finetune.dropout needs head: joints; set that too")


def _numbers(plain: Any, key: str = "") -> Iterator[tuple[str, float]]:
    """All numbers of nested settings, with their dotted keys."""
    if isinstance(plain, int | float) and not isinstance(plain, bool):
        yield key, plain
    for name, value in plain.items() if isinstance(plain, Mapping) else ():
        yield from _numbers(value, f"{key}.{name}".lstrip("."))
    for value in plain if isinstance(plain, list) else ():
        yield from _numbers(value, key)


def plain(value: Any) -> Any:
    """Tuples, paths and NumPy's numbers as lists, strings and numbers, which YAML writes without tags."""
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return str(value) if isinstance(value, Path) else value
