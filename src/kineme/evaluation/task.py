"""What is measured on which clips: a run, a store, and a split's training and test part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from kineme import __version__
from kineme.clips.retargeted import RetargetedStore
from kineme.clips.splits import split_rows
from kineme.clips.store import ClipStore
from kineme.errors import KinemeError
from kineme.evaluation.overlap import unseen_test_clips
from kineme.evaluation.results import source_commit
from kineme.layouts.correspondence import read_joint_map
from kineme.model import Model, load_run
from kineme.typing import Array

Part = Literal["train", "test"]


@dataclass(frozen=True)
class Task:
    """A pre-trained encoder and the labelled clips that it is measured on."""

    pretrained: Model
    run: Path
    store: ClipStore
    split: str
    train: Array  # rows of the store
    test: Array
    labels: Array  # classes of `train`; -1 of untrimmed recordings
    test_labels: Array
    device: str
    allow_preprocessing: bool
    seen: int | None  # test clips that pre-training saw; None where nobody knows
    qualifiers: tuple[str, ...]  # what differs from the pre-training, for the result's name

    def described(self) -> dict[str, Any]:
        """The fields of a `Result` that say what is measured on which clips, by which code."""
        pretrained, store = self.pretrained, self.store
        return {
            "method": pretrained.method,
            "encoder": type(pretrained.encoder).__name__,
            "stream": pretrained.stream,
            "weights": pretrained.weights,
            "pretrained_epochs": pretrained.epochs,
            "preprocessing": pretrained.preprocessing.id,
            "version": __version__,
            "commit": source_commit(),
            "store": store.path.resolve().name,
            "fingerprint": store.manifest.fingerprint,
            "store_preprocessing": store.manifest.preprocessing.id,
            "split": self.split,
            "train_clips": len(self.train),
            "test_clips": len(self.test),
            "joint_map": store.joint_map if isinstance(store, RetargetedStore) else None,
            "seen_clips": self.seen,
        }


def labelled(store: ClipStore, split: str, part: Part) -> Array:
    """Rows of a part of a split that have a label.

    Raises:
        KinemeError: there are none, or the training part's are all of one class.
    """
    labels = store.index["label"]
    if not (labels >= 0).any():
        raise KinemeError(
            f"{store.path}: its clips have no labels, so nothing can be recognised; pass --store"
        )
    rows = split_rows(store, split, part)
    rows = rows[labels[rows] >= 0]
    if len(rows) == 0:
        raise KinemeError(
            f"{store.path}: split {split!r} has no labelled clips in its {part} part; "
            "choose another one with --split"
        )
    if part == "train" and len(np.unique(labels[rows])) < 2:
        raise KinemeError(
            f"{store.path}: the training part of split {split!r} has fewer than two classes; "
            "pass another --split"
        )
    return rows


def open_task(
    run: Path,
    *,
    store: Path | None = None,
    split: str | None = None,
    device: str = "auto",
    allow_preprocessing: bool = False,
    leave_out_overlap: bool = False,
    map_joints: bool = False,
    joint_map: Path | None = None,
    rows_of: Callable[[ClipStore, str, Part], Array] = labelled,
) -> Task:
    """Finds out what is to be measured on which clips.

    Args:
        run: run directory, or its model.safetensors.
        store: clip store; by default that of the pre-training.
        split: its division into training and test part; by default that of the pre-training.
        device: where to compute; `auto` takes the GPU if there is one.
        allow_preprocessing: accept a store prepared by another preprocessing than the encoder's.
        leave_out_overlap: leave out test clips that the encoder was pre-trained on, instead of a warning.
        map_joints: give clips of another layout the encoder's joints, by their names.
        joint_map: file that says which joints these are, where names do not; it stands for `map_joints` too.
        rows_of: rows of a store's part of a split that can be measured on; refuses a store without any.

    Raises:
        KinemeError: weights or clips are missing or do not fit each other, or the split has no labelled clips
            in one of its parts, or its test clips were all seen in pre-training and are to be left out.
    """
    gpu = torch.cuda.is_available()
    if device == "cuda" and not gpu:
        raise KinemeError("--device cuda: PyTorch finds no GPU here; leave it at auto, or pass cpu")
    pretrained = load_run(run)
    own = pretrained.config["data"]
    if store is None and own["store"] is None:
        raise KinemeError(f"{run}: does not say which store it was trained on; pass --store")
    if store is None and not Path(own["store"]).exists():
        raise KinemeError(
            f"{run}: {own['store']}, the store of the pre-training, is not there any more; pass --store"
        )
    opened = ClipStore(store or own["store"])
    clips = _with_joints(pretrained, opened, joint_map) if map_joints or joint_map else opened
    pretrained.check(clips, allow_preprocessing=allow_preprocessing)
    split = split or own["split"]
    train, test = rows_of(opened, split, "train"), rows_of(opened, split, "test")
    if len(np.intersect1d(train, test)):
        raise KinemeError(
            f"{opened.path}: split {split!r} has no test part of its own, it tests on clips that it "
            "trains on; pass another --split"
        )
    labels = opened.index["label"]
    folder = run if run.is_dir() else run.parent
    test, seen = unseen_test_clips(folder, pretrained, opened, test, leave_out=leave_out_overlap)
    other_store = own["store"] is None or opened.path.resolve() != Path(own["store"]).resolve()
    return Task(
        pretrained=pretrained,
        run=folder,
        store=clips,
        split=split,
        train=train,
        test=test,
        labels=labels[train],
        test_labels=labels[test],
        device=("cuda" if gpu else "cpu") if device == "auto" else device,
        allow_preprocessing=allow_preprocessing,
        seen=seen,
        qualifiers=(
            *([opened.path.resolve().name] if other_store else []),
            *([split] if split != own["split"] else []),
            *(["unseen"] if leave_out_overlap else []),
            *([joint_map.stem] if joint_map else []),
        ),
    )


def _with_joints(pretrained: Model, store: ClipStore, joint_map: Path | None) -> ClipStore:
    """The store with the encoder's joints; as it is where it has them already."""
    layout = pretrained.encoder.shape.layout
    if store.layout == layout:
        return store
    return RetargetedStore(store, layout, read_joint_map(joint_map) if joint_map else None)
