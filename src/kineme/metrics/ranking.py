"""Retrieval as a ranking: where, among all training clips, those of a test clip's class are."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kineme.typing import Array

CHUNK = 1 << 26  # similarities held at a time: 256 MB
CELLS = 1 << 17  # into which a query's similarities are counted


@dataclass(frozen=True)
class Ranks:
    """Where the training clips of a query's class are in its ranking, the most similar first.

    Ties are broken against the query's class, so that features which separate nothing score low whatever the
    order of the clips.

    Attributes:
        queries: (Q,) test clips whose class some training clip has; the others have nothing to find.
        first: (Q,) rank, from 1, of the first training clip of their class.
        average_precision: (Q,) mean, over the training clips of their class, of the share of that class among
            the clips down to each of them; 0 to 1.
    """

    queries: Array
    first: Array
    average_precision: Array


def rank(
    train: Array, labels: Array, test: Array, test_labels: Array, *, device: torch.device | str = "cpu"
) -> Ranks:
    """Ranks all training clips for each test clip, by cosine similarity.

    Args:
        train: (N, D) features of the training clips, which are the index.
        labels: (N,) their classes.
        test: (N', D) features of the test clips, which are the queries.
        test_labels: (N',) their classes.
        device: where it is computed.
    """
    order = np.argsort(labels, kind="stable")  # clips of one class are neighbours, and need no mask
    classes, starts, counts = np.unique(labels[order], return_index=True, return_counts=True)
    index = F.normalize(torch.from_numpy(train[order]).to(device), dim=1)
    found = np.isin(test_labels, classes)
    first = np.zeros(len(test), dtype=np.int64)
    precision = np.zeros(len(test))
    size = min(max(1, CHUNK // len(train)), len(test))
    held = index.new_empty(size * len(train))
    for label, start, count in zip(classes.tolist(), starts.tolist(), counts.tolist(), strict=True):
        asking = np.flatnonzero(test_labels == label)
        for rows in (asking[i : i + size] for i in range(0, len(asking), size)):
            queries = F.normalize(torch.from_numpy(test[rows]).to(device), dim=1)
            similarity = held[: len(rows) * len(train)].view(len(rows), len(train))
            torch.mm(queries, index.T, out=similarity)
            ranks = _ranks(similarity, slice(start, start + count))
            first[rows] = ranks[:, 0].cpu().numpy()
            place = torch.arange(1, count + 1, device=ranks.device)
            precision[rows] = (place / ranks).mean(dim=1).cpu().numpy()
    return Ranks(np.flatnonzero(found), first[found], precision[found])


def _ranks(similarity: Tensor, own: slice) -> Tensor:
    """(Q, N) similarities → (Q, n) ranks, from 1, of these n columns among all, ascending."""
    if similarity.is_cpu:
        with ThreadPoolExecutor(torch.get_num_threads()) as threads:
            rows = threads.map(lambda row: _row_ranks(row, own), similarity.numpy())
            return torch.from_numpy(np.stack(list(rows)))
    return _sorted_ranks(similarity, own)


def _sorted_ranks(similarity: Tensor, own: slice) -> Tensor:
    """`_ranks` by sorting, which an accelerator is fast at."""
    sought = similarity[:, own].sort(dim=1, descending=True).values
    others = torch.cat([similarity[:, : own.start], similarity[:, own.stop :]], dim=1).sort(dim=1).values
    before = others.shape[1] - torch.searchsorted(others, sought)
    return before + torch.arange(1, sought.shape[1] + 1, device=sought.device)


def _row_ranks(similarity: Array, own: slice) -> Array:
    """`_ranks` of (N,) similarities."""
    sought = np.sort(similarity[own])[::-1]
    others = np.concatenate([similarity[: own.start], similarity[own.stop :]])
    return _at_least(others, sought) + np.arange(1, len(sought) + 1)


def _at_least(others: Array, sought: Array) -> Array:
    """How many of (N,) similarities are at least as great as each of (n,), which descend: (n,) int64.

    Both are put into cells of equal width. Those in greater cells are counted, and only those that share a
    cell with one that is sought are sorted, which takes a quarter of the time of sorting all.
    """
    if not len(others):
        return np.zeros(len(sought), dtype=np.int64)
    low, high = min(others.min(), sought[-1]), max(others.max(), sought[0])
    scale = (CELLS - 1) / max(high - low, np.float32(1e-30))
    cells, own = (((each - low) * scale).astype(np.int64) for each in (others, sought))
    shared = np.zeros(CELLS, dtype=bool)
    shared[own] = True
    near = np.sort(others[shared[cells]])
    count = np.bincount(cells, minlength=CELLS)
    count[shared] = 0
    greater = count[::-1].cumsum()[::-1]
    found: Array = len(near) - np.searchsorted(near, sought) + greater[own]
    return found
