"""Metrics of recognition. Accuracies are percentages, 0 to 100, as the field prints them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def top_k(scores: Array, labels: Array, k: int = 1) -> float:
    """Share of clips whose class is among the k highest scores; of equal scores the lower class comes first.

    Args:
        scores: (N, classes), greater is likelier.
        labels: (N,) true classes.
        k: how many guesses count.
    """
    own = np.take_along_axis(scores, labels[:, None], axis=1)
    earlier = np.arange(scores.shape[1]) < labels[:, None]
    rank = ((scores > own) | ((scores == own) & earlier)).sum(axis=1)
    return float(100 * np.mean(rank < k))


def confusion_matrix(labels: Array, predicted: Array, classes: int) -> Array:
    """(classes, classes) counts; entry [i, j] is how many clips of class i were taken for class j."""
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def per_class_accuracy(confusion: Array) -> Array:
    """(classes,) share of each class's clips that are recognised; NaN for a class without clips."""
    clips = confusion.sum(axis=1)
    share = np.full(len(clips), np.nan)
    np.divide(100.0 * np.diag(confusion), clips, out=share, where=clips > 0)
    return share
