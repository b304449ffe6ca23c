"""What is measured on which clips: a run, a store, and a split's training and test parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from kineme import __version__
from kineme.clips.folders import is_there
from kineme.clips.retargeted import RetargetedStore
from kineme.clips.splits import split_rows, usual_split
from kineme.clips.store import ClipStore
from kineme.config import DataConfig, TrainConfig
from kineme.errors import KinemeError
from kineme.evaluation.features import extract
from kineme.evaluation.options import USUAL, TaskOptions
from kineme.evaluation.overlap import unseen_test_clips
from kineme.evaluation.results import result_path, source_commit
from kineme.layouts.body import BODY
from kineme.layouts.correspondence import read_joint_map
from kineme.loading import load_run
from kineme.model import Model, with_stream
from kineme.progress import Progress, silent
from kineme.typing import Array

Part = Literal["train", "test"]


@dataclass(frozen=True)
class Task:
    """A pre-trained encoder and the labelled clips that it is measured on.

    Attributes:
        model: what is measured.
        run: its run directory.
        store: the clips, with the joints of the model.
        split: their division into training and test parts.
        train_rows, test_rows: (N,) and (N',) rows of the store.
        train_labels, test_labels: their classes; -1 for untrimmed recordings.
        device: `cpu` or `cuda`.
        allow_preprocessing: the store's preprocessing may differ from the model's.
        seen_clips: test clips that pre-training saw; None if unknown.
        qualifiers: what differs from pre-training, for the names of result files.
        other_store: the clips are from a store other than that of pre-training.
    """

    model: Model
    run: Path
    store: ClipStore
    split: str
    train_rows: Array = field(repr=False)
    test_rows: Array = field(repr=False)
    train_labels: Array = field(repr=False)
    test_labels: Array = field(repr=False)
    device: str
    allow_preprocessing: bool
    seen_clips: int | None
    qualifiers: tuple[str, ...]
    other_store: bool = False

    @property
    def classes(self) -> int:
        """How many the store has."""
        return len(self.store.manifest.class_names)

    def features(
        self, model: Model, rows: Array, *, seen: int | None = None, progress: Progress = silent
    ) -> Array:
        """(n, D) clip features of some rows, kept in the run directory.

        Args:
            model: the task's own, or one of the same shape that it is compared with.
            rows: (n,) of the store.
            seen: per cent of each clip's frames that are shown; None: as in the recipe.
            progress: called with the clips done and in total.
        """
        return extract(
            model,
            self.store,
            rows,
            device=self.device,
            allow_preprocessing=self.allow_preprocessing,
            seen=seen,
            cache=self.run / "features",
            progress=progress,
        )

    def result_path(self, protocol: str, *qualifiers: str, seed: int = 0, run: Path | None = None) -> Path:
        """Where a result goes: a file of the run, named after what differs from the usual.

        Args:
            protocol: such as `linear`.
            qualifiers: what else the name says, such as `k5`.
            seed: of the protocol.
            run: another directory for it.
        """
        clips = self.store.manifest.fingerprint if self.other_store else ""
        named = (*self.qualifiers, *qualifiers)
        return result_path(run or self.run, protocol, *named, seed=seed, clips=clips)

    def described(self) -> dict[str, Any]:
        """The fields of a `Result` that say what is measured on which clips, by which code."""
        model, store = self.model, self.store
        return {
            "method": model.method,
            "encoder": type(model.encoder).__name__,
            "stream": model.stream,
            "weights": model.weights,
            "pretrained_epochs": model.epochs,
            "preprocessing": model.preprocessing.id,
            "version": __version__,
            "commit": source_commit(),
            "store": store.path.resolve().name,
            "fingerprint": store.manifest.fingerprint,
            "store_preprocessing": store.manifest.preprocessing.id,
            "split": self.split,
            "train_clips": len(self.train_rows),
            "test_clips": len(self.test_rows),
            "joint_map": store.joint_map if isinstance(store, RetargetedStore) else None,
            "seen_clips": self.seen_clips,
        }


def labelled(store: ClipStore, split: str, part: Part) -> Array:
    """Rows of a part of a split that have a label.

    Raises:
        KinemeError: there are none, or the training part's are all of one class.
    """
    labels = store.index["label"]
    if not (labels >= 0).any():
        raise KinemeError(f"{store.path}: its clips have no labels to evaluate with; choose another `store`")
    rows = split_rows(store, split, part)
    rows = rows[labels[rows] >= 0]
    if len(rows) == 0:
        raise KinemeError(
            f"{store.path}: the {part} part of split {split!r} has no labelled clips; choose another `split`"
        )
    if part == "train" and len(np.unique(labels[rows])) < 2:
        raise KinemeError(
            f"{store.path}: the training part of split {split!r} has fewer than two classes; "
            "choose another `split`"
        )
    return rows


def open_task(
    run: str | Path,
    options: TaskOptions = USUAL,
    *,
    rows_of: Callable[[ClipStore, str, Part], Array] = labelled,
) -> Task:
    """Determines what to measure on which clips.

    Args:
        run: run directory, or its model.safetensors.
        options: which clips, and where to compute.
        rows_of: rows of a store's part of a split that can be measured on; refuses a store without any.

    Raises:
        KinemeError: weights or clips are missing or do not fit each other, or the split has no labelled clips
            in one of its parts, or its test clips were all seen in pre-training and are to be left out.
    """
    run, device = Path(run), chosen_device(options.device)
    model = load_run(run)
    if options.stream:
        model = with_stream(model, options.stream)
    own = DataConfig(**model.config["data"])
    store = ClipStore(options.store or _own_store(run, own))
    mapped = options.map_joints or options.joint_map is not None or model.shape.layout == BODY
    clips = _with_joints(model, store, options.joint_map) if mapped else store
    model.check(clips, allow_preprocessing=options.allow_preprocessing)
    split = options.split or own.split_of(Path(store.address))
    if split is None:
        raise KinemeError(f"{run}: was trained on several splits, {', '.join(own.splits)}; pass `split`")
    train, test = rows_of(store, split, "train"), rows_of(store, split, "test")
    if len(np.intersect1d(train, test)):
        raise KinemeError(f"{store.path}: split {split!r} tests on clips that it trains on; {_other(store)}")
    folder = run if run.is_dir() else run.parent
    test, seen = unseen_test_clips(folder, model, store, test, leave_out=options.leave_out_overlap)
    labels = store.index["label"]
    return Task(
        model=model,
        run=folder,
        store=clips,
        split=split,
        train_rows=train,
        test_rows=test,
        train_labels=labels[train],
        test_labels=labels[test],
        device=device,
        allow_preprocessing=options.allow_preprocessing,
        seen_clips=seen,
        qualifiers=qualifiers(own, options),
        other_store=is_other_store(own, options),
    )


def _other(store: ClipStore) -> str:
    """What to do where a split has no test clips of its own."""
    if (usual := usual_split(store)) != "all":
        return f"choose another `split`, such as {usual}"
    return (
        "no other can be made, as neither people nor cameras are known: prepare the clips again with "
        "subjects (a column of labels.csv, or `kineme prepare --name`), or cross-validate by `kineme teach`"
    )


def qualifiers(own: DataConfig, options: TaskOptions) -> tuple[str, ...]:
    """What of the options differs from a run's own `data` settings, for the names of result files."""
    store = Path(options.store).resolve() if options.store else None
    split = own.splits[0] if store is None else own.split_of(store)
    return (
        *([store.name] if store and is_other_store(own, options) else []),
        *([options.split] if options.split and options.split != split else []),
        *([options.stream] if options.stream and options.stream != own.stream else []),
        *(["unseen"] if options.leave_out_overlap else []),
        *([Path(options.joint_map).stem] if options.joint_map else []),
    )


def is_other_store(own: DataConfig, options: TaskOptions) -> bool:
    """Whether the options name another store than a run's own."""
    store = Path(options.store).resolve() if options.store else None
    return store is not None and [store] != [Path(each).resolve() for each in own.stores]


def chosen_device(device: str) -> str:
    """`cpu` or `cuda`, for what was asked for.

    Raises:
        KinemeError: a GPU is asked for and there is none.
    """
    gpu = torch.cuda.is_available()
    if device == "cuda" and not gpu:
        raise KinemeError("`device` is cuda, but PyTorch finds no GPU here; set it to auto or cpu")
    return ("cuda" if gpu else "cpu") if device == "auto" else device


def on_device_of(task: Task, settings: TrainConfig) -> TrainConfig:
    """The settings with the task's device."""
    return replace(settings, device="cuda" if task.device == "cuda" else "cpu")


def _own_store(run: Path, own: DataConfig) -> str:
    """The store of the pre-training."""
    if not own.stores:
        raise KinemeError(f"{run}: does not say which store it was trained on; pass `store`")
    if len(own.stores) > 1:
        raise KinemeError(
            f"{run}: was trained on several stores, {', '.join(own.stores)}; pass the one to measure on as "
            "`store`"
        )
    if not is_there(own.stores[0]):
        raise KinemeError(f"{run}: {own.stores[0]}, the store of its pre-training, is gone; pass `store`")
    return own.stores[0]


def _with_joints(model: Model, store: ClipStore, joint_map: Path | None) -> ClipStore:
    """The store with the model's joints; as it is where it has them already.

    Raises:
        KinemeError: a joint cannot be placed, or a map is given where none is needed.
    """
    layout = model.shape.layout
    if store.layout == layout:
        if joint_map is not None:
            raise KinemeError(
                f"{store.path}: has the encoder's joints, so `joint_map` has no effect; drop it"
            )
        return store
    return RetargetedStore(store, layout, read_joint_map(joint_map) if joint_map else None)
