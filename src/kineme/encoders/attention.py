"""Attention in bfloat16 on a CPU, where PyTorch's fused kernel is slower than separate products."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

SCORES = 600_000  # that are computed at once: in bfloat16 they stay in a core's cache
SHORT = 128  # tokens: below, softmax takes up to five times as long in bfloat16 as in float32


def attention(query: Tensor, key: Tensor, value: Tensor, shown: Tensor | None = None) -> Tensor:
    """softmax(query · keyᵀ / √D) · value, without keeping the scores: (N, H, L, D) each.

    Args:
        query: (N, H, L, D).
        key: the same.
        value: the same.
        shown: (N, 1, 1, L) bool, which tokens are attended to; None: all.
    """
    in_parts = query.device.type == "cpu" and query.dtype == torch.bfloat16 and shown is None
    if not in_parts or torch.compiler.is_compiling():
        return F.scaled_dot_product_attention(query, key, value, shown)
    inputs = (each.flatten(0, 1) for each in (query, key, value))
    mixed: Tensor = _InParts.apply(*inputs)  # type: ignore[no-untyped-call]
    return mixed.view(query.shape)


class _InParts(torch.autograd.Function):
    """Some heads at a time; the backward pass computes their scores again."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """(B, L, D) each → (B, L, D)."""
        ctx.save_for_backward(query, key, value)
        out = torch.empty_like(value)
        with torch.autocast("cpu", enabled=False):
            for q, k, v, mixed in _parts(query, key, value, out):
                torch.bmm(_weights(q, k), v, out=mixed)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        """Of the weights P: dV = Pᵀ dO, dS = P ∘ (dO Vᵀ - Σ P ∘ dO Vᵀ); of dS and √D: dQ and dK."""
        query, key, value = ctx.saved_tensors
        scale = query.shape[-1] ** -0.5
        found = tuple(torch.empty_like(each) for each in (query, key, value))
        for q, k, v, g, dq, dk, dv in _parts(query, key, value, gradients[0], *found):
            weights = _weights(q, k)
            torch.bmm(weights.mT, g, out=dv)
            dweights = torch.bmm(g, v.mT)
            dscores = torch._softmax_backward_data(dweights, weights, -1, weights.dtype)
            torch.bmm(dscores, k * scale, out=dq)
            torch.bmm(dscores.mT, q * scale, out=dk)
        return found


def _weights(query: Tensor, key: Tensor) -> Tensor:
    scores = torch.bmm(query / math.sqrt(query.shape[-1]), key.mT)
    wide = scores.float() if scores.shape[-1] < SHORT else scores
    return torch.softmax(wide, dim=-1).to(scores.dtype)


def _parts(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    size = max(1, SCORES // tensors[0].shape[1] ** 2)
    return zip(*(torch.split(each, size) for each in tensors), strict=True)
