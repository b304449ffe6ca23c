"""From class probabilities of frames to segments: two published rules, and Kineme's own.

Frames count from 0, ends are exclusive, class 0 is the background.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from kineme.typing import Array

LEAST_PROBABILITY = {"A": 0.02, "C": 0.25}  # of a class
LEAST_ACTIVITY = 0.4  # 1 - background in rule B
REACH = 10  # frames that rule B averages over, on each side


def class_runs(probabilities: Array, least: float = LEAST_PROBABILITY["A"]) -> tuple[Array, Array]:
    """Runs of frames that show a class with more than 2 %, scored by their mean probability.

    That is rule A, USDRL's. Rule C takes 25 %, of smoothed probabilities.

    Args:
        probabilities: (T, K) of one recording.
        least: that a class must exceed.

    Returns:
        (n, 3) class, start, end, class by class in order of time, and (n,) scores.
    """
    recording = probabilities.astype(np.float64)
    found = []
    for label in range(1, recording.shape[1]):
        runs = _runs(recording[:, label] > least)
        found.append(np.insert(runs, 0, label, axis=1))
    segments = np.concatenate([np.zeros((0, 3), dtype=np.int64), *found])
    means = _mean_over(recording, segments[:, 1], segments[:, 2])
    return segments, means[np.arange(len(segments)), segments[:, 0]]


def active_runs(probabilities: Array) -> tuple[Array, Array]:
    """Rule B: runs of smoothed activity of at least 40 %, each of its most likely class, scored by that mean.

    Args:
        probabilities: (T, K) of one recording.

    Returns:
        (n, 3) class, start, end, in order of time, and (n,) scores.
    """
    smoothed = smooth(probabilities)
    runs = _runs(1 - smoothed[:, 0] >= LEAST_ACTIVITY)
    actions = _mean_over(smoothed, runs[:, 0], runs[:, 1])[:, 1:]
    if actions.shape[1] == 0:
        return np.zeros((0, 3), dtype=np.int64), np.zeros(0)
    best = actions.argmax(axis=1)
    return np.insert(runs, 0, best + 1, axis=1), actions[np.arange(len(runs)), best]


def smooth(probabilities: Array) -> Array:
    """(T, K) → the mean over frames max(0, i - 10) .. min(T - 1, i + 10), end exclusive, of each frame i.

    As published, the last frame is part of no mean.
    Deviation: it is, where it is the only frame.
    """
    frames = len(probabilities)
    frame = np.arange(frames)
    end = np.minimum(max(frames - 1, 1), frame + REACH)
    return _mean_over(probabilities.astype(np.float64), np.maximum(frame - REACH, 0), end)


def _runs(active: Array) -> Array:
    """(T,) truth values → (n, 2) start and end of every run of true ones."""
    edges = np.flatnonzero(np.diff(active.astype(np.int8), prepend=0, append=0))
    return edges.reshape(-1, 2).astype(np.int64)


def _mean_over(values: Array, start: Array, end: Array) -> Array:
    """(T, K) → (n, K) means over start .. end of each."""
    total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    mean: Array = (total[end] - total[start]) / (end - start)[:, None]
    return mean


RULES: Mapping[str, Callable[[Array], tuple[Array, Array]]] = {
    "A": class_runs,
    "B": active_runs,
    "C": partial(class_runs, least=LEAST_PROBABILITY["C"]),
}
