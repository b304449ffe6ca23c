"""ST-GCN's parts by their definitions; that the whole is the published one: tests/methods/test_aimclr.py."""

from __future__ import annotations

import pytest
import torch

from kineme.encoders.base import ClipShape
from kineme.encoders.stgcn import STGCN, GraphConvolution
from kineme.layouts import LAYOUTS, Layout, spatial_partitions

STICK = Layout.from_names("stick3", ["hip", "neck", "head"], [None, "hip", "neck"])


def small(**settings: object) -> STGCN:
    torch.manual_seed(0)
    return STGCN(ClipShape(STICK, 8, 2), **{"channels": (4, 6, 8), "strided": (1,)} | settings).eval()


def clips(count: int = 3, frames: int = 8) -> torch.Tensor:
    return torch.randn(count, 3, frames, 3, 2, generator=torch.Generator().manual_seed(1))


def test_graph_convolution_is_the_sum_over_subsets_and_neighbours() -> None:
    torch.manual_seed(0)
    graph = torch.from_numpy(spatial_partitions(STICK))
    convolution = GraphConvolution(2, 5, 3)
    with torch.no_grad():
        convolution.importance.uniform_(0.5, 1.5)
    x = torch.randn(2, 4, 3, 2)
    expected = torch.zeros(2, 4, 3, 5)
    weighted = graph * convolution.importance
    for k in range(3):
        mapped = x @ convolution.weight[k].T + convolution.bias[k]
        for v in range(3):
            for w in range(3):
                expected[:, :, w] += weighted[k, v, w] * mapped[:, :, v]
    torch.testing.assert_close(convolution(x, graph), expected)


@torch.no_grad()
def test_a_clip_s_feature_is_the_mean_over_frames_joints_and_bodies() -> None:
    encoder, x = small(), clips()
    feature_map = encoder.feature_map(x)
    assert tuple(feature_map.shape) == (6, 4, 3, 8)  # (N·M, T/2, V, D)
    expected = feature_map.view(3, 2, 4, 3, 8).mean(dim=(1, 2, 3))
    torch.testing.assert_close(encoder(x).clip, expected)
    assert encoder.dim == 8


@torch.no_grad()
def test_bodies_are_encoded_one_by_one() -> None:
    encoder, x = small(), clips()
    torch.testing.assert_close(encoder(x.flip(4)).clip, encoder(x).clip)
    first, second = (encoder(x[..., m : m + 1]).clip for m in (0, 1))
    torch.testing.assert_close(encoder(x).clip, (first + second) / 2)


@torch.no_grad()
def test_a_batch_gives_what_its_clips_give_alone() -> None:
    encoder, x = small(), clips()
    alone = torch.cat([encoder(each[None]).clip for each in x])
    torch.testing.assert_close(encoder(x).clip, alone)


@pytest.mark.parametrize("frames", [2, 7, 40])
@torch.no_grad()
def test_any_number_of_frames_will_do(frames: int) -> None:
    assert torch.isfinite(small()(clips(frames=frames)).clip).all()


@torch.no_grad()
def test_distant_frames_do_not_reach_beyond_the_kernels() -> None:
    """Kernels of nine frames, one with stride two: 4 + 4 frames to each side, then 4 · 2."""
    encoder, x = small(), clips(frames=60)
    changed = x.clone()
    changed[:, :, 40:] += 1
    same = (encoder.feature_map(x) == encoder.feature_map(changed)).all(dim=(0, 2, 3))
    assert same.tolist() == [2 * t + 16 < 40 for t in range(30)]


def test_dropout_is_in_every_block_but_the_first() -> None:
    assert [block.dropout.p for block in small(dropout=0.3).blocks] == [0.0, 0.3, 0.3]


def test_the_published_sizes() -> None:
    encoder = STGCN(ClipShape(LAYOUTS["ntu25"], 50, 2))
    assert encoder.dim == 256
    assert encoder.feature_map(torch.zeros(1, 3, 50, 25, 2)).shape == (2, 13, 25, 256)
