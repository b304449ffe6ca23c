"""Neighbours, recall and mean average precision of 200,000 test features against 200,000 training features.

Features of 256 numbers and 120 classes that overlap, made up. In a process of its own, so that the peak of
memory is its own. CPU seconds are those of all threads together.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from multiprocessing import get_context

import numpy as np

from benchmarks.uses import Figure, Options
from kineme.metrics.neighbours import nearest_label
from kineme.metrics.ranking import rank
from kineme.typing import Array

COUNT, DIM, CLASSES = 200_000, 256, 120
CORES, MINUTES = 2, 10  # in which it should end


def measure(options: Options) -> Iterator[Figure]:
    """Seconds of each, and the peak of memory."""
    count = COUNT // 10 if options.small else COUNT
    with get_context("spawn").Pool(1) as process:
        figures = process.apply(compare, (count,))
    yield from figures


def compare(count: int) -> list[Figure]:
    """So many against as many."""
    centres = np.random.default_rng(0).standard_normal((CLASSES, DIM), np.float32)
    (train, labels), (test, test_labels) = (features(count, centres, seed) for seed in (1, 2))
    figures, wall, began = [], time.perf_counter(), time.process_time()
    right = 100 * float((nearest_label(train, labels, test) == test_labels).mean())
    figures.append(Figure(f"{count:,} nearest neighbours: CPU", time.process_time() - began, "s"))
    began = time.process_time()
    ranks = rank(train, labels, test, test_labels)
    figures.append(Figure("ranking: CPU", time.process_time() - began, "s"))
    aim = CORES * MINUTES * 60 if count == COUNT else None
    figures.append(Figure("both: CPU", figures[0].value + figures[1].value, "s", aim))
    figures.append(Figure("both, by the clock", time.perf_counter() - wall, "s"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures.append(Figure("peak of memory", peak, "MB", 2048))
    figures.append(Figure("kNN", right, "%"))
    return [*figures, Figure("mAP", 100 * float(ranks.average_precision.mean()), "%")]


def features(count: int, centres: Array, seed: int) -> tuple[Array, Array]:
    """(N, D) features and (N,) classes, of as many classes as there are centres (K, D)."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(len(centres), size=count)
    return centres[labels] + 3 * rng.standard_normal((count, centres.shape[1]), np.float32), labels
