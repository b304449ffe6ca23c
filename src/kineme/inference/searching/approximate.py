"""Approximate search with faiss: a graph of neighbours (HNSW) over features in 8 bits.

Malkov and Yashunin, 2018: Efficient and robust approximate nearest neighbor search using hierarchical
navigable small world graphs. What the graph finds is compared again with the features themselves, so
similarities are exact. How far it is searched is chosen when it is made, so that it finds `RECALL` of the ten
nearest of features of the library.
"""

from __future__ import annotations

import logging
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from kineme.errors import KinemeError
from kineme.files import atomic_write
from kineme.metrics.neighbours import nearest
from kineme.progress import Progress, silent
from kineme.typing import Array

logger = logging.getLogger(__name__)

INSTALL = 'pip install "kineme[faiss]"'
LINKS = 32  # neighbours of a node; twice as many at the lowest level
BREADTH = 128  # candidates while the graph is made; with 64 clusters fall apart: recall stays below 0.95
RECALL = 0.98  # aimed at when it is made; of queries that are not in the library it finds a little less
ENOUGH = 0.95
EFFORTS = (64, 128, 256, 512, 1024)  # candidates while it is searched
SAMPLE = 128  # features of the library that the effort is measured with
SPARE = 4  # candidates compared exactly for each that is asked for
ROWS = 1 << 14  # added at a time


def installed() -> bool:
    """Whether faiss can be imported."""
    try:
        _faiss()
    except ImportError:
        return False
    return True


def _faiss() -> Any:
    return import_module("faiss")  # its types lack some of what it takes


def build(features: Array, path: Path, progress: Progress = silent) -> None:
    """Makes the graph of (N, D) unit vectors and writes it.

    Args:
        features: they may be a memory map.
        path: of the file.
        progress: called with the vectors done and in total.

    Raises:
        KinemeError: it cannot be written.
    """
    faiss = _faiss()
    count, dim = features.shape
    # Of unit vectors the nearest by distance are the nearest by cosine, and distances make the better graph.
    inner = faiss.IndexHNSWSQ(dim, faiss.ScalarQuantizer.QT_8bit, LINKS, faiss.METRIC_L2)
    inner.hnsw.efConstruction = BREADTH
    graph = faiss.IndexIDMap(inner)
    graph.train(np.ascontiguousarray(features[:: max(1, count // 50_000)]))
    order = np.random.default_rng(0).permutation(count)  # added in turn, recordings would fall apart
    for first in range(0, count, ROWS):
        rows = np.sort(order[first : first + ROWS])
        graph.add_with_ids(np.ascontiguousarray(features[rows]), rows)
        progress(min(first + ROWS, count), count)
    recall = _tune(graph, features)
    told = f"{path}: finds {100 * recall:.0f} % of the ten nearest, measured within the library"
    if recall < ENOUGH:
        logger.warning("%s; for exact results set `neighbours` to exact", told)
    else:
        logger.info("%s", told)
    with atomic_write(path) as aside:
        try:
            faiss.write_index(graph, str(aside))
        except RuntimeError as error:
            raise OSError(str(error).strip().splitlines()[-1]) from error


def _tune(graph: Any, features: Array) -> float:
    """Sets how far a graph is searched; gives the recall at 10. A feature does not find itself."""
    rows = np.unique(np.linspace(0, len(features) - 1, SAMPLE).astype(np.int64))
    queries, k = np.ascontiguousarray(features[rows]), min(11, len(features))
    exact, _ = nearest(features, queries, k=k)
    recall = 0.0
    for effort in EFFORTS:
        _hnsw(graph).efSearch = effort
        found = candidates(graph, features, queries, k)[0]
        pairs = zip(rows.tolist(), exact.tolist(), found.tolist(), strict=True)
        recall = float(np.mean([_shared(set(truth) - {row}, set(got)) for row, truth, got in pairs]))
        if recall >= RECALL:
            break
    return recall


def _hnsw(graph: Any) -> Any:
    return _faiss().downcast_index(graph.index).hnsw


def _shared(truth: set[int], found: set[int]) -> float:
    return len(truth & found) / len(truth) if truth else 1.0


def load(path: Path, count: int) -> Any | None:
    """The graph of a file; None if there is none of so many vectors, or it is damaged."""
    if not path.is_file():
        return None
    try:
        graph = _faiss().read_index(str(path))
    except RuntimeError:
        return None
    return graph if graph.ntotal == count else None


def candidates(graph: Any, features: Array, queries: Array, k: int) -> tuple[Array, Array]:
    """The k vectors that a graph finds nearest to each unit query, with exact similarities, best first.

    Returns:
        (Q, k) int64 rows and (Q, k) float32 similarities; -1 and -2 where the graph finds fewer.
    """
    wanted = min(SPARE * k, len(features))
    effort = _faiss().SearchParametersHNSW(efSearch=max(_hnsw(graph).efSearch, wanted))
    _, rows = graph.search(np.ascontiguousarray(queries, dtype=np.float32), wanted, params=effort)
    similarity = np.einsum("qkd,qd->qk", features[rows], queries)
    similarity[rows < 0] = -2
    best = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(rows, best, axis=1), np.take_along_axis(similarity, best, axis=1)


def missing() -> KinemeError:
    """The error where faiss was asked for."""
    return KinemeError(f"`neighbours`: approximate search needs faiss; {INSTALL}, or leave it exact")
