"""ST-GCN at a quarter of its width, AimCLR's encoder (Yan et al., AAAI 2018; Guo et al., AAAI 2022).

Activations are (B, T, V, C), B = N·M: channels last, so that graph and 1×1 convolutions are plain matrix
products and the temporal convolution takes its channels-last form.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kineme.encoders.base import ClipShape, Features, MapEncoder
from kineme.encoders.dropout import Dropout, check_dropout
from kineme.errors import KinemeError, check_between
from kineme.layouts import spatial_partitions

CHANNELS = (16, 16, 16, 16, 32, 32, 32, 64, 64, 256)
TEMPORAL_KERNEL = 9


class STGCN(MapEncoder):
    """Spatial-temporal graph convolutions over the layout's three-subset graph.

    Args:
        shape: of the clips; any number of frames will do. Bodies are encoded one by one and averaged.
        channels: Width of each block.
        strided: Blocks (counted from 0) that halve the number of frames.
        dropout: Share of activations dropped at the end of each block but the first.

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
        x = x.view(n * m, v, c, t).permute(0, 3, 1, 2)
        for block in self.blocks:
            x = block(x, self.graph)
        return x

    def pool(self, feature_map: Tensor, bodies: int) -> Tensor:
        """(N·M, T', V, D) → (N, D)."""
        return feature_map.mean(dim=(1, 2)).view(-1, bodies, feature_map.shape[-1]).mean(dim=1)


class Block(nn.Module):
    """Graph convolution, temporal convolution, residual."""

    def __init__(
        self, in_channels: int, channels: int, joints: int, *, stride: int, residual: bool, dropout: float
    ) -> None:
        super().__init__()
        self.spatial = GraphConvolution(in_channels, channels, joints)
        self.spatial_norm = nn.BatchNorm2d(channels)
        self.temporal = nn.Conv2d(
            channels,
            channels,
            (TEMPORAL_KERNEL, 1),
            stride=(stride, 1),
            padding=(TEMPORAL_KERNEL // 2, 0),
        )
        self.temporal_norm = nn.BatchNorm2d(channels)
        self.dropout = Dropout(dropout)
        self.residual: nn.Module | None = None
        if residual and (in_channels != channels or stride != 1):
            self.residual = nn.Sequential(
                nn.Conv2d(in_channels, channels, 1, stride=(stride, 1)), nn.BatchNorm2d(channels)
            )
        elif residual:
            self.residual = nn.Identity()

    def forward(self, x: Tensor, graph: Tensor) -> Tensor:
        """(B, T, V, C_in) → (B, T', V, C)."""
        y = self.spatial(x, graph).permute(0, 3, 1, 2)
        y = F.relu(self.spatial_norm(y), inplace=True)
        y = self.dropout(self.temporal_norm(self.temporal(y)).permute(0, 2, 3, 1))
        if self.residual is not None:
            y = y + self.residual(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
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
        """(B, T, V, C_in) → (B, T, V, C_out)."""
        b, t, v, c = x.shape
        weighted = graph * self.importance
        bias = torch.einsum("kvw,kc->wc", weighted, self.bias)
        # Neighbours first, channels second: never forms the wide (3·C_out) map.
        gathered = torch.matmul(weighted.permute(2, 0, 1).reshape(3 * v, v), x.reshape(b * t, v, c))
        mixing = self.weight.permute(1, 0, 2).reshape(self.channels, 3 * c)
        return F.linear(gathered.view(b, t, v, 3 * c), mixing) + bias
