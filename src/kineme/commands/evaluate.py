"""`kineme evaluate`: what a pre-trained encoder is worth, by the field's protocols."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kineme.errors import KinemeError, check_between
from kineme.evaluation.detection.defaults import KIND, NEIGHBOURS, RULE, WINDOW, Kind, Rule

if TYPE_CHECKING:
    from rich.table import Table

    from kineme.evaluation.results import Kept, Predictions, Result
    from kineme.evaluation.task import Task

Device = Literal["auto", "cpu", "cuda"]


def linear(
    run: Path,
    *,
    store: Path | None = None,
    split: str | None = None,
    seed: int = 0,
    lr: float | None = None,
    baselines: bool = True,
    device: Device = "auto",
    allow_preprocessing: bool = False,
    leave_out_overlap: bool = False,
    map_joints: bool = False,
    joint_map: Path | None = None,
) -> None:
    """Linear evaluation: one linear layer on the frozen encoder.

    Reports two probes: the method's published protocol (SGD; last and best epoch, of which the best is chosen
    on the test clips) and a logistic regression on standardised features. Writes RUN/results/linear.json;
    with another store, split or seed, these are appended to the name.

    Args:
        run: Run directory, or its model.safetensors.
        store: Clip store to measure on; by default that of the pre-training.
        split: Division of the store into training and test part; by default that of the pre-training.
        seed: Seed of the probe and of the random encoder.
        lr: Learning rate of the SGD probe, instead of the method's published one.
        baselines: Measure a random encoder and raw coordinates beside it.
        device: Where to compute; auto takes the GPU if there is one.
        allow_preprocessing: Accept a store of another preprocessing than the encoder's.
        leave_out_overlap: Leave out test clips that the encoder has seen in pre-training.
        map_joints: Give clips of another layout the encoder's joints, found by their names.
        joint_map: YAML file that names a joint's sources where names do not tell (`head: helmet`).
    """
    from kineme.evaluation import recognition
    from kineme.evaluation.task import open_task

    task = open_task(
        run,
        store=store,
        split=split,
        device=device,
        allow_preprocessing=allow_preprocessing,
        leave_out_overlap=leave_out_overlap,
        map_joints=map_joints,
        joint_map=joint_map,
    )
    _report(task, *recognition.linear(task, seed=seed, lr=lr, baselines=baselines), seed)


def knn(
    run: Path,
    *,
    store: Path | None = None,
    split: str | None = None,
    k: int = 1,
    seed: int = 0,
    baselines: bool = True,
    device: Device = "auto",
    allow_preprocessing: bool = False,
    leave_out_overlap: bool = False,
    map_joints: bool = False,
    joint_map: Path | None = None,
) -> None:
    """Retrieval: a test clip takes the label of its nearest training clips, by cosine similarity.

    Also how the training clips of its class rank: recall@k, the share of test clips with one among the k
    nearest, and mAP, the mean average precision. Writes RUN/results/knn.json; with another store, split, k or
    seed, these are appended to the name.

    Args:
        run: Run directory, or its model.safetensors.
        store: Clip store to measure on; by default that of the pre-training.
        split: Division of the store into training and test part; by default that of the pre-training.
        k: Number of neighbours that vote.
        seed: Seed of the random encoder.
        baselines: Measure a random encoder and raw coordinates beside it.
        device: Where to compute; auto takes the GPU if there is one.
        allow_preprocessing: Accept a store of another preprocessing than the encoder's.
        leave_out_overlap: Leave out test clips that the encoder has seen in pre-training.
        map_joints: Give clips of another layout the encoder's joints, found by their names.
        joint_map: YAML file that names a joint's sources where names do not tell (`head: helmet`).
    """
    from kineme.evaluation import recognition
    from kineme.evaluation.task import open_task

    task = open_task(
        run,
        store=store,
        split=split,
        device=device,
        allow_preprocessing=allow_preprocessing,
        leave_out_overlap=leave_out_overlap,
        map_joints=map_joints,
        joint_map=joint_map,
    )
    found = recognition.knn(task, k=k, seed=seed, baselines=baselines)
    _report(task, *found, seed, *([f"k{k}"] if k != 1 else []))


def transfer(
    run: Path,
    *,
    store: Path | None = None,
    split: str | None = None,
    seed: int = 0,
    lr: float | None = None,
    finetune: bool = False,
    baselines: bool = True,
    device: Device = "auto",
    allow_preprocessing: bool = False,
    leave_out_overlap: bool = False,
    map_joints: bool = False,
    joint_map: Path | None = None,
) -> None:
    """Transfer: linear evaluation and retrieval on another data set than that of the pre-training.

    Linear probes and nearest neighbours are fitted to the training part of the other store and measured on
    its test part. Writes RUN/results/transfer-STORE.json; with another split or seed, these are appended.
    With --finetune it also does, and writes, what `kineme evaluate finetune` does.

    Args:
        run: Run directory, or its model.safetensors.
        store: Clip store to measure on.
        split: Division of the store into training and test part; by default that of the pre-training.
        seed: Seed of the probe and of the random encoder.
        lr: Learning rate of the SGD probe, instead of the method's published one.
        finetune: Fine-tune on the other store too, as a third measure.
        baselines: Measure a random encoder and raw coordinates beside it.
        device: Where to compute; auto takes the GPU if there is one.
        allow_preprocessing: Accept a store of another preprocessing than the encoder's.
        leave_out_overlap: Leave out test clips that the encoder has seen in pre-training.
        map_joints: Give clips of another layout the encoder's joints, found by their names.
        joint_map: YAML file that names a joint's sources where names do not tell (`head: helmet`).
    """
    from kineme.evaluation import finetune as tuning
    from kineme.evaluation import recognition
    from kineme.evaluation.task import open_task

    if store is None:
        raise KinemeError("transfer is to another data set than that of the pre-training; pass --store")
    task = open_task(
        run,
        store=store,
        split=split,
        device=device,
        allow_preprocessing=allow_preprocessing,
        leave_out_overlap=leave_out_overlap,
        map_joints=map_joints,
        joint_map=joint_map,
    )
    _report(task, *recognition.transfer(task, seed=seed, lr=lr, baselines=baselines), seed)
    if finetune:
        _report(task, *tuning.finetune(task, from_scratch=baselines, seed=seed), seed)


def finetune(
    run: Path,
    *,
    store: Path | None = None,
    split: str | None = None,
    from_scratch: bool = False,
    epochs: int | None = None,
    lr: float | None = None,
    batch_size: int | None = None,
    seed: int = 0,
    device: Device = "auto",
    allow_preprocessing: bool = False,
    leave_out_overlap: bool = False,
    map_joints: bool = False,
    joint_map: Path | None = None,
) -> None:
    """Fine-tuning: encoder and linear layer trained together on all labels.

    Reports the last epoch, and the best, which is chosen on the test clips. Writes RUN/results/finetune.json;
    with another store, split or seed, these are appended to the name.

    Args:
        run: Run directory, or its model.safetensors.
        store: Clip store to train and measure on; by default that of the pre-training.
        split: Division of the store into training and test part; by default that of the pre-training.
        from_scratch: Train the same network without pre-training alike, as a baseline.
        epochs: Passes over the clips, instead of the method's.
        lr: Learning rate, instead of the method's.
        batch_size: Clips a step, instead of the method's.
        seed: Seed of all that is drawn.
        device: Where to compute; auto takes the GPU if there is one.
        allow_preprocessing: Accept a store of another preprocessing than the encoder's.
        leave_out_overlap: Leave out test clips that the encoder has seen in pre-training.
        map_joints: Give clips of another layout the encoder's joints, found by their names.
        joint_map: YAML file that names a joint's sources where names do not tell (`head: helmet`).
    """
    from kineme.evaluation import finetune as tuning
    from kineme.evaluation.task import open_task

    task = open_task(
        run,
        store=store,
        split=split,
        device=device,
        allow_preprocessing=allow_preprocessing,
        leave_out_overlap=leave_out_overlap,
        map_joints=map_joints,
        joint_map=joint_map,
    )
    found = tuning.finetune(
        task, epochs=epochs, lr=lr, batch_size=batch_size, from_scratch=from_scratch, seed=seed
    )
    _report(task, *found, seed)


def semi(
    run: Path,
    *,
    store: Path | None = None,
    split: str | None = None,
    fractions: list[float] | None = None,
    seeds: int = 3,
    from_scratch: bool = False,
    epochs: int | None = None,
    lr: float | None = None,
    batch_size: int | None = None,
    seed: int = 0,
    device: Device = "auto",
    allow_preprocessing: bool = False,
    leave_out_overlap: bool = False,
    map_joints: bool = False,
    joint_map: Path | None = None,
) -> None:
    """Semi-supervised: fine-tuning on a share of the labels.

    Of each class that share of the training clips is drawn, at least one, several times; reported are mean
    and standard deviation at the last epoch. Writes RUN/results/semi.json; with another store, split or seed,
    these are appended to the name.

    Args:
        run: Run directory, or its model.safetensors.
        store: Clip store to train and measure on; by default that of the pre-training.
        split: Division of the store into training and test part; by default that of the pre-training.
        fractions: Shares of the labels; by default 0.01 0.05 0.1 0.2.
        seeds: How often labels are drawn, and all else that is random with them.
        from_scratch: Train the same network without pre-training alike, as a baseline.
        epochs: Passes over the clips, instead of the method's.
        lr: Learning rate, instead of the method's.
        batch_size: Clips a step, instead of the method's.
        seed: The first of the seeds; the others follow it.
        device: Where to compute; auto takes the GPU if there is one.
        allow_preprocessing: Accept a store of another preprocessing than the encoder's.
        leave_out_overlap: Leave out test clips that the encoder has seen in pre-training.
        map_joints: Give clips of another layout the encoder's joints, found by their names.
        joint_map: YAML file that names a joint's sources where names do not tell (`head: helmet`).
    """
    from kineme.evaluation import finetune as tuning
    from kineme.evaluation.task import open_task

    task = open_task(
        run,
        store=store,
        split=split,
        device=device,
        allow_preprocessing=allow_preprocessing,
        leave_out_overlap=leave_out_overlap,
        map_joints=map_joints,
        joint_map=joint_map,
    )
    result = tuning.semi(
        task,
        fractions=fractions or tuning.FRACTIONS,
        seeds=seeds,
        epochs=epochs,
        lr=lr,
        batch_size=batch_size,
        from_scratch=from_scratch,
        seed=seed,
    )
    _report(task, result, None, seed)


def detect(
    run: Path,
    *,
    store: Path | None = None,
    split: str | None = None,
    kind: Kind = KIND,
    window: int = WINDOW,
    step: int | None = None,
    context: int = NEIGHBOURS,
    segments: Rule = RULE,
    finetune: bool = False,
    epochs: int | None = None,
    lr: float | None = None,
    seed: int = 0,
    baselines: bool = True,
    device: Device = "auto",
    allow_preprocessing: bool = False,
    leave_out_overlap: bool = False,
    map_joints: bool = False,
    joint_map: Path | None = None,
) -> None:
    """Temporal action detection: what happens when in untrimmed recordings.

    A linear layer learns the class of every frame, or the background, from the frozen encoder's features;
    runs of frames become segments. Writes RUN/results/detect.json with all metrics by name, detect.npz with
    what was found where, and detect.safetensors, the detector, for `kineme detect`; with another store, split
    or seed, with tokens, rule B or fine-tuning, these are appended to the name.

    Args:
        run: Run directory, or its model.safetensors.
        store: Store of untrimmed recordings; by default that of the pre-training.
        split: Division of the store into training and test part; by default that of the pre-training.
        kind: Features of a frame: `centred`, the clip feature of the window about it, or `tokens`, those of
            its time in windows that overlap, which USDRL and SCD-Net have.
        window: Frames that a window spans.
        step: Frames from one window to the next; by default a sixteenth of a window, a quarter with tokens.
        context: Frames on each side, a quarter of a window apart, whose features the layer reads too; 0, as
            published, for the frame's own.
        segments: Rule by which frames become segments: `A`, runs of frames that show a class with more than
            2 %, or `B`, runs of smoothed activity.
        finetune: Train the encoder on the frames first.
        epochs: Of fine-tuning; by default 10.
        lr: Learning rate of fine-tuning; by default 0.0005.
        seed: Seed of all that is drawn.
        baselines: Measure a random encoder and raw coordinates beside it.
        device: Where to compute; auto takes the GPU if there is one.
        allow_preprocessing: Accept a store of another preprocessing than the encoder's.
        leave_out_overlap: Leave out test recordings that the encoder has seen in pre-training.
        map_joints: Give clips of another layout the encoder's joints, found by their names.
        joint_map: YAML file that names a joint's sources where names do not tell (`head: helmet`).
    """
    from kineme.evaluation.detection import finetune as tuning
    from kineme.evaluation.detection import protocol
    from kineme.evaluation.detection.classifier import Context
    from kineme.evaluation.detection.frames import windows_for
    from kineme.evaluation.detection.scores import table
    from kineme.evaluation.task import open_task

    if not finetune and (epochs is not None or lr is not None):
        raise KinemeError("--epochs and --lr are of fine-tuning; pass --finetune, or leave them out")
    check_between("--context", context, 0)
    task = open_task(
        run,
        store=store,
        split=split,
        device=device,
        allow_preprocessing=allow_preprocessing,
        leave_out_overlap=leave_out_overlap,
        map_joints=map_joints,
        joint_map=joint_map,
        rows_of=protocol.recorded,
    )
    windows = windows_for(task.pretrained.encoder, kind, window, step)
    result, found, detector = protocol.detect(
        task,
        windows,
        context=Context(context, max(window // 4, 1)),
        rule=segments,
        training=tuning.settings(epochs, lr) if finetune else None,
        seed=seed,
        baselines=baselines,
    )
    qualifiers = [
        *(["tokens"] if kind == "tokens" else []),
        *(["B"] if segments == "B" else []),
        *(["finetune"] if finetune else []),
    ]
    path = _save(task, result, {".npz": found, ".safetensors": detector}, seed, *qualifiers)
    _show(table(result), path)


def _report(task: Task, result: Result, predictions: Predictions | None, seed: int, *qualifiers: str) -> None:
    """Writes a result, and the predictions it is of, beside the run, and prints it."""
    from kineme.evaluation.results import table

    beside = {".npz": predictions} if predictions is not None else {}
    _show(table(result), _save(task, result, beside, seed, *qualifiers))


def _save(task: Task, result: Result, beside: Mapping[str, Kept], seed: int, *qualifiers: str) -> Path:
    """Writes a result beside the run, under a name that tells what differs from the usual."""
    from kineme.evaluation.results import save

    different_seed = [f"seed{seed}"] if seed else []
    return save(result, task.run, *task.qualifiers, *qualifiers, *different_seed, beside=beside)


def _show(table: Table, path: Path) -> None:
    """Prints a result, and where it lies."""
    from rich.console import Console

    Console().print(table)
    Console(stderr=True).print(f"written to {path}", highlight=False, soft_wrap=True)


COMMANDS: dict[str, Callable[..., None]] = {
    "linear": linear,
    "knn": knn,
    "transfer": transfer,
    "finetune": finetune,
    "semi": semi,
    "detect": detect,
}
