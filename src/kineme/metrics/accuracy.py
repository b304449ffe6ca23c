"""Metrics of recognition. All are percentages, 0 to 100, as the field prints them."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from kineme.errors import KinemeError
from kineme.typing import Array


def top_k(scores: Array, labels: Array, k: int = 1) -> float:
    """Share of clips whose class is among the k highest scores."""
    return float(100 * np.mean(is_in_top(scores, labels, k)))


def is_in_top(scores: Array, labels: Array, k: int = 1) -> Array:
    """(N,) whether each clip's class is among its k highest scores; of equal scores the lower class is first.

    A score that is NaN, as of a network that diverged, counts as above all others and is no hit.

    Args:
        scores: (N, classes), higher is more likely.
        labels: (N,) true classes.
        k: how many guesses count.

    Raises:
        KinemeError: there are not as many scores as labels.
    """
    scores, labels = np.asarray(scores), np.asarray(labels)
    if scores.ndim != 2 or labels.shape != scores.shape[:1]:
        raise KinemeError(f"`scores` {scores.shape} and `labels` {labels.shape}: give (N, classes) and (N,)")
    own = np.take_along_axis(scores, labels[:, None], axis=1)
    later = np.arange(scores.shape[1]) > labels[:, None]
    below = (scores < own) | ((scores == own) & later)
    hit: Array = ((~below).sum(axis=1) <= k) & ~np.isnan(own[:, 0])
    return hit


def top_1(predicted: Array, labels: Array) -> float:
    """Share of clips whose class is predicted."""
    return float(100 * np.mean(np.equal(*_pairs(predicted, labels))))


def top_5(scores: Array, labels: Array) -> float:
    """Share of clips whose class is among the five highest scores; NaN with five classes or fewer."""
    return top_k(scores, labels, 5) if scores.shape[1] > 5 else float("nan")


def confusion_matrix(labels: Array, predicted: Array, classes: int) -> Array:
    """(classes, classes) counts; entry [i, j] is how many clips of class i were taken for class j."""
    predicted, labels = _pairs(predicted, labels)
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def _pairs(predicted: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[Array, Array]:
    """Both as arrays (N,); lists would compare as a whole."""
    found, true = np.asarray(predicted), np.asarray(labels)
    if found.ndim != 1 or found.shape != true.shape:
        raise KinemeError(
            f"`predicted` {found.shape} and `labels` {true.shape}: give a class of each clip, (N,)"
        )
    return found, true


def per_class_accuracy(confusion: Array) -> Array:
    """(classes,) share of each class's clips that are recognised; NaN for a class without clips."""
    clips = confusion.sum(axis=1)
    share = np.full(len(clips), np.nan)
    np.divide(100.0 * np.diag(confusion), clips, out=share, where=clips > 0)
    return share


def per_class_recall(predicted: Array, labels: Array, classes: int) -> Array:
    """(classes,) recall; NaN for a class without clips."""
    return per_class_accuracy(confusion_matrix(labels, predicted, classes))


def balanced_accuracy(predicted: Array, labels: Array, classes: int) -> float:
    """Mean recall over the classes that have clips: rare classes count as much as frequent ones."""
    return float(np.nanmean(per_class_recall(predicted, labels, classes)))


def macro_f1(predicted: Array, labels: Array, classes: int) -> float:
    """Mean F1 over the classes that have clips or are predicted."""
    confusion = confusion_matrix(labels, predicted, classes)
    found = confusion.sum(axis=0) + confusion.sum(axis=1)
    return float(np.mean(200 * np.diag(confusion)[found > 0] / found[found > 0]))


def bootstrap_interval(values: Array, *, resamples: int = 2000, seed: int = 0) -> tuple[float, float]:
    """95 % interval of the mean of a figure that every clip has: its percentiles over resampled test sets.

    Args:
        values: (N,) the figure of each clip, such as 100 where it is recognised and 0 where not.
        resamples: test sets of N clips drawn from these with replacement.
        seed: of the draws.
    """
    generator = np.random.default_rng(seed)
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) <= 2:  # then a resampled mean is a binomial count
        hits = generator.binomial(len(values), counts[-1] / len(values), resamples)
        means = distinct[0] + (distinct[-1] - distinct[0]) * hits / len(values)
    else:
        means = np.array(
            [values[generator.integers(len(values), size=len(values))].mean() for _ in range(resamples)]
        )
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def wilson_interval(right: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of a share, in per cent (Wilson, 1927).

    Unlike a bootstrap's, it has a width where all are right.

    Args:
        right: how many of the `count` are right.
        count: at least 1.
        z: of the normal distribution; 1.96 gives 95 %.

    >>> wilson_interval(10, 10)
    (72.2, 100.0)
    """
    share = right / count
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    return 100 * max(middle - half, 0.0), 100 * min(middle + half, 1.0)
