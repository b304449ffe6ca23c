"""What STTR and DSTE share: temporal and spatial tokens, each through a stack of attention layers.

A token is a frame (temporal stream) or a joint of a body (spatial stream). (USDRL: Weng et al., AAAI 2025,
arXiv 2412.09220.)
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from kineme.encoders.base import COORDINATES, ClipShape, DenseEncoder, Features, Kept
from kineme.errors import KinemeError, check_between


def temporal_tokens(clips: Tensor) -> Tensor:
    """(N, C, T, V, M) → (N, T, M·V·C): one token per frame, flattened in the order (M, V, C)."""
    return clips.permute(0, 2, 4, 3, 1).flatten(2)


def spatial_tokens(clips: Tensor) -> Tensor:
    """(N, C, T, V, M) → (N, M·V, T·C): one token per joint of a body, flattened in the order (T, C)."""
    return clips.permute(0, 4, 3, 2, 1).flatten(3).flatten(1, 2)


def sinusoidal_positions(length: int, dim: int) -> Tensor:
    """(length, dim): sin(p / 10000^(2i/dim)) at 2i, cosine at 2i + 1 (Vaswani et al., 2017)."""
    rate = torch.exp(torch.arange(0, dim, 2) * (-math.log(10000.0) / dim))
    angle = torch.arange(length)[:, None] * rate
    return torch.stack((angle.sin(), angle.cos()), dim=2).flatten(1)[:, :dim]


class SelfAttention(nn.Module):
    """Multi-head self-attention; queries, keys and values come from one projection.

    Written out because `scaled_dot_product_attention` does not pay for some 60 tokens of 1,024 channels per
    head: fused kernels do not take heads this wide, and its backward pass takes twice the time on a CPU.
    """

    def __init__(self, dim: int, heads: int):
        super().__init__()
        if heads < 1 or dim % heads:
            raise KinemeError(f"heads: {heads} does not divide the hidden size {dim}; choose a divisor of it")
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        nn.init.xavier_uniform_(self.qkv.weight)
        nn.init.zeros_(self.qkv.bias)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, L, D) → (N, L, D)."""
        query, key, value = (self._split(part) for part in self.qkv(x).chunk(3, dim=2))
        weights = (torch.bmm(query, key.mT) * query.shape[2] ** -0.5).softmax(2)
        mixed = (
            torch.bmm(weights, value).view(x.shape[0], self.heads, x.shape[1], -1).transpose(1, 2).flatten(2)
        )
        out: Tensor = self.out(mixed)
        return out

    def _split(self, part: Tensor) -> Tensor:
        """(N, L, D) → (N·heads, L, D / heads), a view where there is one head."""
        n, length, dim = part.shape
        return part.view(n, length, self.heads, dim // self.heads).transpose(1, 2).flatten(0, 1)


class TokenStream(nn.Module):
    """Tokens → embedding → layers: (N, L, width) → (N, L, hidden).

    Args:
        width: numbers per token.
        position: (L, hidden) positional encoding; learned if it is a parameter.
        layers: each (N, L, hidden) → (N, L, hidden).
        position_each_layer: add it before every layer, not only before the first.
    """

    def __init__(self, width: int, position: Tensor, layers: nn.ModuleList, position_each_layer: bool):
        super().__init__()
        hidden = position.shape[1]
        self.embedding = nn.Sequential(
            nn.Linear(width, hidden), nn.LayerNorm(hidden), nn.ReLU(inplace=True), nn.Linear(hidden, hidden)
        )
        if isinstance(position, nn.Parameter):
            self.position = position
        else:
            self.register_buffer("position", position, persistent=False)
        self.layers = layers
        self.position_each_layer = position_each_layer

    def forward(self, tokens: Tensor, kept: Tensor | None = None) -> Tensor:
        """(N, L, width) → (N, L, hidden); with `kept` (N, K), from those tokens only → (N, K, hidden)."""
        position: Tensor = self.position
        if kept is not None:
            tokens = tokens.gather(1, kept[..., None].expand(-1, -1, tokens.shape[2]))
            position = position[kept]
        x: Tensor = self.embedding(tokens)
        for depth, layer in enumerate(self.layers):
            x = layer(x + position if depth == 0 or self.position_each_layer else x)
        return x


class TokenEncoder(DenseEncoder):
    """A temporal and a spatial stream; the clip feature is their maxima over tokens, side by side.

    Args:
        shape: of the clips.
        hidden: width D of a token.
        depth: layers per stream.
        layer: makes a layer for this many tokens.
        position_each_layer: see `TokenStream`.

    Raises:
        KinemeError: a setting is not positive.
    """

    def __init__(
        self,
        shape: ClipShape,
        hidden: int,
        depth: int,
        layer: Callable[[int], nn.Module],
        position_each_layer: bool,
    ):
        super().__init__()
        for name, value in (("hidden", hidden), ("depth", depth)):
            check_between(name, value, 1)
        self.shape = shape
        self.hidden = hidden
        self.dim = 2 * hidden
        joints = shape.bodies * shape.layout.num_joints
        learned = nn.Parameter(nn.init.trunc_normal_(torch.empty(joints, hidden), std=0.02))
        self.temporal = TokenStream(
            joints * COORDINATES,
            sinusoidal_positions(shape.frames, hidden),
            nn.ModuleList(layer(shape.frames) for _ in range(depth)),
            position_each_layer,
        )
        self.spatial = TokenStream(
            shape.frames * COORDINATES,
            learned,
            nn.ModuleList(layer(joints) for _ in range(depth)),
            position_each_layer,
        )

    def forward(self, clips: Tensor, kept: Kept | None = None) -> Features:
        """(N, C, T, V, M) → clip (N, 2·hidden), temporal (N, T, hidden), spatial (N, M·V, hidden).

        With `kept`, only those tokens are computed, and the clip feature is their maximum.

        Raises:
            KinemeError: the clips are not of the encoder's shape, or it cannot leave out tokens.
        """
        self.check_input(clips)
        if kept is not None and not self.runs_on_kept_tokens:
            raise KinemeError(
                f"{type(self).__name__} mixes all tokens and cannot leave out any; choose another encoder"
            )
        kept = kept or Kept()
        temporal = self.temporal(temporal_tokens(clips), kept.temporal)
        spatial = self.spatial(spatial_tokens(clips), kept.spatial)
        clip = torch.cat((temporal.max(1).values, spatial.max(1).values), dim=1)
        return Features(clip, temporal, spatial)
