"""Rotary positions: attention that depends on how far apart two tokens are (Su et al., arXiv 2104.09864)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

LONGEST = 10000.0  # of the wavelengths, in units of 2π steps


class Turn(NamedTuple):
    """Cosines and sines (L, D) of the angles by which the channels of L tokens are turned."""

    cosine: Tensor
    sine: Tensor


def turn_by(step: Tensor, dim: int) -> Turn:
    """The turn of tokens at these steps (L,): by step · 10000^(-2i/D) for the pair of channels i and i + D/2.

    >>> turn = turn_by(torch.tensor([0.0, 1.0]), dim=4)
    >>> turn.cosine, turn.sine  # of the angles 0 and 1, and 0 and 0.01
    (tensor([[1.0000, 1.0000, 1.0000, 1.0000],
            [0.5403, 0.9999, 0.5403, 0.9999]]), tensor([[0.0000, 0.0000, 0.0000, 0.0000],
            [0.8415, 0.0100, 0.8415, 0.0100]]))
    """
    pair = torch.arange(dim // 2, device=step.device, dtype=torch.float32)
    angle = step.float()[:, None] * LONGEST ** (-2 * pair / dim)
    angle = torch.cat((angle, angle), dim=1)
    return Turn(angle.cos(), angle.sin())


def turned(x: Tensor, turn: Turn) -> Tensor:
    """(..., L, D) with each pair of channels (i, i + D/2) turned as a point of the plane.

    >>> quarter = Turn(torch.zeros(1, 2), torch.ones(1, 2))
    >>> turned(torch.tensor([[3.0, 4.0]]), quarter)
    tensor([[-4.,  3.]])
    """
    one, other = x.chunk(2, dim=-1)
    across = torch.cat((-other, one), dim=-1)
    return x * turn.cosine.to(x.dtype) + across * turn.sine.to(x.dtype)
