"""ST-GCN and CTR-GCN as their equations stand, (B, C, T, V), with the weights of Kineme's own."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kineme.encoders import STGCN, Disentangled, Features
from kineme.encoders.ctrgcn import CTRGCN, KERNEL, POOL, SUBSETS, GraphConvolution, TemporalConvolution, Unit
from kineme.encoders.stgcn import TEMPORAL_KERNEL, Block


def stgcn(encoder: nn.Module, clips: Tensor) -> Tensor:
    """(N, C, T, V, M) → the last block's activations (N·M, D, T', V)."""
    assert isinstance(encoder, STGCN)
    n, c, t, v, m = clips.shape
    x: Tensor = encoder.input_norm(clips.permute(0, 4, 3, 1, 2).reshape(n * m, v * c, t))
    x = x.view(n * m, v, c, t).permute(0, 2, 3, 1)
    for block in encoder.blocks:
        x = stgcn_block(cast(Block, block), x, cast(Tensor, encoder.graph))
    return x


def stgcn_block(block: Block, x: Tensor, graph: Tensor) -> Tensor:
    """Channels first, neighbours second; then the temporal convolution and the residual."""
    spatial, stride = block.spatial, block.stride
    y = torch.stack([F.conv2d(x, spatial.weight[k, :, :, None, None], spatial.bias[k]) for k in range(3)], 1)
    y = torch.einsum("bkctv,kvw->bctw", y, graph * spatial.importance)
    y = F.relu(block.spatial_norm(y))
    padding = (TEMPORAL_KERNEL // 2, 0)
    y = F.conv2d(y, block.temporal.weight, block.temporal.bias, stride=(stride, 1), padding=padding)
    y = F.dropout(block.temporal_norm(y), block.dropout.p, block.training)
    if isinstance(block.residual, nn.Sequential):
        convolution, norm = block.residual
        assert isinstance(convolution, nn.Conv2d)
        x = norm(F.conv2d(x, convolution.weight, convolution.bias, stride=(stride, 1)))
    return F.relu(y if block.residual is None else y + x)


def disentangled(encoder: nn.Module, clips: Tensor) -> Features:
    """Two stems of CTR-GCN; their tokens, frame by frame and joint by joint."""
    assert isinstance(encoder, Disentangled)
    temporal = ctrgcn(encoder.temporal_stem, clips).permute(0, 3, 1, 4, 2).flatten(2)  # (N, T, M·V·C)
    spatial = ctrgcn(encoder.spatial_stem, clips).permute(0, 1, 4, 3, 2).flatten(3).flatten(1, 2)
    temporal, spatial = encoder.temporal(temporal), encoder.spatial(spatial)
    return Features(torch.cat([temporal.amax(1), spatial.amax(1)], dim=1), temporal, spatial)


def ctrgcn(stem: CTRGCN, clips: Tensor) -> Tensor:
    """(N, C, T, V, M) → (N, M, C', T, V)."""
    n, c, t, v, m = clips.shape
    x: Tensor = stem.input_norm(clips.permute(0, 4, 3, 1, 2).reshape(n, m * v * c, t))
    x = x.reshape(n * m, v, c, t).permute(0, 2, 3, 1)
    for unit in stem.units:
        x = ctrgcn_unit(cast(Unit, unit), x)
    return x.view(n, m, *x.shape[1:])


def ctrgcn_unit(unit: Unit, x: Tensor) -> Tensor:
    """Refined graph convolution, then the temporal one, each with a residual."""
    y = F.relu(unit.graph_norm(refined_graph(unit.graph, x)) + unit.graph_residual(x))
    y = temporal_branches(unit.temporal, y)
    return F.relu(y if unit.residual is None else y + unit.residual(x))


def refined_graph(graph: GraphConvolution, x: Tensor) -> Tensor:
    """Σ_k topology_k · value_k, where each channel of each subset has a topology of its own."""
    relation = graph.relation(x.mean(2, keepdim=True)).squeeze(2).chunk(2 * SUBSETS, dim=1)
    value = graph.value(x).chunk(SUBSETS, dim=1)
    assert graph.refine.bias is not None
    weight, bias = graph.refine.weight.chunk(SUBSETS), graph.refine.bias.chunk(SUBSETS)
    out = torch.zeros(())
    for k in range(SUBSETS):
        difference = torch.tanh(relation[k][..., :, None] - relation[SUBSETS + k][..., None, :])
        topology = graph.adjacency[k] + graph.strength * F.conv2d(difference, weight[k], bias[k])
        out = out + torch.einsum("bcuv,bctv->bctu", topology, value[k])
    return out


def temporal_branches(temporal: TemporalConvolution, x: Tensor) -> Tensor:
    """Two dilated convolutions, a pooling and a 1×1 convolution, side by side."""
    *convolved, pooled = F.relu(temporal.mix_norm(temporal.mix(x))).chunk(3, dim=1)
    branches = []
    for convolution, each in zip(temporal.convolutions, convolved, strict=True):
        assert isinstance(convolution, nn.Conv2d)
        weight, dilation = convolution.weight.transpose(2, 3), (convolution.dilation[1], 1)
        padding = (KERNEL // 2 * dilation[0], 0)
        branches.append(F.conv2d(each, weight, convolution.bias, padding=padding, dilation=dilation))
    branches.append(F.max_pool2d(pooled, (POOL, 1), stride=1, padding=(POOL // 2, 0)))
    out: Tensor = temporal.norm(torch.cat([*branches, temporal.plain(x)], dim=1))
    return out
