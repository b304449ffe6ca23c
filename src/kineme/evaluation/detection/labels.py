"""From class probabilities of frames to one class for each frame.

Frame labels and proposed segments are decoded apart. A proposal that overlaps another costs a detector
little, while a few wrong frames inside an action cost a segmentation two boundaries.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from kineme.typing import Array

# Subtracted for each change of class, in units of a frame's log-probability. The published rules take each
# frame's most likely class.
CHANGE: Mapping[str, float] = {"A": 0.0, "B": 0.0, "C": 4.0}
LEAST = 1e-6  # added to probabilities, of which the smallest are stored as zero


def label_frames(probabilities: Array, offsets: Array, rule: str) -> Array:
    """(F, K) probabilities of recordings one after another → (F,) classes, by the labels of a rule."""
    if not CHANGE[rule]:
        found: Array = probabilities.argmax(axis=1)
        return found
    ends = pairwise(offsets.tolist())
    return np.concatenate([likeliest(probabilities[first:end], CHANGE[rule]) for first, end in ends])


def likeliest(probabilities: Array, change: float) -> Array:
    """The sequence of classes of the largest sum of log-probabilities, less `change` a change (Viterbi).

    Args:
        probabilities: (T, K) of one recording.
        change: what a change of class costs.

    Returns:
        (T,) classes.

    >>> waver = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.9, 0.1], [0.1, 0.9], [0.1, 0.9]])
    >>> likeliest(waver, 0.0).tolist(), likeliest(waver, 1.0).tolist(), likeliest(waver, 9.0).tolist()
    ([0, 0, 1, 0, 1, 1], [0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 0, 0])
    """
    frames = np.log(probabilities.astype(np.float64) + LEAST)
    total = np.zeros(frames.shape[1])  # of the best sequence that ends in each class
    stays = np.empty(frames.shape, dtype=bool)  # whether that sequence had the same class a frame before
    best = np.empty(len(frames), dtype=np.int64)  # the class that it had otherwise
    for t, frame in enumerate(frames):
        best[t] = total.argmax()
        changed = total[best[t]] - change
        stays[t] = total >= changed
        total = np.maximum(total, changed) + frame
    labels = np.empty(len(frames), dtype=np.int64)
    label = int(total.argmax())
    for t in reversed(range(len(frames))):
        labels[t] = label
        if not stays[t, label]:
            label = int(best[t])
    return labels
