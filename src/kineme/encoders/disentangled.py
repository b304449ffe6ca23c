"""SCD-Net's dual-path decoupling encoder (Wu et al., AAAI 2024, arXiv 2309.05834)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kineme.encoders.base import ClipShape, DenseEncoder, Features
from kineme.encoders.ctrgcn import CTRGCN
from kineme.encoders.dropout import Dropout, check_dropout
from kineme.encoders.sttr import PostNormLayer
from kineme.encoders.tokens import SelfAttention
from kineme.errors import KinemeError, check_between


class Disentangled(DenseEncoder):
    """Two CTR-GCNs on the same clip, one read out frame by frame, the other joint by joint.

    Each feeds its tokens to a transformer layer without positional encoding; the maximum over tokens is a
    clue, and the clip feature is the concatenation of the two clues.

    Args:
        shape: of the clips.
        hidden: Width D of a token; the clip feature has 2·D.
        heads: Attention heads; a divisor of `hidden`.
        stem: Channels of the CTR-GCN units, multiples of 8.
        dropout: Share dropped in the transformer layers.
        input_norm: Batch-normalise every joint coordinate separately. This amplifies joints that hardly move,
            noise included; without it, fewer clips suffice.

    Raises:
        KinemeError: `heads` does not divide `hidden`, or a setting is out of range.

    >>> import kineme
    >>> encoder = Disentangled(ClipShape(kineme.get_layout("coco17"), 16, 1), hidden=8, stem=[8])
    >>> features = encoder(torch.randn(4, 3, 16, 17, 1))
    >>> torch.equal(features.clip[:, :8], features.temporal.amax(1))
    True
    """

    def __init__(
        self,
        shape: ClipShape,
        *,
        hidden: int = 2048,
        heads: int = 8,
        stem: Sequence[int] = (64, 256, 64),
        dropout: float = 0.1,
        input_norm: bool = True,
    ) -> None:
        super().__init__()
        check_between("hidden", hidden, 1)
        if not stem:
            raise KinemeError("stem: is empty; it needs at least one width")
        check_dropout(dropout)
        self.shape = shape
        self.hidden = hidden
        self.dim = 2 * hidden
        joints = shape.bodies * shape.layout.num_joints
        self.temporal_stem = CTRGCN(shape, stem, input_norm=input_norm)
        self.spatial_stem = CTRGCN(shape, stem, input_norm=input_norm)
        self.temporal = Clue(joints * stem[-1], hidden, heads, dropout)
        self.spatial = Clue(shape.frames * stem[-1], hidden, heads, dropout)

    def forward(self, clips: Tensor) -> Features:
        """(N, C, T, V, M) → clip (N, 2·hidden), temporal (N, T, hidden), spatial (N, M·V, hidden).

        Raises:
            KinemeError: the clips are not of the encoder's shape.
        """
        self.check_input(clips)
        # A frame is flattened in the order (M, V, C), a joint of a body in the order (T, C).
        temporal = self.temporal(self.temporal_stem(clips).permute(0, 3, 1, 2, 4).flatten(2))
        spatial = self.spatial(self.spatial_stem(clips).flatten(3).flatten(1, 2))
        return Features(torch.cat((temporal.amax(1), spatial.amax(1)), dim=1), temporal, spatial)


class Clue(nn.Module):
    """Tokens → embedding → transformer layer; residuals stay in float32 under mixed precision."""

    def __init__(self, width: int, hidden: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Sequential(
            nn.Linear(width, hidden), nn.LayerNorm(hidden), nn.ReLU(inplace=True), nn.Linear(hidden, hidden)
        )
        self.layer = DropoutLayer(hidden, heads, dropout)
        for parameter in self.parameters():
            if parameter.ndim == 2:
                nn.init.xavier_uniform_(parameter)

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, L, width) → (N, L, hidden)."""
        out: Tensor = self.layer(self.embedding(tokens).float())
        return out


class DropoutLayer(PostNormLayer):
    """STTR's layer with dropout on attention weights, the MLP's hidden layer and both branches."""

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__(dim, heads)
        self.attention = DropoutAttention(dim, heads, dropout)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, present: Tensor | None = None) -> Tensor:
        """(N, L, D) → (N, L, D), from the tokens that are present (N, L)."""
        x = self.norm1(x + self.dropout(self.attention(x, present)))
        hidden = self.dropout(F.relu(self.linear1(x), inplace=True))
        out: Tensor = self.norm2(x + self.dropout(self.linear2(hidden)))
        return out


class DropoutAttention(SelfAttention):
    """Self-attention with dropout on its weights."""

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__(dim, heads)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, present: Tensor | None = None) -> Tensor:
        """(N, L, D) → (N, L, D); tokens that are not present (N, L) are not attended to."""
        if not self.training or self.dropout.p == 0:
            return super().forward(x, present)
        query, key, value = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        weights = (query @ key.mT).float() / math.sqrt(query.shape[-1])
        if present is not None:
            weights = weights.masked_fill(~present[:, None, None], -torch.inf)
        weights = F.softmax(weights, dim=-1)
        mixed = self.dropout(weights).to(value.dtype) @ value
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out
