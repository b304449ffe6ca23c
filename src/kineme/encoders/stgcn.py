"""ST-GCN at a quarter of its width, AimCLR's encoder (Yan et al., AAAI 2018; Guo et al., AAAI 2022).

Activations are (T, B, V, C), B = N·M: channels last, so that graph and 1×1 convolutions are plain matrix
products, and frames first, so that a transform over frames is one too.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kineme.encoders.base import ClipShape, Features, MapEncoder
from kineme.encoders.dropout import Dropout, check_dropout
from kineme.encoders.frames import convolve_frames, normed
from kineme.errors import KinemeError, check_between
from kineme.layouts import spatial_partitions

CHANNELS = (16, 16, 16, 16, 32, 32, 32, 64, 64, 256)
TEMPORAL_KERNEL = 9


class STGCN(MapEncoder):
    """Spatial-temporal graph convolutions over the layout's three-subset graph.

    Args:
        shape: of the clips; any number of frames is accepted. Bodies are encoded one by one and averaged.
        channels: Width of each block.
        strided: Blocks (counted from 0) that halve the number of frames.
        dropout: Share of activations dropped at the end of every block except the first.

    >>> import kineme
    >>> encoder = STGCN(ClipShape(kineme.get_layout("ntu25"), 50, 2), channels=[8, 16], strided=[1])
    >>> encoder(torch.randn(4, 3, 50, 25, 2)).clip.shape
    torch.Size([4, 16])
    """

    def __init__(
        self,
        shape: ClipShape,
        *,
        channels: Sequence[int] = CHANNELS,
        strided: Sequence[int] = (4, 7),
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if not channels:
            raise KinemeError("channels: is empty; give the width of at least one block")
        for width in channels:
            check_between("channels", width, 1)
        check_dropout(dropout)
        self.shape = shape
        self.dim = channels[-1]
        joints = shape.layout.num_joints
        self.input_norm = nn.BatchNorm1d(joints * 3)
        self.register_buffer("graph", torch.from_numpy(spatial_partitions(shape.layout)), persistent=False)
        self.blocks = nn.ModuleList(
            Block(
                3 if i == 0 else channels[i - 1],
                width,
                joints,
                stride=2 if i in strided else 1,
                residual=i > 0,
                dropout=dropout if i > 0 else 0.0,
            )
            for i, width in enumerate(channels)
        )

    def forward(self, clips: Tensor) -> Features:
        """(N, C, T, V, M) → clip (N, D): the mean over the last block's frames and joints, then bodies."""
        return Features(clip=self.pool(self.feature_map(clips), bodies=clips.shape[-1]))

    def feature_map(self, clips: Tensor) -> Tensor:
        """(N, C, T, V, M) → the last block's activations (N·M, T', V, D)."""
        n, c, t, v, m = clips.shape
        x: Tensor = self.input_norm(clips.permute(0, 4, 3, 1, 2).reshape(n * m, v * c, t))
        x = x.view(n * m, v, c, t).permute(3, 0, 1, 2).contiguous()
        if torch.is_autocast_enabled(x.device.type):
            x = x.to(torch.get_autocast_dtype(x.device.type))
        for block in self.blocks:
            x = block(x, self.graph)
        return x.transpose(0, 1)

    def pool(self, feature_map: Tensor, bodies: int) -> Tensor:
        """(N·M, T', V, D) → (N, D)."""
        # Frames lie apart in memory: a mean over them and joints at once takes ten times as long.
        per_body = feature_map.mean(1, dtype=torch.promote_types(feature_map.dtype, torch.float32)).mean(1)
        return per_body.view(-1, bodies, feature_map.shape[-1]).mean(dim=1)


class Block(nn.Module):
    """Graph convolution, temporal convolution, residual."""

    def __init__(
        self, in_channels: int, channels: int, joints: int, *, stride: int, residual: bool, dropout: float
    ) -> None:
        super().__init__()
        self.stride = stride
        self.spatial = GraphConvolution(in_channels, channels, joints)
        self.spatial_norm = nn.BatchNorm2d(channels)
        self.temporal = nn.Conv2d(channels, channels, (TEMPORAL_KERNEL, 1))
        self.temporal_norm = nn.BatchNorm2d(channels)
        self.dropout = Dropout(dropout)
        self.residual: nn.Module | None = None
        if residual and (in_channels != channels or stride != 1):
            self.residual = nn.Sequential(nn.Conv2d(in_channels, channels, 1), nn.BatchNorm2d(channels))
        elif residual:
            self.residual = nn.Identity()

    def forward(self, x: Tensor, graph: Tensor) -> Tensor:
        """(T, B, V, C_in) → (T', B, V, C)."""
        gather, mixing, bias = self.spatial.factors(graph)
        y = normed(self.spatial_norm, mixing, bias, partial(mix, x, gather))
        y = F.relu(y, inplace=True)
        convolve = partial(convolve_frames, y, stride=self.stride)
        y = self.dropout(normed(self.temporal_norm, self.temporal.weight, self.temporal.bias, convolve))
        if isinstance(self.residual, nn.Sequential):
            convolution, norm = self.residual
            assert isinstance(convolution, nn.Conv2d)
            weight = convolution.weight.flatten(1)
            y = y + normed(norm, weight, convolution.bias, partial(F.linear, x[:: self.stride]))
        elif self.residual is not None:
            y = y + x
        return F.relu(y, inplace=True)


class GraphConvolution(nn.Module):
    """y[w] = Σ_k Σ_v (A ⊙ importance)[k, v, w] · (W_k x[v] + b_k)."""

    def __init__(self, in_channels: int, channels: int, joints: int) -> None:
        super().__init__()
        self.channels = channels
        self.importance = nn.Parameter(torch.ones(3, joints, joints))
        # Initialised as the authors do: one 1×1 convolution to the channels of all three subsets.
        convolution = nn.Conv2d(in_channels, 3 * channels, 1)
        self.weight = nn.Parameter(convolution.weight.detach().view(3, channels, in_channels).clone())
        assert convolution.bias is not None
        self.bias = nn.Parameter(convolution.bias.detach().view(3, channels).clone())

    def forward(self, x: Tensor, graph: Tensor) -> Tensor:
        """(T, B, V, C_in) → (T, B, V, C_out)."""
        return mix(x, *self.factors(graph))

    def factors(self, graph: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The graph (3, V, V) → neighbours (V·3, V), channels (C_out, 3·C_in), bias (V, C_out)."""
        weighted = graph * self.importance
        gather = weighted.permute(2, 0, 1).flatten(0, 1)
        mixing = self.weight.permute(1, 0, 2).flatten(1)
        return gather, mixing, torch.einsum("kvw,kc->wc", weighted, self.bias)


def mix(x: Tensor, gather: Tensor, mixing: Tensor, bias: Tensor) -> Tensor:
    """(T, B, V, C_in) and the factors of a graph convolution → (T, B, V, C_out).

    Neighbours first, channels second: never forms the wide (3·C_out) map.
    """
    t, b, v, c = x.shape
    gathered: Tensor = Gather.apply(  # type: ignore[no-untyped-call]
        gather.to(x.dtype), x.view(t * b, v, c)
    )
    y = F.linear(gathered.view(t, b, v, -1), mixing)
    return y.add_(bias.to(y.dtype))


class Gather(torch.autograd.Function):
    """A matrix (R, V) times each of (N, V, C) → (N, R, C).

    As `torch.matmul`, whose backward pass on a CPU takes a third of a block's time for transposed copies.
    """

    @staticmethod
    def forward(ctx: Any, matrix: Tensor, x: Tensor) -> Tensor:
        """(R, V), (N, V, C) → (N, R, C)."""
        ctx.save_for_backward(matrix, x)
        return torch.bmm(matrix.expand(x.shape[0], -1, -1), x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor | None]:
        """Of the matrix, and of x unless that is the clips."""
        (matrix, x), gradient = ctx.saved_tensors, gradients[0]
        of_x = None
        if ctx.needs_input_grad[1]:
            of_x = torch.bmm(matrix.T.contiguous().expand(x.shape[0], -1, -1), gradient)
        return torch.bmm(gradient, x.mT).sum(0), of_x
