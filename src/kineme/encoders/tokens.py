"""What STTR and DSTE share: temporal and spatial tokens, each through a stack of attention layers.

A token is a frame (temporal stream) or a joint of a body (spatial stream). (USDRL: Weng et al., AAAI 2025,
arXiv 2412.09220.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from kineme.encoders.absent import completed, in_some_clip, joints_of, mean_for_absent, some, spread
from kineme.encoders.base import COORDINATES, ClipShape, DenseEncoder, Features, Kept
from kineme.errors import KinemeError, check_between
from kineme.streams import single_streams, to_stream


def temporal_tokens(clips: Tensor) -> Tensor:
    """(N, C, T, V, M) → (N, T, M·V·C): one token per frame, flattened in the order (M, V, C)."""
    return clips.permute(0, 2, 4, 3, 1).flatten(2)


def spatial_tokens(clips: Tensor) -> Tensor:
    """(N, C, T, V, M) → (N, M·V, T·C): one token per joint of a body, flattened in the order (T, C)."""
    return clips.permute(0, 4, 3, 2, 1).flatten(3).flatten(1, 2)


def sinusoidal_positions(length: int, dim: int) -> Tensor:
    """(length, dim): sin(p / 10000^(2i/dim)) at 2i, cosine at 2i + 1 (Vaswani et al., 2017)."""
    table = torch.empty(length, dim)
    if table.is_meta:  # see `_check_size` and `check_memory` of checkpoints.py
        return table
    rate = torch.exp(torch.arange(0, dim, 2) * (-math.log(10000.0) / dim))
    angle = torch.arange(length)[:, None] * rate
    return torch.stack((angle.sin(), angle.cos()), dim=2).flatten(1)[:, :dim]


class SelfAttention(nn.Module):
    """Multi-head self-attention; queries, keys and values come from one projection.

    Written out because `scaled_dot_product_attention` does not pay off for about 60 tokens of 1,024 channels
    per head: fused kernels do not support heads this wide, and its backward pass takes twice the time on a
    CPU.
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

    def forward(self, x: Tensor, present: Tensor | None = None) -> Tensor:
        """(N, L, D) → (N, L, D); tokens that are not present (N, L) are not attended to."""
        query, key, value = (self._split(part) for part in self.qkv(x).chunk(3, dim=2))
        weights = torch.bmm(query, key.mT) * query.shape[2] ** -0.5
        if present is not None:
            absent = ~present.repeat_interleave(self.heads, dim=0)[:, None]
            weights = weights.masked_fill(absent, -torch.inf)
        weights = weights.softmax(2)
        mixed = (
            torch.bmm(weights, value).view(x.shape[0], self.heads, x.shape[1], -1).transpose(1, 2).flatten(2)
        )
        out: Tensor = self.out(mixed)
        return out

    def _split(self, part: Tensor) -> Tensor:
        """(N, L, D) → (N·heads, L, D / heads), a view where there is one head."""
        n, length, dim = part.shape
        return part.view(n, length, self.heads, dim // self.heads).transpose(1, 2).flatten(0, 1)


def token_embedding(width: int, hidden: int) -> nn.Sequential:
    """(..., width) → (..., hidden): Linear, LayerNorm, ReLU, Linear."""
    return nn.Sequential(
        nn.Linear(width, hidden), nn.LayerNorm(hidden), nn.ReLU(inplace=True), nn.Linear(hidden, hidden)
    )


class FusedEmbedding(nn.Module):
    """Tokens of several streams in one: the mean of their own embeddings, through a linear layer.

    For one stream alone it is that stream's embedding, without the layer, as in UmURL (Sun et al., ACM MM
    2023, arXiv 2311.03106).
    """

    def __init__(self, streams: Sequence[str], width: int, hidden: int):
        super().__init__()
        self.of = nn.ModuleDict({stream: token_embedding(width, hidden) for stream in streams})
        self.fuse = nn.Linear(hidden, hidden, bias=False)

    def forward(self, tokens: Tensor, streams: Sequence[str]) -> Tensor:
        """(N, L, S, width) tokens of these S streams → (N, L, hidden)."""
        embedded = [self.of[stream](tokens[:, :, number]) for number, stream in enumerate(streams)]
        out: Tensor = embedded[0] if len(embedded) == 1 else self.fuse(torch.stack(embedded).mean(0))
        return out


class TokenStream(nn.Module):
    """Tokens → embedding → layers: (N, L, width) → (N, L, hidden).

    Args:
        position: (L, hidden) positional encoding; learned if it is a parameter.
        layers: each (N, L, hidden) → (N, L, hidden), with the tokens (N, L) that are present where some are
            not.
        embedding: (N, L, width) → (N, L, hidden), or of several streams.
        position_each_layer: add it before every layer, not only before the first.
    """

    def __init__(
        self,
        position: Tensor,
        layers: nn.ModuleList,
        embedding: nn.Sequential | FusedEmbedding,
        position_each_layer: bool,
    ):
        super().__init__()
        self.embedding = embedding
        if isinstance(position, nn.Parameter):
            self.position = position
        else:
            self.register_buffer("position", position, persistent=False)
        self.layers = layers
        self.position_each_layer = position_each_layer

    def forward(
        self,
        tokens: Tensor,
        kept: Tensor | None = None,
        streams: Sequence[str] | None = None,
        present: Tensor | None = None,
    ) -> Tensor:
        """(N, L, width) → (N, L, hidden); with `kept` (N, K), from those tokens only → (N, K, hidden).

        With a fused embedding, tokens are (N, L, S, width), of S `streams`. Tokens that are not `present`
        (N, L) take no part, and come out as the mean of those that are.
        """
        position: Tensor = self.position
        if kept is not None:
            places = kept.view(*kept.shape, *(1,) * (tokens.ndim - 2))
            tokens = tokens.gather(1, places.expand(-1, -1, *tokens.shape[2:]))
            position = position[kept]
            present = None if present is None else present.gather(1, kept)
        present = None if present is None else some(present)
        x: Tensor = self.embedding(tokens) if streams is None else self.embedding(tokens, streams)
        for depth, layer in enumerate(self.layers):
            x = x + position if depth == 0 or self.position_each_layer else x
            x = layer(x) if present is None else layer(x, present)
        return x if present is None else mean_for_absent(x, present)


class TokenEncoder(DenseEncoder):
    """A temporal and a spatial stream; the clip feature is their maxima over tokens, concatenated.

    An absent joint has no spatial token. In temporal tokens, where a frame is one vector of all its joints,
    it is put where its neighbours are (`augment.filled`, unless `places_missing` says that it does
    already); a bone with an absent end is zero there.

    Built for clips of several input streams, such as `joint+bone+motion`, it has an embedding for each and
    one network behind them, and encodes them together or each alone.

    Args:
        shape: of the clips.
        hidden: width D of a token.
        depth: layers per stream.
        layer: makes a layer for this many tokens.
        position_each_layer: see `TokenStream`.

    Raises:
        KinemeError: a setting is not positive.
    """

    several_streams: ClassVar[bool] = True
    takes_missing: ClassVar[bool] = True

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
        built_for = single_streams(shape.stream)
        joints = shape.bodies * shape.layout.num_joints

        def embedding(width: int) -> nn.Sequential | FusedEmbedding:
            several = len(built_for) > 1
            return FusedEmbedding(built_for, width, hidden) if several else token_embedding(width, hidden)

        learned = nn.Parameter(nn.init.trunc_normal_(torch.empty(joints, hidden), std=0.02))
        self.temporal = TokenStream(
            sinusoidal_positions(shape.frames, hidden),
            nn.ModuleList(layer(shape.frames) for _ in range(depth)),
            embedding(joints * COORDINATES),
            position_each_layer,
        )
        self.spatial = TokenStream(
            learned,
            nn.ModuleList(layer(joints) for _ in range(depth)),
            embedding(shape.frames * COORDINATES),
            position_each_layer,
        )

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams it was built for; its shape says which of them it takes by default."""
        embedding = self.temporal.embedding
        return tuple(embedding.of) if isinstance(embedding, FusedEmbedding) else super().streams

    def forward(
        self,
        clips: Tensor,
        kept: Kept | None = None,
        stream: str | None = None,
        *,
        present: Tensor | None = None,
    ) -> Features:
        """(N, C, T, V, M) → clip (N, 2·hidden), temporal (N, T, hidden), spatial (N, M·V, hidden).

        With `kept`, only those tokens are computed, and the clip feature is their maximum. `stream` is the
        clips' stream, by default that of the encoder's shape; for several streams, the clips are joint
        positions. Joints that are not `present` (N, V) take no part; their spatial tokens are the mean of the
        others.

        Raises:
            KinemeError: the clips are not of the encoder's shape or streams, or it cannot leave out tokens.
        """
        self.check_input(clips)
        if kept is not None and not self.runs_on_kept_tokens:
            raise KinemeError(
                f"{type(self).__name__} mixes all tokens and cannot leave out any; choose another encoder"
            )
        kept = kept or Kept()
        layout = self.shape.layout
        streams = self._known(stream or self.shape.stream)
        taken = [clips] if len(streams) == 1 else [to_stream(clips, each, layout) for each in streams]
        tokens = present
        if present is not None:
            taken = [
                completed(each, present, layout, stream, self.places_missing)
                for each, stream in zip(taken, streams, strict=True)
            ]
            tokens = joints_of(present, streams, layout).repeat(1, self.shape.bodies)
        fused = None if len(self.streams) == 1 else streams
        frames, joints = (
            of(taken[0]) if fused is None else torch.stack([of(each) for each in taken], dim=2)
            for of in (temporal_tokens, spatial_tokens)
        )
        temporal = self.temporal(frames, kept.temporal, fused)
        if tokens is not None and kept.spatial is None and self.runs_on_kept_tokens:
            at = in_some_clip(tokens)
            found = self.spatial(joints, at.expand(len(clips), -1), fused, tokens)
            spatial = mean_for_absent(spread(found, at, joints.shape[1]), tokens)
        else:
            spatial = self.spatial(joints, kept.spatial, fused, tokens)
        clip = torch.cat((temporal.max(1).values, spatial.max(1).values), dim=1)
        return Features(clip, temporal, spatial)

    def _known(self, stream: str) -> tuple[str, ...]:
        """The single streams of one or several, which the encoder has to have embeddings of."""
        streams = single_streams(stream)
        if not set(streams) <= set(self.streams):
            known = "+".join(self.streams)
            raise KinemeError(f"{stream}: the encoder was built for {known}; choose of these streams")
        return streams
