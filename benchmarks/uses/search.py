"""The ten nearest of a million features of 512 numbers: by comparing all, and by asking faiss.

The features are made up, and like those of windows that overlap: recordings of a subject each, in which
actions follow one another along a smooth path. Queries are windows of other subjects.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap

from benchmarks.uses import Figure, Options
from kineme.inference.searching import approximate
from kineme.metrics.neighbours import nearest
from kineme.typing import Array

COUNT, DIM, ACTIONS, WAYS = 1_000_000, 512, 120, 32
RECORDING, ACTION = 200, 20  # windows of each
QUERIES, BATCH, K = 256, 64, 10


def measure(options: Options) -> Iterator[Figure]:
    """Seconds a query, and how many of the nearest faiss finds."""
    count = COUNT // 10 if options.small else COUNT
    features = library(options.folder / "features.npy", count)
    queries = windows(QUERIES * ACTION, np.random.default_rng(2))[::ACTION]
    nearest(features, queries[:1], k=K)  # the file is in memory from now on
    aim = (None, None, None) if options.small else (1.0, 50.0, 10.0)
    one = least(lambda: nearest(features, queries[:1], k=K))
    yield Figure(f"one query of {count:,}, exact", one, "s", aim[0])
    batch = least(lambda: nearest(features, queries[:BATCH], k=K))
    yield Figure(f"a query in batches of {BATCH}, exact", 1000 * batch / BATCH, "ms", aim[1])
    truth, _ = nearest(features, queries, k=K)

    path, began = options.folder / "features.faiss", time.perf_counter()
    approximate.build(features, path)
    yield Figure("faiss: making the graph", time.perf_counter() - began, "s")
    yield Figure("faiss: its file", os.stat(path).st_size / 1e6, "MB")
    began = time.perf_counter()
    graph = approximate.load(path, count)
    yield Figure("faiss: reading the graph", time.perf_counter() - began, "s")
    approximate.candidates(graph, features, queries, K)
    found, began = [], time.perf_counter()
    for query in queries:
        found.append(approximate.candidates(graph, features, query[None], K)[0][0])
    took = (time.perf_counter() - began) / len(queries)
    yield Figure("faiss: a query", 1000 * took, "ms", aim[2])
    shares = [len({*a} & {*b}) / K for a, b in zip(np.array(found).tolist(), truth.tolist(), strict=True)]
    yield Figure("faiss: recall at 10", float(np.mean(shares)), "", 0.95, smaller=False)


def least(work: Callable[[], object], repeats: int = 3) -> float:
    """Seconds of the quickest of some repeats."""
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def library(path: Path, count: int) -> Array:
    """(N, D) unit features in a file, memory-mapped as an index is."""
    rng, rows = np.random.default_rng(1), 50 * RECORDING
    features = open_memmap(path, mode="w+", dtype=np.float32, shape=(count, DIM))
    for first in range(0, count, rows):
        features[first : first + rows] = windows(min(rows, count - first), rng)
    features.flush()
    return np.asarray(np.load(path, mmap_mode="r"))  # still the map


def windows(count: int, rng: np.random.Generator) -> Array:
    """(N, D) unit features of windows of whole recordings."""
    fixed = np.random.default_rng(0)
    actions = fixed.standard_normal((ACTIONS, DIM), np.float32)
    ways = fixed.standard_normal((WAYS, DIM), np.float32) / WAYS**0.5
    recordings = -(-count // RECORDING)
    subjects = rng.standard_normal((recordings, 1, DIM), np.float32)
    shown = rng.integers(ACTIONS, size=(recordings, RECORDING // ACTION)).repeat(ACTION, axis=1)
    steps = rng.standard_normal((recordings, RECORDING, WAYS), np.float32)
    path = np.empty_like(steps)
    path[:, 0] = steps[:, 0]
    for i in range(1, RECORDING):
        path[:, i] = 0.9 * path[:, i - 1] + (1 - 0.9**2) ** 0.5 * steps[:, i]
    noise = rng.standard_normal((recordings, RECORDING, DIM), np.float32)
    features = 1 + actions[shown] + 0.5 * subjects + path @ ways + 0.2 * noise
    features = features.reshape(-1, DIM)[:count]
    return np.asarray(features / np.linalg.norm(features, axis=1, keepdims=True))
