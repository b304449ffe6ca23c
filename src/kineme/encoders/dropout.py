"""Dropout that draws one random byte an element, an eighth of what torch draws on a CPU."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kineme.errors import KinemeError


class Dropout(nn.Module):
    """Zeroes a share `p` of the activations while training and scales the rest by 1 / (1 - p).

    On a CPU the draw dominates a small network's training step, so there a byte decides: `p` is taken to the
    nearest 1/256, which is exact for the usual 0.5. Elsewhere torch's own dropout is used.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Any shape; the identity in evaluation mode."""
        if not self.training or self.p == 0:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.p)
        threshold = round(self.p * 256)
        words = torch.empty(-(-x.numel() // 8), dtype=torch.int64).random_(-(2**63), None)
        kept = (words.view(torch.uint8)[: x.numel()] >= threshold).view(torch.uint8)
        # The mask takes x's own memory order, so that the product walks both without strides.
        mask = kept.as_strided(x.shape, x.stride()) if _is_dense(x) else kept.view(x.shape)
        result: Tensor = _Masked.apply(x, mask, 256 / (256 - threshold))  # type: ignore[no-untyped-call]
        return result

    def extra_repr(self) -> str:
        """For the module's printed form."""
        return f"p={self.p}"


def check_dropout(p: float) -> None:
    """Refuses a share that is none, or that would drop everything."""
    if not 0 <= p < 1:
        raise KinemeError(f"dropout: is {p}; it must be at least 0 and less than 1")


class _Masked(torch.autograd.Function):
    """x · mask · scale, mask one byte of 0 or 1 an element, with one allocation each way."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, mask: Tensor, scale: float) -> Tensor:
        ctx.save_for_backward(mask)
        ctx.scale = scale
        return _masked(x, mask, scale)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (mask,) = ctx.saved_tensors
        return _masked(gradient, mask, ctx.scale), None, None


def _masked(x: Tensor, mask: Tensor, scale: float) -> Tensor:
    # A product of two types is slow, and so is the conversion of booleans; that of bytes is vectorised. The
    # result has the mask's memory order, which is x's where x is dense.
    return mask.to(x.dtype).mul_(x).mul_(scale)


def _is_dense(x: Tensor) -> bool:
    """Whether the strides of x are those of some permutation of a contiguous tensor."""
    step = 1
    for stride, size in sorted(zip(x.stride(), x.shape, strict=True)):
        if size != 1 and stride != step:
            return False
        step *= size
    return True
