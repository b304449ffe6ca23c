"""A run: from settings to a directory that holds all there is to know of it.

config.yaml         complete, resolved settings
model.safetensors   the encoder, as of the last checkpoint
state.ckpt          what a resumed run needs: all weights, optimiser, queue, counters, history
history.csv         a row an epoch
clips.npz           which clips it was trained on, see clips/seen.py
results/            what `kineme evaluate` found
"""

from __future__ import annotations

import gc
import logging
import shutil
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import lightning as L
import numpy as np
import numpy.typing as npt
import torch
import yaml
from lightning.pytorch.utilities import rank_zero_only
from rich.console import Console

from kineme.checkpoints import WEIGHTS, build_encoder, build_method
from kineme.clips.seen import SEEN_CLIPS, Seen
from kineme.clips.splits import split_rows
from kineme.clips.store import ClipStore
from kineme.config import Config, TrainConfig, config_from_dict
from kineme.encoders import ClipShape
from kineme.errors import KinemeError
from kineme.files import atomic_write
from kineme.training.callbacks import STATE, Checkpoints, History, OnlineKNN, ProgressLine
from kineme.training.module import Pretraining, Training
from kineme.training.timing import TRIAL_STEPS, Stopwatch, with_epochs

CONFIG = "config.yaml"


def pretrain(config: Config, out: Path, *, resume: bool = False, overwrite: bool = False) -> None:
    """Trains a method as configured, into the run directory `out`.

    Args:
        config: all settings.
        out: the run directory.
        resume: continue from its last checkpoint; a run that was interrupted ends with the same weights as
            one that was not.
        overwrite: replace a run that is there.

    Raises:
        KinemeError: a setting does not fit the clips, `out` is in the way, a loss is not finite, or a disk is
            full.
    """
    if config.data.store is None:
        raise KinemeError("no clips to learn from; set data.store to a clip store")
    store = ClipStore(config.data.store)
    prepared = store.manifest.preprocessing.id
    if config.data.preprocessing not in (None, prepared):
        raise KinemeError(
            f"{store.path}: was prepared by {prepared}, and data.preprocessing asks for "
            f"{config.data.preprocessing}; prepare it again, or set data.preprocessing={prepared}"
        )
    rows = split_rows(store, config.data.split, "train")
    resolve_device(config.train)  # what cannot be trained here leaves no run behind
    module = _untrained(config, store, rows)
    if is_first_process():
        if resume:
            _check_state(out / STATE)
        else:
            open_run(out, overwrite)
    if config.train.minutes is not None and not resume:  # config.yaml says how many epochs these were
        config = _with_fitting_epochs(config, config.train.minutes, store, rows)
        module = _untrained(config, store, rows)
    if is_first_process():
        write_config(out, config)
        Seen.of(store, rows).save(out / SEEN_CLIPS)
    history = History(out)
    callbacks: list[L.Callback] = [history]
    if (store.labels[rows] >= 0).any() and not config.data.window:  # labels are of whole clips
        every = config.train.knn_every
        watched = store.labels[rows], store.index["subject"][rows]
        callbacks.insert(0, OnlineKNN(history, *watched, every=every, seed=config.train.seed))
    checkpoints = Checkpoints(out, store.manifest.preprocessing, config.train.save_every)
    callbacks += [ProgressLine(history), checkpoints]
    fit(module, callbacks, resume=out / STATE if resume else None)


def _untrained(config: Config, store: ClipStore, rows: npt.NDArray[np.int64]) -> Pretraining:
    """The method as its seed makes it."""
    torch.manual_seed(config.train.seed)
    encoder = build_encoder(config.encoder, ClipShape(store.layout, config.data.frames, store.bodies))
    return Pretraining(build_method(config.method, encoder), config, store, rows)


def _with_fitting_epochs(
    config: Config, minutes: float, store: ClipStore, rows: npt.NDArray[np.int64]
) -> Config:
    """The settings with as many epochs as fit into the time, by the first steps of a training for trial."""
    stopwatch = Stopwatch(minutes)
    trial = replace(config, train=replace(config.train, epochs=max(config.train.epochs, TRIAL_STEPS)))
    fit(_untrained(trial, store, rows), [stopwatch])
    epochs = stopwatch.epochs
    Console(stderr=True).print(
        f"{stopwatch.step_seconds:.2g} s a step, {stopwatch.epoch_steps} steps an epoch: "
        f"{epochs} epochs in {minutes:g} min",
        highlight=False,
    )
    return replace(config, train=with_epochs(config.train, epochs))


def fit(module: Training, callbacks: Sequence[L.Callback], *, resume: Path | None = None) -> None:
    """Trains a module by its settings, on the device and in the precision that they mean here.

    Args:
        module: what is trained.
        callbacks: who looks on.
        resume: a training state to continue from.

    Raises:
        KinemeError: a GPU is asked for and there is none, a batch cannot be filled, or a loss is not finite.
    """
    # Where one process trains several times, earlier trainers and modules hold each other, their weights and
    # their clips, until they are collected.
    gc.collect()
    torch.cuda.empty_cache()  # does nothing where CUDA was not used
    train = module.train_config
    accelerator, precision = resolve_device(train)
    _quieten()
    trainer = L.Trainer(
        accelerator="gpu" if accelerator == "cuda" else "cpu",
        devices=train.devices,
        strategy="ddp" if train.devices > 1 else "auto",
        precision=precision,
        max_epochs=train.epochs,
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    try:
        trainer.fit(module, ckpt_path=resume, weights_only=True)
    except SystemExit as error:  # what Lightning makes of an interrupt
        raise KeyboardInterrupt from error


def load_run_config(run: Path) -> Config:
    """The settings of a run directory.

    Raises:
        KinemeError: it has none, or they are damaged.
    """
    path = run / CONFIG
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise KinemeError(f"{path}: cannot be read; is {run} a run directory?") from error
    return config_from_dict(data, where=str(path))


def resolve_device(train: TrainConfig) -> tuple[str, Literal["bf16-mixed", "32-true"]]:
    """(device, Lightning's precision) of the settings on this machine.

    Raises:
        KinemeError: a GPU is asked for and there is none.
    """
    cuda = torch.cuda.is_available()
    if train.device == "cuda" and not cuda:
        raise KinemeError("train.device is cuda, but PyTorch sees no GPU here; set train.device=cpu")
    device = "cuda" if cuda and train.device != "cpu" else "cpu"
    precision = train.precision
    if precision == "auto":
        fast = torch.cuda.is_bf16_supported() if device == "cuda" else _cpu_has_bfloat16()
        precision = "bfloat16" if fast else "float32"
    return device, "bf16-mixed" if precision == "bfloat16" else "32-true"


def _cpu_has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 itself; where PyTorch cannot tell, float32 is safe."""
    tell = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(tell and tell())


def is_first_process() -> bool:
    """Whether this is the one process of a run, or the first of several."""
    return bool(getattr(rank_zero_only, "rank", 0) == 0)


def open_run(out: Path, overwrite: bool) -> None:
    """Makes room for a new run.

    Raises:
        KinemeError: there is a run already and it may not be overwritten, or something that is no run.
    """
    if not out.exists():
        return
    if not (out / CONFIG).is_file() and not (out.is_dir() and not any(out.iterdir())):
        raise KinemeError(f"{out}: exists and is no run directory; choose another with --out")
    if (out / WEIGHTS).exists() and not overwrite:
        resumable = f"--resume {out}, " if (out / STATE).exists() else ""
        raise KinemeError(f"{out}: holds a run already; pass {resumable}--overwrite or another --out")
    shutil.rmtree(out)


def write_config(out: Path, config: Config) -> None:
    """Writes a run's settings, complete."""
    with atomic_write(out / CONFIG) as aside:
        aside.write_text(yaml.safe_dump(config.to_dict(), sort_keys=False), encoding="utf-8")


def _check_state(path: Path) -> None:
    if not path.is_file():
        raise KinemeError(f"{path}: no such checkpoint, so there is nothing to resume; train anew")
    try:
        torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # torch.load has no narrower promise
        raise KinemeError(f"{path}: cannot be read, so the run cannot be resumed; train anew") from error


def _quieten() -> None:
    """Lightning's advice about workers, loggers and devices does not apply to resident clips."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning.*")
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message="Grad strides do not match")  # of 1×1 convolutions: harmless
