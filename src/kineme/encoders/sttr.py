"""STTR: spatial and temporal transformer, the plain encoder of USDRL (Weng et al., AAAI 2025)."""

from __future__ import annotations

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from kineme.encoders.base import ClipShape
from kineme.encoders.layer import Layer
from kineme.encoders.tokens import SelfAttention, TokenEncoder


class STTR(TokenEncoder):
    """Post-norm transformer layers over frames and over joints.

    Args:
        shape: of the clips.
        hidden: Width D of a token; the clip feature has 2·D.
        heads: Attention heads; a divisor of `hidden`.
        depth: Layers per stream.

    Raises:
        KinemeError: `heads` does not divide `hidden`, or a setting is not positive.

    >>> import kineme, torch
    >>> encoder = STTR(ClipShape(kineme.get_layout("ntu25"), 64, 2), hidden=8)
    >>> features = encoder(torch.randn(4, 3, 64, 25, 2))
    >>> features.clip.shape, features.temporal.shape, features.spatial.shape
    (torch.Size([4, 16]), torch.Size([4, 64, 8]), torch.Size([4, 50, 8]))
    """

    runs_on_kept_tokens: ClassVar[bool] = True

    def __init__(self, shape: ClipShape, *, hidden: int = 1024, heads: int = 1, depth: int = 2):
        super().__init__(
            shape, hidden, depth, lambda _: PostNormLayer(hidden, heads), position_each_layer=False
        )


class PostNormLayer(Layer):
    """Attention, then a ReLU MLP of the same width, each normalised after its residual."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.attention = SelfAttention(dim, heads)
        self.norm1 = nn.LayerNorm(dim)
        self.linear1 = nn.Linear(dim, dim)
        self.linear2 = nn.Linear(dim, dim)
        self.norm2 = nn.LayerNorm(dim)

    def forward(self, x: Tensor, present: Tensor | None = None) -> Tensor:
        """(N, L, D) → (N, L, D), from the tokens that are present (N, L)."""
        x = self.norm1(x + self.attention(x, present))
        out: Tensor = self.norm2(x + self.linear2(F.relu(self.linear1(x), inplace=True)))
        return out
