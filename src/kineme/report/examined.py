"""Features and nearest neighbours of the clips that a report shows; clips thinned for a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from markupsafe import Markup

from kineme.clips.batches import resident
from kineme.clips.splits import split_rows
from kineme.clips.store import UNLABELLED, ClipStore
from kineme.drawing.player import player, scene
from kineme.drawing.posture import without_absent
from kineme.errors import KinemeError
from kineme.evaluation.options import Device, TaskOptions
from kineme.evaluation.task import chosen_device, labelled, open_task
from kineme.metrics.neighbours import nearest
from kineme.model import Model
from kineme.report.runs import DETECT, Run, store_measured, stores_of
from kineme.typing import Array

NEIGHBOURS = 4
LOOKED_AT = 64  # clips that tell whether all are the same
PARTS: tuple[Literal["train"], Literal["test"]] = ("train", "test")
MOST = 5000  # clips without a test part that are looked at: more neither fit on a map nor are needed


@dataclass(frozen=True)
class Cut:
    """Windows of recordings, each a clip of its own.

    Attributes:
        rows: (W,) rows of the store.
        first, length: (W,) frames of the recording.
    """

    rows: Array
    first: Array
    length: Array


@dataclass(frozen=True)
class Examined:
    """Clips as an encoder embeds them: test clips beside training clips, or all clips beside each other.

    Attributes:
        store: where the clips are.
        test, train: numbers of clips, rows of the store or, where recordings are cut, of `cut`; the same
            where nothing divides them.
        features: (N, D) of the test clips.
        neighbours: (N, k) numbers of the nearest training clips, the nearest first; never the clip itself.
        similarity: (N, k) their cosine.
        cut: the windows; None for whole clips.
        clips: how many there are to look at, of which `test` may be some.
    """

    store: ClipStore
    test: Array
    train: Array
    features: Array
    neighbours: Array
    similarity: Array
    cut: Cut | None = None
    clips: int = 0

    @property
    def divided(self) -> bool:
        """Whether there is a test part."""
        return not np.array_equal(self.test, self.train)

    @property
    def noun(self) -> str:
        """What the clips are called."""
        return "test clip" if self.divided else "clip" if self.cut is None else "window"

    @property
    def other(self) -> str:
        """What their neighbours are called."""
        return "training clip" if self.divided else f"other {self.noun}"

    @property
    def labels(self) -> Array:
        """(N,) classes of the test clips, -1 where unknown."""
        return self.labels_of(self.test)

    @property
    def right(self) -> Array:
        """(N,) whether the nearest clip has the same class; False where either is unknown."""
        if self.neighbours.shape[1] == 0:
            return np.zeros(len(self.test), dtype=bool)
        return np.equal(self.labels_of(self.neighbours[:, 0]), self.labels) & (self.labels >= 0)

    @property
    def bodies(self) -> int:
        """The most that one of the clips shows."""
        rows = self.rows_of(np.concatenate([self.test, self.train]))
        return int(self.store.index["bodies"][rows].max(initial=1))

    @property
    def alike(self) -> bool:
        """Whether the clips themselves are all the same, as some of them tell."""
        some = [self._xyz(clip) for clip in evenly(self.test, LOOKED_AT).tolist()]
        ends = np.stack([xyz[[0, len(xyz) // 2, -1]] for xyz in some])
        return bool((ends == ends[:1]).all())

    def rows_of(self, clips: Array) -> Array:
        """Rows of the store that some clips are in."""
        return clips if self.cut is None else self.cut.rows[clips]

    def labels_of(self, clips: Array) -> Array:
        """Classes of some clips; windows have none."""
        labels: Array = self.store.labels[self.rows_of(clips)]
        return labels if self.cut is None else np.full_like(labels, UNLABELLED)

    def class_name(self, clip: int) -> str:
        """Class of a clip, empty where it has none."""
        label = int(self.labels_of(np.array([clip]))[0])
        return str(self.store.manifest.class_names[label]) if label >= 0 else ""

    def name(self, clip: int) -> str:
        """Name of a clip; of a window with its seconds, as `kineme search` takes it."""
        if self.cut is None:
            return str(self.store.names[clip])
        fps, first = self.store.manifest.fps, int(self.cut.first[clip])
        start, end = (f"{frames / fps:.2f}s" for frames in (first, first + int(self.cut.length[clip])))
        return f"{self.store.names[self.cut.rows[clip]]}[{start}:{end}]"

    def player(self, name: str, clip: int, frames: int, **options: Any) -> Markup:
        """A clip as a moving skeleton, thinned to at most `frames` frames."""
        return player(name, layout=self.store.layout, **self._thinned(clip, frames), **options)

    def scene(self, clip: int, frames: int) -> dict[str, str | int]:
        """A clip for a player to load, without what all clips share."""
        told = scene(layout=self.store.layout, **self._thinned(clip, frames))
        return {key: value for key, value in told.items() if key not in ("parents", "sides")}

    def _thinned(self, clip: int, frames: int) -> dict[str, Any]:
        thin, fps = thinned(self._xyz(clip), self.store.manifest.fps, frames)
        return {"clip": thin, "fps": fps, "up": self.store.manifest.preprocessing.up}

    def _xyz(self, clip: int) -> Array:
        """(T, M, V, C) frames of a clip."""
        if self.cut is None:
            return self.store.clip(clip)
        first = int(self.cut.first[clip])
        return self.store.clip(int(self.cut.rows[clip]))[first : first + int(self.cut.length[clip])]


def examine(run: Run, stores: Sequence[Path], device: str) -> Examined:
    """Features and neighbours of the clips that the run's first recognition result was measured on.

    Without results, those of the test part of the run's own split; without labels or a test part, of the
    clips that it was trained on, each beside the others. `stores` come before the one it was trained on.

    Raises:
        KinemeError: the run has no weights, or its store is gone or does not fit.
    """
    if run.pretrained is None:
        raise KinemeError(f"{run.name} has no weights yet; train it to its first checkpoint")
    measured = next((each.result for each in run.measured if each.result.protocol != DETECT), None)
    store = store_measured(run, measured, stores) if measured else stores_of(run, stores)[0]
    place = Path(store.address)
    if measured is None and not is_measurable(store, run.config.data.split_of(place) or "all"):
        fitted = run.pretrained.fitted(store)
        return _beside_each_other(run.pretrained, run, fitted, chosen_device(device))
    other = measured is not None and measured.preprocessing != measured.store_preprocessing
    split = measured.split if measured else None
    task = open_task(
        run.path, TaskOptions(place, split, device=cast(Device, device), allow_preprocessing=other)
    )
    train, test = task.train_rows, task.test_rows
    features = task.features(task.model, test)
    k = min(NEIGHBOURS, len(train))
    known = task.features(task.model, train)
    found, similarity = nearest(known, features, k=k, device=task.device)
    return Examined(task.store, test, train, features, train[found], similarity, clips=len(test))


def is_measurable(store: ClipStore, split: str) -> bool:
    """Whether both parts of a split have labelled clips, and none is in both."""
    try:
        train, test = (labelled(store, split, part) for part in PARTS)
    except KinemeError:
        return False
    return len(np.intersect1d(train, test)) == 0


def _beside_each_other(model: Model, run: Run, store: ClipStore, device: str) -> Examined:
    """The clips, or windows, that a run was trained on; of another store all."""
    data = run.config.data
    model.check(store)
    place = Path(store.address)
    own = place.resolve() in [Path(each).resolve() for each in data.stores]
    rows = split_rows(store, (data.split_of(place) if own else None) or "all", "train")
    cut, clips = None, resident(store, rows)
    if data.window:
        windows = clips.windows(data.window)
        number = np.searchsorted(clips.start.numpy(), windows.start.numpy(), side="right") - 1
        first = (windows.start - clips.start[torch.from_numpy(number)]).numpy()
        cut, clips = Cut(rows[number], first, windows.length.numpy()), windows
        rows = np.arange(len(windows))
    shown = evenly(np.arange(len(rows)), MOST)
    features = model.encode(clips[torch.from_numpy(shown)], device=device)
    shown_rows = rows[shown]
    k = min(NEIGHBOURS, len(shown) - 1)
    found, similarity = nearest(features, features, k=k + 1, device=device)
    found, similarity = _without_itself(found, similarity)
    return Examined(
        store, shown_rows, shown_rows, features, shown_rows[found], similarity, cut, clips=len(rows)
    )


def _without_itself(found: Array, similarity: Array) -> tuple[Array, Array]:
    """Neighbours (N, k + 1) of clips among themselves → (N, k); of equal clips, others may come first."""
    own = found == np.arange(len(found))[:, None]
    own[~own.any(axis=1), -1] = True
    shape = len(found), found.shape[1] - 1
    return found[~own].reshape(shape), similarity[~own].reshape(shape)


def thinned(clip: Array, fps: float, frames: int) -> tuple[Array, float]:
    """At most `frames` frames of a clip (T, M, V, C), evenly spaced, without bodies that never appear."""
    step = -(-len(clip) // frames)
    return np.asarray(without_absent(clip)[::step]), fps / step


def evenly(rows: Sequence[int] | Array, count: int) -> Array:
    """At most `count` of some rows, evenly spaced."""
    rows = np.asarray(rows, dtype=np.int64)
    chosen = np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int)
    return np.asarray(rows[chosen])


def over_classes(rows: Array, labels: Array, count: int) -> Array:
    """At most `count` of some rows, of as many of the classes `labels[rows]` as possible."""
    rows = np.asarray(rows, dtype=np.int64)
    own = labels[rows]
    order = np.argsort(own, kind="stable")
    first = np.searchsorted(own[order], own[order])
    occurrence = np.arange(len(rows)) - first  # 0 for the first row of its class, 1 for the second
    chosen: list[int] = []
    for level in range(int(occurrence.max(initial=-1)) + 1):
        chosen += evenly(rows[order[occurrence == level]], count - len(chosen)).tolist()
        if len(chosen) >= count:
            break
    return np.array(chosen, dtype=np.int64)
