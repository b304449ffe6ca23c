"""Pre-norm transformer blocks, as in a vision transformer (Dosovitskiy et al., ICLR 2021)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kineme.encoders.attention import attention
from kineme.encoders.layer import Layer
from kineme.encoders.rotary import Turn, turned
from kineme.errors import KinemeError


class FusedAttention(nn.Module):
    """Multi-head self-attention in one fused kernel, which pays for many tokens of narrow heads."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        if heads < 1 or dim % heads:
            raise KinemeError(f"heads: {heads} does not divide the hidden size {dim}; choose a divisor of it")
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x: Tensor, turn: Turn | None = None, present: Tensor | None = None) -> Tensor:
        """(N, L, D) → (N, L, D); queries and keys are turned by their places in time, if there are any.

        Tokens that are not present (N, L) are not attended to.
        """
        query, key, value = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        if turn is not None:
            query, key = turned(query, turn), turned(key, turn)
        shown = None if present is None else present[:, None, None]
        mixed = attention(query, key, value, shown)
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out


class PreNormBlock(Layer):
    """x + attention(norm(x)), then x + MLP(norm(x)) with GELU; residuals stay in float32.

    Attributes:
        drop_path: probability that a branch is left out for a row in training (stochastic depth).
    """

    def __init__(self, dim: int, heads: int, expansion: int = 4) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attention = FusedAttention(dim, heads)
        self.norm2 = nn.LayerNorm(dim)
        self.linear1 = nn.Linear(dim, expansion * dim)
        self.linear2 = nn.Linear(expansion * dim, dim)
        self.drop_path = 0.0

    def forward(self, x: Tensor, present: Tensor | None = None) -> Tensor:
        """(N, L, D) → (N, L, D), from the tokens that are present (N, L)."""
        x = x + self._dropped(self.attention(self.norm1(x), present=present))
        return x + self._dropped(self.linear2(F.gelu(self.linear1(self.norm2(x)))))

    def _dropped(self, branch: Tensor) -> Tensor:
        """Without the branch in some rows, and scaled in the others so that the mean stays."""
        if not self.training or self.drop_path == 0:
            return branch
        kept = torch.rand(len(branch), 1, 1, device=branch.device) >= self.drop_path
        return branch * (kept / (1 - self.drop_path)).to(branch.dtype)


def make_blocks(depth: int, dim: int, heads: int) -> nn.ModuleList:
    """A stack of blocks, Xavier-uniform with zero biases."""
    blocks = nn.ModuleList(PreNormBlock(dim, heads) for _ in range(depth))
    for module in blocks.modules():
        if isinstance(module, nn.Linear):
            init_linear(module)
    return blocks


def init_linear(linear: nn.Linear) -> nn.Linear:
    """Xavier-uniform weights, zero biases."""
    nn.init.xavier_uniform_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear


def embedding(*shape: int) -> nn.Parameter:
    """Learned positions or tokens: a truncated normal of standard deviation 0.02."""
    return nn.Parameter(nn.init.trunc_normal_(torch.empty(shape), std=0.02))


def drop_paths(blocks: Sequence[nn.Module], greatest: float) -> None:
    """Sets `drop_path` of blocks: from 0 in the first, in equal steps, to `greatest` in the last."""
    for depth, block in enumerate(blocks):
        assert isinstance(block, PreNormBlock)
        block.drop_path = greatest * depth / max(len(blocks) - 1, 1)
