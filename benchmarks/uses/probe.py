"""The logistic probe: as many features as the cross-subject split of NTU-60 has, and badly conditioned."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter

import numpy as np

from benchmarks.uses import Figure, Options
from kineme.evaluation.linear import logistic
from kineme.typing import Array


def measure(options: Options) -> Iterator[Figure]:
    """Seconds of a fit, with its test clips."""
    shrink = 10 if options.small else 1
    for count, dim, classes, aim in ((1_450, 1_056, 70, 20.0), (40_091 // shrink, 2_048, 60, 60.0)):
        train, labels = _features(count, dim, classes, seed=0)
        test, _ = _features(count // 4, dim, classes, seed=1)
        began = perf_counter()
        logistic(train, labels, test, classes)
        what = f"logistic probe, {count:,} x {dim:,} features, {classes} classes"
        yield Figure(what, perf_counter() - began, "s", aim)


def _features(count: int, dim: int, classes: int, seed: int) -> tuple[Array, Array]:
    """Classes that overlap, in features whose variances along their principal axes span ten decades."""
    task, clips = np.random.default_rng(7), np.random.default_rng(seed)
    centres, mixing = task.normal(size=(classes, dim)), task.normal(size=(dim, dim))
    mixing *= np.arange(1, dim + 1)[:, None] ** -0.7
    labels = clips.integers(0, classes, count)
    latent = 0.08 * centres[labels] + clips.normal(size=(count, dim))
    return (latent @ mixing).astype(np.float32), labels
