"""Retrieval: a test clip takes the label of its nearest training clips, by cosine similarity."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F

from kineme.errors import KinemeError
from kineme.typing import Array

QUERIES = 1 << 11  # test clips compared at a time
BLOCK = 1 << 12  # training clips read at a time; with so many queries, 32 MB of similarities


def nearest_label(
    train: Array, labels: Array, test: Array, *, k: int = 1, device: torch.device | str = "cpu"
) -> Array:
    """Class of each test clip: the majority among its k nearest training clips.

    Ties are broken by the summed similarity.

    Args:
        train: (N, D) features of the training clips.
        labels: (N,) their classes, 0 or more.
        test: (N', D) features of the test clips.
        k: neighbours that vote; 1 is the published protocol.
        device: where the similarities are computed.

    Returns:
        (N',) int64.

    Raises:
        KinemeError: k is below 1 or above the number of training clips.
    """
    rows, similarity = nearest(train, test, k=k, device=device)
    votes = torch.from_numpy(labels[rows])
    return _vote(votes, torch.from_numpy(similarity), int(labels.max()) + 1).numpy()


def nearest(
    train: Array, test: Array, *, k: int = 1, device: torch.device | str = "cpu"
) -> tuple[Array, Array]:
    """The k training clips nearest to each test clip, the nearest first, and of equally near ones the first.

    Args:
        train: (N, D) features of the training clips.
        test: (N', D) features of the test clips.
        k: how many.
        device: where the similarities are computed.

    Returns:
        (N', k) int64 rows of `train`, and (N', k) float32 their cosine similarity.

    Raises:
        KinemeError: k is below 1 or above the number of training clips, or features are not of these shapes.
    """
    train, test = np.asanyarray(train), np.asanyarray(test)
    if train.ndim != 2 or test.ndim != 2 or train.shape[1] != test.shape[1]:
        raise KinemeError(f"`train` {train.shape} and `test` {test.shape}: give features (N, D) and (N', D)")
    if not 1 <= k <= len(train):
        raise KinemeError(f"k = {k} neighbours of {len(train)} training clips; choose 1 to {len(train)}")
    found = [
        _nearest(train, test[first : first + QUERIES], k, device) for first in range(0, len(test), QUERIES)
    ]
    if not found:
        return np.empty((0, k), dtype=np.int64), np.empty((0, k), dtype=np.float32)
    rows, similarities = zip(*found, strict=True)
    return np.concatenate(rows), np.concatenate(similarities)


def _nearest(train: Array, test: Array, k: int, device: torch.device | str) -> tuple[Array, Array]:
    """`nearest` of a few test clips: of the best of each block, the best."""
    found = []
    for first, similarity in _blocks(train, test, device):
        best, rows = _best(similarity, min(k, similarity.shape[1]))
        found.append((best, rows + first))
    similarities, rows = (torch.cat(each, dim=1) for each in zip(*found, strict=True))
    best, places = _best(similarities, k)
    return rows.gather(1, places).cpu().numpy(), best.cpu().numpy()


def _best(similarity: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(N', N) → (N', k) the largest and their columns; of equal ones the first, whatever the device and k.

    `topk` promises nothing about equal ones. Only rows in which the next one is as large as the last are
    sorted as a whole, for that is many times slower.
    """
    best, columns = similarity.topk(min(k + 1, similarity.shape[1]), dim=1)
    tied = (best[:, k:] == best[:, k - 1 : k]).nonzero()[:, 0]
    columns, order = columns[:, :k].sort(dim=1)
    best, order = best[:, :k].gather(1, order).sort(dim=1, descending=True, stable=True)
    columns = columns.gather(1, order)
    if len(tied):
        every = similarity[tied].sort(dim=1, descending=True, stable=True)
        best[tied], columns[tied] = every.values[:, :k], every.indices[:, :k]
    return best, columns


def cosines(train: Array, test: Array, *, device: torch.device | str = "cpu") -> torch.Tensor:
    """(N', N) cosine similarities of test clips and training clips, on the device.

    Training clips are read in blocks, so they may be a memory map that is larger than memory.

    Args:
        train: (N, D) features.
        test: (N', D) features.
        device: where they are computed.
    """
    return torch.cat([similarity for _, similarity in _blocks(train, test, device)], dim=1)


def _blocks(train: Array, test: Array, device: torch.device | str) -> Iterator[tuple[int, torch.Tensor]]:
    """The first row of each block of training clips, and (N', BLOCK) similarities."""
    queries = _unit(test.astype(train.dtype, copy=False), device)
    for first in range(0, len(train), BLOCK):
        yield first, queries @ _unit(train[first : first + BLOCK], device).T


def _unit(features: Array, device: torch.device | str) -> torch.Tensor:
    """Rows of length 1, on the device."""
    with warnings.catch_warnings():  # a map is read-only, and nothing writes to it
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return F.normalize(torch.from_numpy(features).to(device), dim=1)


def _vote(labels: torch.Tensor, similarity: torch.Tensor, classes: int) -> torch.Tensor:
    """(N, k) labels and similarities of the neighbours → (N,) the winning class."""
    empty = similarity.new_zeros(len(labels), classes)
    votes = empty.scatter_add(1, labels, torch.ones_like(similarity))
    support = empty.scatter_add(1, labels, similarity)
    leading = votes == votes.amax(dim=1, keepdim=True)
    return support.masked_fill(~leading, -torch.inf).argmax(dim=1)


def leave_group_out(features: Array, labels: Array, groups: Array) -> float:
    """Share of clips, 0 to 1, whose nearest clip of another group has their label.

    Args:
        features: (N, D), N at least 2; cosine similarity.
        labels: (N,) classes.
        groups: (N,) such as subjects; where all are of one group, every other clip counts.
    """
    unit = F.normalize(torch.from_numpy(features), dim=1)
    same = groups[:, None] == groups[None, :]
    apart = same if not same.all() else np.eye(len(same), dtype=bool)
    nearest = (unit @ unit.T).masked_fill(torch.from_numpy(apart), -2.0).argmax(dim=1).numpy()
    return float((labels[nearest] == labels).mean())
