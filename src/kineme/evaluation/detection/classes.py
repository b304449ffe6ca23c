"""The classes of frames: the background, where no interval is, and a store's actions.

Some stores name the background among their classes, as the first (containers with labels of frames do),
others do not (PKU-MMD). In detection it is class 0 of both.
"""

from __future__ import annotations

import numpy as np

from kineme.clips.store import ClipStore
from kineme.typing import Array

BACKGROUND = "background"


def detection_classes(store: ClipStore) -> tuple[str, ...]:
    """Names of the classes that frames can have, the background first."""
    names = store.manifest.class_names
    return names if _names_background(store) else (BACKGROUND, *names)


def true_intervals(store: ClipStore, rows: Array) -> Array:
    """(n, 4) the intervals of some recordings: place among `rows`, class, start, end; in order of start."""
    place = np.full(len(store), -1)
    place[rows] = np.arange(len(rows))
    columns = store.intervals
    recording = place[columns["clip"]]
    label = columns["label"] + (0 if _names_background(store) else 1)
    found = np.stack([recording, label, columns["start"], columns["end"]], axis=1).astype(np.int64)
    found = found[(recording >= 0) & (label > 0)]
    return found[np.lexsort((found[:, 1], found[:, 2], found[:, 0]))]


def frame_labels(intervals: Array, offsets: Array) -> Array:
    """(n, 4) intervals → (F,) class of each frame; where intervals overlap, that which starts later."""
    labels = np.zeros(int(offsets[-1]), dtype=np.int64)
    for recording, label, start, end in intervals.tolist():
        labels[offsets[recording] + start : offsets[recording] + end] = label
    return labels


def _names_background(store: ClipStore) -> bool:
    names = store.manifest.class_names
    return len(names) > 0 and names[0].casefold() == BACKGROUND
