"""Draws that several transforms share."""

from __future__ import annotations

import torch
from torch import Tensor


def draw_coin(n: int, probability: float, generator: torch.Generator) -> Tensor:
    """(n,) bool, true with the given probability.

    >>> draw_coin(6, 0.5, torch.Generator().manual_seed(0)).tolist()
    [True, False, True, True, True, False]
    """
    return torch.rand(n, generator=generator, device=generator.device) < probability


def draw_uniform(shape: tuple[int, ...], low: float, high: float, generator: torch.Generator) -> Tensor:
    """Uniform in [low, high).

    >>> draw_uniform((3,), -1.0, 1.0, torch.Generator().manual_seed(0))
    tensor([-0.0075,  0.5364, -0.8230])
    """
    return torch.rand(shape, generator=generator, device=generator.device) * (high - low) + low


def draw_subset(n: int, chosen: int, size: int, generator: torch.Generator) -> Tensor:
    """(n, size) bool with exactly `chosen` true entries per row.

    >>> draw_subset(2, 2, 4, torch.Generator().manual_seed(0)).int().tolist()
    [[1, 1, 0, 0], [0, 1, 0, 1]]
    """
    order = torch.rand(n, size, generator=generator, device=generator.device)
    return mark(order.topk(chosen).indices, size)


def mark(indices: Tensor, size: int) -> Tensor:
    """(N, K) indices → (N, size) bool, true at the indices."""
    marks = torch.zeros(len(indices), size, dtype=torch.bool, device=indices.device)
    return marks.scatter_(1, indices, True)


def where(apply: Tensor, changed: Tensor, otherwise: Tensor | float) -> Tensor:
    """`changed` in the rows where `apply` (N,) is true; works on clips and on parameters of a transform.

    >>> where(torch.tensor([True, False]), torch.tensor([[1, 2], [3, 4]]), 0).tolist()
    [[1, 2], [0, 0]]
    """
    apply = apply.view(-1, *[1] * (changed.ndim - 1))
    return torch.where(apply, changed, otherwise)
