"""Features and nearest neighbours of the test clips; clips thinned for a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from markupsafe import Markup

from kineme.clips.store import ClipStore
from kineme.drawing.player import player, scene
from kineme.drawing.posture import present
from kineme.errors import KinemeError
from kineme.evaluation.options import Device, TaskOptions
from kineme.evaluation.task import open_task
from kineme.metrics.neighbours import nearest
from kineme.report.runs import DETECT, Run, store_measured, stores_of
from kineme.typing import Array

NEIGHBOURS = 4


@dataclass(frozen=True)
class Examined:
    """Test clips as an encoder embeds them.

    Attributes:
        store: where the clips are.
        test, train: rows of the store.
        features: (N, D) of the test clips.
        neighbours: (N, k) rows of the store, the nearest training clip first.
        similarity: (N, k) their cosine.
    """

    store: ClipStore
    test: Array
    train: Array
    features: Array
    neighbours: Array
    similarity: Array

    @property
    def labels(self) -> Array:
        """(N,) classes of the test clips."""
        return self.store.labels[self.test]

    @property
    def right(self) -> Array:
        """(N,) whether the nearest training clip has the same class."""
        return np.equal(self.store.labels[self.neighbours[:, 0]], self.labels)

    def class_name(self, row: int) -> str:
        """Class of a clip of the store."""
        return str(self.store.manifest.class_names[int(self.store.labels[row])])

    def player(self, name: str, row: int, frames: int, **options: Any) -> Markup:
        """A clip of the store as a moving skeleton, thinned to at most `frames` frames."""
        return player(name, layout=self.store.layout, **self._thinned(row, frames), **options)

    def scene(self, row: int, frames: int) -> dict[str, str | int]:
        """A clip of the store for a player to load, without what all clips share."""
        told = scene(layout=self.store.layout, **self._thinned(row, frames))
        return {key: value for key, value in told.items() if key not in ("parents", "sides")}

    def _thinned(self, row: int, frames: int) -> dict[str, Any]:
        clip, fps = thinned(self.store.clip(row), self.store.manifest.fps, frames)
        return {"clip": clip, "fps": fps, "up": self.store.manifest.preprocessing.up}


def examine(run: Run, stores: Sequence[Path], device: str) -> Examined:
    """Features and neighbours of the clips that the run's first recognition result was measured on.

    Without results, those of the run's own split; `stores` are beside the one that it was trained on.

    Raises:
        KinemeError: the run has no weights, or its store is gone, has no labels, does not fit, or its split
            has no test part.
    """
    if run.pretrained is None:
        raise KinemeError(f"{run.name} has no weights yet; train it to its first checkpoint")
    measured = next((each.result for each in run.measured if each.result.protocol != DETECT), None)
    store = store_measured(run, measured, stores) if measured else stores_of(run, stores)[0]
    other = measured is not None and measured.preprocessing != measured.store_preprocessing
    split = measured.split if measured else None
    task = open_task(
        run.path, TaskOptions(store.path, split, cast(Device, device), allow_preprocessing=other)
    )
    train, test = task.train_rows, task.test_rows
    features = task.features(task.model, test)
    k = min(NEIGHBOURS, len(train))
    found, similarity = nearest(task.features(task.model, train), features, k=k, device=task.device)
    return Examined(task.store, test, train, features, train[found], similarity)


def thinned(clip: Array, fps: float, frames: int) -> tuple[Array, float]:
    """At most `frames` frames of a clip (T, M, V, C), evenly spaced, without bodies that never appear."""
    bodies = int(np.flatnonzero(present(clip).any(axis=0)).max(initial=0)) + 1
    step = -(-len(clip) // frames)
    return np.asarray(clip[::step, :bodies]), fps / step


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
