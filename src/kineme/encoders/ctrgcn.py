"""CTR-GCN, a graph network with a topology refined per channel (Chen et al., ICCV 2021).

Only what SCD-Net uses: no strides, no classifier, no residual around the first unit.

Activations are (B, C, V, T), B = N·M, in channels-last memory, where convolutions and batch norms are
fastest. Joints come before frames because the graph product reads a (3·V, T) matrix per channel. 1×1
convolutions of the same input (of the three subsets, or of several branches) are merged into one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from kineme.encoders.base import COORDINATES, ClipShape
from kineme.errors import KinemeError
from kineme.layouts import Layout
from kineme.typing import Array

SUBSETS = 3
BRANCHES = 4
DILATIONS = (1, 2)  # of the first two branches' temporal convolutions
KERNEL, POOL = 5, 3
BODIES_AT_ONCE = 8  # in graph products on a CPU, so that their large intermediates stay in cache


class CTRGCN(nn.Module):
    """Units of graph and temporal convolution: clips (N, C, T, V, M) → (N, M, V, T, widths[-1]).

    Args:
        shape: of the clips; any number of frames is accepted.
        widths: channels of each unit.
        input_norm: batch-normalise every joint coordinate separately before the first unit.

    Raises:
        KinemeError: a width is not a positive multiple of 8.
    """

    def __init__(self, shape: ClipShape, widths: Sequence[int], *, input_norm: bool = True) -> None:
        super().__init__()
        for width in widths:
            if width < 8 or width % 8:
                raise KinemeError(f"stem: a width is {width}; each must be a positive multiple of 8")
        coordinates = shape.bodies * shape.layout.num_joints * COORDINATES
        self.input_norm = nn.BatchNorm1d(coordinates) if input_norm else nn.Identity()
        inputs = (COORDINATES, *widths[:-1])
        self.units = nn.ModuleList(
            Unit(before, width, shape.layout, residual=i > 0)
            for i, (before, width) in enumerate(zip(inputs, widths, strict=True))
        )

    def forward(self, clips: Tensor) -> Tensor:
        """From the input norm on, bodies share the batch axis."""
        n, c, t, v, m = clips.shape
        x: Tensor = self.input_norm(clips.permute(0, 4, 3, 1, 2).reshape(n, m * v * c, t))
        x = x.reshape(n * m, v, c, t).transpose(1, 2).contiguous(memory_format=torch.channels_last)
        for unit in self.units:
            x = unit(x)
        return x.permute(0, 2, 3, 1).reshape(n, m, v, t, -1)


class Unit(nn.Module):
    """Graph convolution, then temporal convolution, each with a residual."""

    def __init__(self, in_channels: int, channels: int, layout: Layout, *, residual: bool) -> None:
        super().__init__()
        self.graph = GraphConvolution(in_channels, channels, layout)
        self.graph_norm = nn.BatchNorm2d(channels)
        nn.init.constant_(self.graph_norm.weight, 1e-6)
        self.graph_residual = _residual(in_channels, channels)
        self.temporal = TemporalConvolution(channels)
        self.residual = _residual(in_channels, channels) if residual else None

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, V, T) → (B, C, V, T)."""
        # In place is safe: a batch norm saves its input for the backward pass, not its output.
        y = self.graph_norm(self.graph(x)).add_(self.graph_residual(x))
        y = self.temporal(F.relu(y, inplace=True))
        if self.residual is not None:
            y.add_(self.residual(x))
        return F.relu(y, inplace=True)


def _residual(in_channels: int, channels: int) -> nn.Module:
    """Identity, or a 1×1 convolution and a batch norm where widths differ."""
    if in_channels == channels:
        return nn.Identity()
    return nn.Sequential(pointwise(in_channels, channels), nn.BatchNorm2d(channels))


class GraphConvolution(nn.Module):
    """Channel-wise topology refinement graph convolution, three subsets summed (Eq. 4-7 of the paper).

    out[u] = Σ_k Σ_v topology[k, c, u, v] · (W3_k x[v] + b3_k), and
    topology[k, c, u, v] = adjacency[k, u, v] + strength · (W4_k tanh(x1_k[u] - x2_k[v]) + b4_k), where x1 and
    x2 are 1×1 convolutions of the input's mean over frames (the paper's means of convolutions, by linearity).
    """

    def __init__(self, in_channels: int, channels: int, layout: Layout) -> None:
        super().__init__()
        relations = 8 if in_channels == COORDINATES else in_channels // 8
        self.adjacency = nn.Parameter(torch.from_numpy(directed_partitions(layout)))
        self.strength = nn.Parameter(torch.zeros(1))
        # Rows: (x1 or x2, subset, relation channel) and (subset, channel).
        self.relation = pointwise(in_channels, 2 * SUBSETS * relations, fan_out=relations)
        self.value = pointwise(in_channels, SUBSETS * channels, fan_out=channels)
        self.refine = pointwise(relations, SUBSETS * channels, fan_out=channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, V, T) → (B, C, V, T)."""
        mixing, mixed = self._topology(x)
        assert self.value.bias is not None
        weight = _channels_first(self.value.weight.flatten(1))
        bias = _channels_first(self.value.bias[:, None])
        batches = [(x, mixed)]
        # A program that torch.export records cannot have a number of parts that depends on the clips.
        if x.device.type == "cpu" and not torch.compiler.is_compiling():
            batches = list(zip(*(torch.split(each, BODIES_AT_ONCE) for each in (x, mixed)), strict=True))
        # Products of 3·C channels are large and cheap: the backward pass computes them again.
        parts = [
            checkpoint(_aggregate, *part, mixing, weight, bias, use_reentrant=False, preserve_rng_state=False)
            for part in batches
        ]
        return torch.cat(parts)

    def _topology(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The refined topologies as two factors, (C·3, L) and (B, L, V·V).

        Rows are (channel, subset), columns (giving joint v, receiving joint u). The L terms are the relation
        channels of the subsets, then the learned adjacency and the bias.
        """
        b, _, v, t = x.shape
        assert self.refine.bias is not None
        with torch.autocast(x.device.type, enabled=False):
            relation = self.relation(F.avg_pool2d(x, (1, t)).to(self.relation.weight.dtype)).squeeze(3)
            receiver, giver = relation.chunk(2, dim=1)
            refined = torch.tanh(receiver[:, :, None, :] - giver[:, :, :, None])
            adjacency = self.adjacency.mT.expand(b, -1, -1, -1)
            mixed = torch.cat([refined, adjacency, refined.new_ones(b, 1, v, v)], dim=1).flatten(2)
            weight = self.refine.weight.view(SUBSETS, -1, 1, self.refine.in_channels)
            bias = self.refine.bias.view(SUBSETS, -1, 1)
            own = torch.eye(SUBSETS, device=x.device)[:, None, :]
            refine = (own[..., None] * weight).flatten(2)  # each subset has its own relation channels
            terms = [self.strength * refine, own.expand(-1, len(bias[0]), -1), self.strength * bias]
            return _channels_first(torch.cat(terms, dim=2).flatten(0, 1)), mixed


def _channels_first(rows: Tensor) -> Tensor:
    """(3·C, L) → (C·3, L): from rows (subset, channel) to (channel, subset)."""
    return rows.view(SUBSETS, -1, rows.shape[1]).transpose(0, 1).flatten(0, 1)


def _aggregate(x: Tensor, mixed: Tensor, mixing: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """(B, C_in, V, T) and the topologies' factors (B, L, V·V) and (C·3, L) → (B, C, V, T)."""
    b, _, v, t = x.shape
    topology = torch.bmm(mixing.expand(b, -1, -1), mixed).view(-1, SUBSETS * v, v)
    value = torch.baddbmm(bias, weight.expand(b, -1, -1), x.flatten(2)).view(-1, SUBSETS * v, t)
    return torch.bmm(topology.mT, value).view(b, -1, v, t).contiguous(memory_format=torch.channels_last)


class TemporalConvolution(nn.Module):
    """Four branches of a quarter of the channels: two dilated convolutions, max pooling, 1×1 only."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        quarter = channels // BRANCHES
        self.mix = pointwise(channels, channels - quarter, fan_out=quarter)
        self.mix_norm = nn.BatchNorm2d(channels - quarter)
        self.convolutions = nn.ModuleList(_dilated(quarter, dilation) for dilation in DILATIONS)
        self.plain = pointwise(channels, quarter)
        self.norm = nn.BatchNorm2d(channels)
        for norm in (self.mix_norm, self.norm):
            _normal(norm.weight, 1.0, 0.02)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, V, T) → (B, C, V, T)."""
        mixed = self.mix_norm(self.mix(x)).chunk(BRANCHES - 1, dim=1)
        *convolved, pooled = (F.relu(each) for each in mixed)
        branches = [
            *(convolution(each) for convolution, each in zip(self.convolutions, convolved, strict=True)),
            F.max_pool2d(pooled, (1, POOL), stride=1, padding=(0, POOL // 2)),
            self.plain(x),
        ]
        out: Tensor = self.norm(torch.cat(branches, dim=1))
        return out


def _dilated(channels: int, dilation: int) -> nn.Conv2d:
    """A convolution over frames, padded to keep their number."""
    padding = KERNEL // 2 * dilation
    convolution = nn.Conv2d(channels, channels, (1, KERNEL), padding=(0, padding), dilation=(1, dilation))
    _kaiming(convolution, channels * KERNEL)
    return convolution


def pointwise(in_channels: int, channels: int, fan_out: int | None = None) -> nn.Conv2d:
    """A 1×1 convolution; `fan_out` is that of one of several merged into it."""
    convolution = nn.Conv2d(in_channels, channels, 1)
    _kaiming(convolution, fan_out or channels)
    return convolution


def _kaiming(convolution: nn.Conv2d, fan_out: int) -> None:
    """Kaiming-normal for ReLU in fan-out mode (He et al., ICCV 2015), bias 0."""
    _normal(convolution.weight, 0.0, math.sqrt(2 / fan_out))
    assert convolution.bias is not None
    nn.init.zeros_(convolution.bias)


def directed_partitions(layout: Layout) -> Array:
    """(3, V, V) float32 [subset, receiver, giver]: from itself, from child to parent, from parent to child.

    Columns are divided by their sums, as in 2s-AGCN's and CTR-GCN's programs.
    """
    inward = np.zeros((layout.num_joints, layout.num_joints), dtype=np.float32)
    for child, parent in layout.bones:
        inward[parent, child] = 1
    subsets = np.stack([np.eye(layout.num_joints, dtype=np.float32), inward, inward.T])
    normalised: Array = subsets / np.maximum(subsets.sum(axis=1, keepdims=True), 1)
    return normalised


def _normal(weight: Tensor, mean: float, deviation: float) -> None:
    """Draws a weight; not one without memory, see `_check_size` and `check_memory` of checkpoints.py."""
    if not weight.is_meta:
        nn.init.normal_(weight, mean, deviation)
