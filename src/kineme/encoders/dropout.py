"""Dropout that draws one random byte per element, an eighth of what PyTorch draws on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kineme.errors import KinemeError


class Dropout(nn.Dropout):
    """`nn.Dropout`, with a faster draw on a CPU: `p` is rounded to the nearest 1/256.

    There the draw dominates a small network: with `nn.Dropout`, a training step of AimCLR with ST-GCN at its
    published width takes 13 to 17 % longer in float32 and 25 % in bfloat16 (SCD-Net's is the same).
    """

    def forward(self, x: Tensor) -> Tensor:
        """Any shape; the identity in evaluation mode."""
        if not self.training or self.p == 0 or x.device.type != "cpu":
            return super().forward(x)
        threshold = min(round(self.p * 256), 255)
        words = torch.empty(-(-x.numel() // 8), dtype=torch.int64).random_(-(2**63), None)
        # As bytes, since converting booleans is slow; in x's memory order, to be multiplied without strides.
        kept = (words.view(torch.uint8)[: x.numel()] >= threshold).view(torch.uint8)
        kept = kept.as_strided(x.shape, torch.empty_like(x, device="meta").stride())
        return x * kept.to(x.dtype).mul_(256 / (256 - threshold))


def check_dropout(p: float, name: str = "dropout") -> None:
    """Raises KinemeError unless 0 ≤ p < 1."""
    if not 0 <= p < 1:
        raise KinemeError(f"{name}: is {p}; it must be at least 0 and less than 1")
