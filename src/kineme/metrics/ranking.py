"""Retrieval as a ranking: where, among all training clips, those of a test clip's class are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kineme.typing import Array

CHUNK = 1 << 24  # similarities held at a time; sorting them takes several copies


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
    index = F.normalize(torch.from_numpy(train).to(device), dim=1)
    queries = F.normalize(torch.from_numpy(test).to(device), dim=1)
    found = np.isin(test_labels, labels)
    first = np.zeros(len(test), dtype=np.int64)
    precision = np.zeros(len(test))
    # Queries of one class share the clips they look for, so these are columns and need no mask.
    for label in np.unique(test_labels[found]).tolist():
        own = torch.from_numpy(labels == label).to(device)
        sought, others = index[own].T, index[~own].T
        asking = np.flatnonzero(test_labels == label)
        for rows in np.array_split(asking, -(-len(asking) * len(train) // CHUNK)):
            chunk = queries[torch.from_numpy(rows).to(device)]
            ranks = _ranks(chunk @ sought, chunk @ others)
            order = torch.arange(1, ranks.shape[1] + 1, device=ranks.device)
            first[rows] = ranks[:, 0].cpu().numpy()
            precision[rows] = (order / ranks).mean(dim=1).cpu().numpy()
    return Ranks(np.flatnonzero(found), first[found], precision[found])


def _ranks(sought: Tensor, others: Tensor) -> Tensor:
    """(Q, n) and (Q, N - n) similarities → (Q, n) ranks of the former among all, ascending from 1."""
    sought, others = _sorted(sought).flip(1), _sorted(others)
    before = others.shape[1] - torch.searchsorted(others, sought)  # others that are at least as similar
    return before + torch.arange(1, sought.shape[1] + 1, device=sought.device)


def _sorted(rows: Tensor) -> Tensor:
    """Each row in ascending order; on a CPU by NumPy, which takes a tenth of PyTorch's time for it."""
    return torch.from_numpy(np.sort(rows.numpy(), axis=1)) if rows.is_cpu else rows.sort(dim=1).values
