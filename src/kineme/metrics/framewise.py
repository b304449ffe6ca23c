"""Segmentation metrics of frame labels (Lea et al., 2017; Farha and Gall, 2019).

Frames of all recordings follow one another; recording r has offsets[r] .. offsets[r + 1]. Class 0 is the
background. All figures are shares of 1.
"""

from __future__ import annotations

import numpy as np

from kineme.metrics.detection import best_match, f1, pair
from kineme.typing import Array


def label_segments(labels: Array, offsets: Array) -> Array:
    """(F,) classes of frames → (n, 4) runs of one class, not the background: recording, class, start, end."""
    if len(labels) == 0:
        return np.zeros((0, 4), dtype=np.int64)
    starts = np.union1d(np.flatnonzero(np.diff(labels)) + 1, offsets[:-1]).astype(np.int64)
    ends = np.append(starts[1:], len(labels))
    recording = np.searchsorted(offsets, starts, "right") - 1
    begin = offsets[recording]
    runs = np.stack([recording, labels[starts], starts - begin, ends - begin], axis=1).astype(np.int64)
    actions: Array = runs[runs[:, 1] != 0]
    return actions


def edit_scores(labels: Array, predicted: Array, offsets: Array) -> Array:
    """(R,) 1 - distance / length of each recording: how well the order of the actions is recognised.

    The distance is Levenshtein's, between the sequences of true and of predicted runs without the background;
    the length is the longer one's. A recording without runs in either scores 1.
    """
    true, said = label_segments(labels, offsets), label_segments(predicted, offsets)
    scores = []
    for recording in range(len(offsets) - 1):
        a, b = (runs[runs[:, 0] == recording, 1] for runs in (true, said))
        scores.append(1 - levenshtein(a, b) / max(len(a), len(b), 1))
    return np.array(scores)


def levenshtein(a: Array, b: Array) -> int:
    """Least number of insertions, deletions and substitutions that turn one sequence into the other."""
    place = np.arange(len(b) + 1)
    row = place.copy()
    for i, item in enumerate(a, 1):
        changed = np.minimum(row[1:] + 1, row[:-1] + (b != item))
        # Insertions run along the row: each entry is the least of those before it, plus the way from there.
        row = np.minimum.accumulate(np.append(i, changed) - place) + place
    return int(row[-1])


def f1_at(labels: Array, predicted: Array, offsets: Array, threshold: float) -> float:
    """F1 of predicted runs; one is right if it overlaps a true run of its class by at least the threshold.

    Of several that overlap the same true run, one is right. Runs of background do not count.
    """
    true, said = label_segments(labels, offsets), label_segments(predicted, offsets)
    return f1(best_match(pair(true, said), len(said), threshold), len(true))
