"""SCD-Net's encoder and its CTR-GCN. Agreement with the published program: tests/methods/test_scdnet.py."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kineme.encoders.base import ClipShape
from kineme.encoders.ctrgcn import CTRGCN, GraphConvolution, Unit, directed_partitions
from kineme.encoders.disentangled import Disentangled, DropoutAttention, DropoutLayer
from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS, Layout

NTU, COCO = LAYOUTS["ntu25"], LAYOUTS["coco17"]
STICK = Layout.from_names("stick3", ["hip", "neck", "head"], [None, "hip", "neck"])


def small(layout: Layout = STICK, frames: int = 8, bodies: int = 1, **settings: float) -> Disentangled:
    torch.manual_seed(0)
    return Disentangled(ClipShape(layout, frames, bodies), hidden=16, heads=2, stem=(8, 16, 8), **settings)


@pytest.mark.parametrize(("layout", "frames", "bodies"), [(NTU, 64, 2), (COCO, 20, 1)])
def test_any_layout_frames_and_bodies(layout: Layout, frames: int, bodies: int) -> None:
    encoder = small(layout, frames, bodies).eval()
    joints = layout.num_joints
    clips = torch.randn(2, 3, frames, joints, bodies)
    features = encoder(clips)
    assert features.temporal.shape == (2, frames, 16)
    assert features.spatial.shape == (2, bodies * joints, 16)
    assert torch.equal(features.clip, torch.cat([features.temporal.amax(1), features.spatial.amax(1)], 1))
    assert features.clip.shape == (2, encoder.dim)
    torch.testing.assert_close(encoder(clips[1:]).clip, features.clip[1:])  # a clip's own, not its batch's


def test_tokens_flatten_in_the_published_order() -> None:
    """Temporal tokens flatten (M, V, C); spatial tokens are (M, V) and flatten (T, C)."""
    encoder = small(frames=6, bodies=2).eval()
    clips = torch.randn(2, 3, 6, 3, 2)
    seen: dict[str, Tensor] = {}
    for name in ("temporal", "spatial"):
        getattr(encoder, name).register_forward_pre_hook(
            lambda _, tokens, name=name: seen.update({name: tokens[0]})
        )
    encoder(clips)
    temporal, spatial = encoder.temporal_stem(clips), encoder.spatial_stem(clips)  # N M V T C
    for n, m, v, t, c in [(0, 1, 2, 5, 7), (1, 0, 1, 3, 4)]:
        assert seen["temporal"][n, t, (m * 3 + v) * 8 + c] == temporal[n, m, v, t, c]
        assert seen["spatial"][n, m * 3 + v, t * 8 + c] == spatial[n, m, v, t, c]


def test_directed_partitions() -> None:
    own, inward, outward = directed_partitions(Layout.from_names("y", "abc", [None, "a", "a"]))
    assert own.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert inward.tolist() == [[0, 1, 1], [0, 0, 0], [0, 0, 0]]  # a receives from its children
    assert outward.tolist() == [[0, 0, 0], [0.5, 0, 0], [0.5, 0, 0]]  # columns sum to one


def test_graph_convolution_is_the_sum_that_the_paper_writes() -> None:
    """One joint and channel at a time: topology[k, c, u, v] applied to W3_k x, the means taken last."""
    torch.manual_seed(0)
    graph = GraphConvolution(8, 4, STICK)
    nn.init.constant_(graph.strength, 0.7)
    for convolution in (graph.relation, graph.value, graph.refine):
        nn.init.normal_(convolution.bias)
    x = torch.randn(10, 8, 3, 5)  # more bodies than one part of the batch holds
    first, second = F.conv2d(x, graph.relation.weight, graph.relation.bias).mean(3).chunk(2, dim=1)
    value = F.conv2d(x, graph.value.weight, graph.value.bias)
    expected = torch.zeros(10, 4, 3, 5)
    for k in range(3):
        relation = torch.tanh(first[:, k, :, None] - second[:, k, None, :])  # of one channel: R = 8 / 8
        for c in range(4):
            weight, bias = graph.refine.weight[4 * k + c, 0, 0, 0], graph.refine.bias[4 * k + c]
            topology = graph.adjacency[k] + 0.7 * (weight * relation + bias)
            expected[:, c] += topology @ value[:, 4 * k + c]
    torch.testing.assert_close(graph(x), expected, rtol=1e-4, atol=1e-5)


def test_graph_convolution_has_the_gradient_of_its_sum() -> None:
    torch.manual_seed(0)
    graph = GraphConvolution(8, 4, STICK).double()
    nn.init.constant_(graph.strength, 0.7)
    x = torch.randn(9, 8, 3, 2, dtype=torch.float64, requires_grad=True)
    direction = torch.randn(9, 4, 3, 2, dtype=torch.float64)
    (graph(x) * direction).sum().backward()
    step = 1e-6
    for tensor in (x, graph.adjacency, graph.strength, graph.relation.weight, graph.value.bias):
        at = (0,) * tensor.ndim
        gradient = tensor.grad[at].item()
        with torch.no_grad():
            tensor[at] += step
            above = (graph(x) * direction).sum()
            tensor[at] -= 2 * step
            below = (graph(x) * direction).sum()
            tensor[at] += step
        assert ((above - below) / (2 * step)).item() == pytest.approx(gradient, rel=1e-3, abs=1e-5)


def test_frames_meet_within_their_branch_and_reach() -> None:
    """The widest branch of a unit sees four frames to each side (5 taps, dilation 2)."""
    torch.manual_seed(0)
    unit = Unit(8, 16, STICK, residual=True).eval()
    x = torch.randn(1, 8, 3, 20)
    moved = x.clone()
    moved[:, :, :, 10] += 1
    nn.init.constant_(unit.graph.relation.weight, 0)  # the topology, too, sees all frames
    changed = (unit(x) != unit(moved)).any(dim=(0)).any(dim=0).any(dim=0)
    assert changed.nonzero().flatten().tolist() == [6, 8, 9, 10, 11, 12, 14]


def test_a_unit_of_equal_widths_passes_its_input_on() -> None:
    unit = Unit(8, 8, STICK, residual=True).eval()
    nn.init.zeros_(unit.temporal.norm.weight)
    x = torch.randn(2, 8, 3, 4)
    assert torch.equal(unit(x), F.relu(x))


def test_bodies_are_told_apart_by_the_input_norm() -> None:
    stem = CTRGCN(ClipShape(STICK, 4, 2), (8, 8)).eval()
    means = torch.arange(2 * 3 * 3.0)  # in the order (M, V, C)
    stem.input_norm.running_mean.copy_(means)
    clips = means.view(2, 3, 3).permute(2, 1, 0)[None, :, None].expand(1, 3, 4, 3, 2)
    inputs: list[Tensor] = []
    stem.units[0].register_forward_pre_hook(lambda _, x: inputs.append(x[0]))
    stem(clips)
    assert inputs[0].shape == (2, 3, 3, 4)
    assert inputs[0].abs().max() == 0


def test_without_an_input_norm_coordinates_keep_their_size() -> None:
    stem = CTRGCN(ClipShape(STICK, 4, 2), (8, 8), input_norm=False).train()
    clips = 100 * torch.randn(3, 3, 4, 3, 2)
    inputs: list[Tensor] = []
    stem.units[0].register_forward_pre_hook(lambda _, x: inputs.append(x[0]))
    stem(clips)
    assert torch.equal(inputs[0].view(3, 2, 3, 3, 4), clips.permute(0, 4, 1, 3, 2))  # (N, M, C, V, T)


def test_initial_values() -> None:
    torch.manual_seed(0)
    encoder = Disentangled(ClipShape(NTU, 16, 2), hidden=128)
    unit = encoder.temporal_stem.units[1]  # 64 → 256 channels
    assert torch.equal(unit.graph.adjacency, torch.from_numpy(directed_partitions(NTU)))
    assert unit.graph.strength.item() == 0
    assert (unit.graph_norm.weight == 1e-6).all()
    for convolution, fan_out in (
        (unit.graph.relation, 8),
        (unit.graph.value, 256),
        (unit.graph.refine, 256),
        (unit.graph_residual[0], 256),
        (unit.residual[0], 256),
        (unit.temporal.mix, 64),
        (unit.temporal.convolutions[1], 64 * 5),
    ):
        assert convolution.weight.std().item() == pytest.approx(math.sqrt(2 / fan_out), rel=0.1)
        assert not convolution.bias.any()
    for norm in (unit.temporal.mix_norm, unit.temporal.norm):
        assert norm.weight.mean().item() == pytest.approx(1, abs=0.01)
        assert norm.weight.std().item() == pytest.approx(0.02, rel=0.2)
    assert (unit.residual[1].weight == 1).all()
    for name, parameter in [*encoder.temporal.named_parameters(), *encoder.spatial.named_parameters()]:
        if parameter.ndim == 2:
            bound = math.sqrt(6 / sum(parameter.shape))
            assert 0.98 * bound < parameter.abs().max().item() <= bound, name
    assert not torch.equal(encoder.spatial_stem.units[1].temporal.mix.weight, unit.temporal.mix.weight)


def test_layer_is_torch_post_norm_layer_when_nothing_is_dropped() -> None:
    torch.manual_seed(0)
    ours = DropoutLayer(8, 2, dropout=0.3).eval()
    theirs = nn.TransformerEncoderLayer(8, 2, dim_feedforward=8, dropout=0, batch_first=True)
    state = {
        name.replace("attention.qkv.", "self_attn.in_proj_").replace("attention.out", "self_attn.out_proj"): x
        for name, x in ours.state_dict().items()
    }
    theirs.load_state_dict(state)
    x = torch.randn(3, 5, 8)
    torch.testing.assert_close(ours(x), theirs(x))


def test_attention_drops_weights_in_training_only() -> None:
    torch.manual_seed(0)
    attention = DropoutAttention(16, 4, dropout=0.25)
    x = torch.randn(2, 6, 16)
    expected = attention.eval()(x)
    attention.train()
    drawn = torch.stack([attention(x) for _ in range(4000)])
    assert not torch.equal(drawn[0], drawn[1])
    torch.testing.assert_close(drawn.mean(0), expected, rtol=0, atol=0.02)  # the scaled rest keeps the mean
    attention.dropout.p = 0.0
    torch.testing.assert_close(attention(x), expected)


def test_mixed_precision_stays_close_and_gives_float32() -> None:
    encoder = small(NTU, 16, 2).eval()
    clips = torch.randn(4, 3, 16, 25, 2)
    full = encoder(clips).clip
    with torch.autocast("cpu", torch.bfloat16):
        mixed = encoder(clips).clip
    assert mixed.dtype == torch.float32
    assert (mixed - full).norm() < 0.02 * full.norm()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"heads": 3}, "does not divide"),
        ({"hidden": 0}, "hidden"),
        ({"stem": ()}, "stem"),
        ({"stem": (64, 20)}, "a width is 20; each must be a positive multiple of 8"),
        ({"dropout": 1.0}, "dropout"),
    ],
)
def test_settings_that_make_no_network_are_refused(settings: dict[str, int], message: str) -> None:
    with pytest.raises(KinemeError, match=message):
        Disentangled(ClipShape(STICK, 4, 1), **{"hidden": 8, **settings})


def test_clips_of_another_shape_are_refused() -> None:
    with pytest.raises(KinemeError, match=r"\(3, 8, 3, 2\) given to an encoder for \(3, 8, 3, 1\)"):
        small()(torch.randn(2, 3, 8, 3, 2))
