"""Draws that several transforms share: coins, uniform numbers, subsets."""

from __future__ import annotations

import torch
from torch import Tensor


def draw_coin(n: int, probability: float, generator: torch.Generator) -> Tensor:
    """(n,) bool, true with the given probability."""
    return torch.rand(n, generator=generator, device=generator.device) < probability


def draw_uniform(shape: tuple[int, ...], low: float, high: float, generator: torch.Generator) -> Tensor:
    """Uniform numbers between low and high."""
    return torch.rand(shape, generator=generator, device=generator.device) * (high - low) + low


def draw_subset(n: int, chosen: int, size: int, generator: torch.Generator) -> Tensor:
    """(n, size) bool, in each row `chosen` distinct places of `size` are true."""
    order = torch.rand(n, size, generator=generator, device=generator.device)
    return mark(order.topk(chosen).indices, size)


def mark(indices: Tensor, size: int) -> Tensor:
    """(N, K) indices → (N, size) bool, true where an index points."""
    marks = torch.zeros(len(indices), size, dtype=torch.bool, device=indices.device)
    return marks.scatter_(1, indices, True)


def where(apply: Tensor, changed: Tensor, otherwise: Tensor | float) -> Tensor:
    """Row by row, `changed` where `apply` (N,) is true; for clips as for the parameters of a transform."""
    apply = apply.view(-1, *[1] * (changed.ndim - 1))
    return torch.where(apply, changed, otherwise)
