"""A head of learned prototypes, as in DINO (Caron et al., ICCV 2021); see `kineme.losses.prototypes`."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PrototypeHead(nn.Module):
    """A three-layer MLP with unit-length output, then similarities to unit prototypes, times their gains."""

    def __init__(self, dim: int, hidden: int, out: int, prototypes: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, out)
        )
        for module in self.mlp:
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
        self.direction = nn.Parameter(nn.init.trunc_normal_(torch.empty(prototypes, out), std=0.02))
        self.gain = nn.Parameter(torch.ones(prototypes, 1))

    def forward(self, x: Tensor, learning: bool = True) -> Tensor:
        """(N, D) → similarities (N, prototypes)."""
        return F.linear(self.features(x), self.prototypes(learning))

    def features(self, x: Tensor) -> Tensor:
        """(N, D) → (N, out) of unit length."""
        return F.normalize(self.mlp(x).float(), dim=-1)

    def prototypes(self, learning: bool = True) -> Tensor:
        """(prototypes, out); if not learning, no gradient moves them."""
        length = torch.linalg.vector_norm(self.direction, dim=-1, keepdim=True).clamp_min(1e-12)
        prototypes: Tensor = self.direction * (self.gain / length)  # one product of their size
        if not learning:  # a gradient of zero, because processes that train together wait for every one
            prototypes = prototypes.detach() + 0 * prototypes
        return prototypes
