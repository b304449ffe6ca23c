"""DSTE's parts. Agreement with the published program: tests/methods/test_usdrl.py."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from kineme.encoders.base import ClipShape, Kept
from kineme.encoders.dste import DSTE, DenseShiftAttention, DropPath, DSTLayer
from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS, Layout

STICK = Layout.from_names("stick3", ["hip", "neck", "head"], [None, "hip", "neck"])


def layer(**settings: float) -> DSTLayer:
    torch.manual_seed(0)
    defaults = {"dim": 8, "heads": 2, "tokens": 6, "drop_path": 0.0, "gap": 4, "alpha": 0.5}
    return DSTLayer(**(defaults | settings))  # type: ignore[arg-type]


@pytest.mark.parametrize("gap", [1, 3, 4])
def test_shift_mixes_tokens_but_keeps_every_gapth(gap: int) -> None:
    torch.manual_seed(0)
    shift = DenseShiftAttention(8, tokens=6, drop_path=0.0, gap=gap)
    x = torch.randn(2, 6, 8)
    mixed = x + shift.mix2(F.relu(shift.mix1(x.transpose(1, 2)))).transpose(1, 2)
    mixed[:, ::gap] = x[:, ::gap]
    torch.testing.assert_close(shift.shifted(x), mixed)
    assert torch.equal(shift.shifted(x)[:, ::gap], x[:, ::gap])


def test_shift_attention_is_the_mean_of_two_passes() -> None:
    dst = layer()
    shift, attention = dst.shift, dst.attention

    def block(x: torch.Tensor) -> torch.Tensor:
        x = x + attention(shift.norm1(x))
        return x + shift.mlp(shift.norm2(x))

    x = torch.randn(3, 6, 8)
    torch.testing.assert_close(shift(x, attention), (block(shift.shifted(x)) + block(x)) / 2)


def test_convolutional_attention_has_no_residual_around_its_mlp() -> None:
    dst = layer()
    conv = dst.convolutional
    x = torch.randn(3, 6, 8)
    y = x + F.relu(F.conv1d(x.mT, conv.convolution.weight[..., None], conv.convolution.bias)).mT
    expected = conv.mlp(conv.norm2(dst.attention(conv.norm1(y)) + x))
    torch.testing.assert_close(conv(x, dst.attention), expected)


def test_alpha_weighs_the_two_attentions() -> None:
    x = torch.randn(3, 6, 8)
    dst = layer(alpha=0.25)
    expected = 0.25 * dst.convolutional(x, dst.attention) + 0.75 * dst.shift(x, dst.attention)
    torch.testing.assert_close(dst(x), expected)


def test_the_attention_of_a_layer_is_one_module() -> None:
    names = [name for name, _ in layer().named_parameters() if "qkv.weight" in name]
    assert names == ["attention.qkv.weight"]


def test_positions_are_added_before_every_layer() -> None:
    stream = DSTE(ClipShape(STICK, 4, 1), hidden=4, depth=2).eval().spatial
    tokens = torch.randn(2, 3, 12)
    x = stream.layers[0](stream.embedding(tokens) + stream.position)
    torch.testing.assert_close(stream(tokens), stream.layers[1](x + stream.position))


def test_drop_path_drops_whole_clips_and_keeps_the_mean() -> None:
    drop = DropPath(0.1).train()
    torch.manual_seed(0)
    out = drop(torch.ones(20_000, 2, 3))
    assert out.unique().tolist() == pytest.approx([0, 1 / 0.9])
    dropped = out[:, 0, 0] == 0
    assert torch.equal(out == 0, dropped[:, None, None].expand(out.shape))
    assert dropped.float().mean().item() == pytest.approx(0.1, abs=0.01)
    torch.manual_seed(0)
    assert torch.equal(out, drop(torch.ones(20_000, 2, 3)))
    assert torch.equal(drop.eval()(torch.ones(5, 2, 3)), torch.ones(5, 2, 3))


def test_drop_path_acts_in_training_only() -> None:
    torch.manual_seed(0)
    encoder = DSTE(ClipShape(STICK, 4, 1), hidden=8, drop_path=0.5)
    clips = torch.randn(4, 3, 4, 3, 1)
    assert not torch.equal(encoder(clips).clip, encoder(clips).clip)
    encoder.eval()
    assert torch.equal(encoder(clips).clip, encoder(clips).clip)


def test_any_layout_frames_bodies_width_and_depth() -> None:
    encoder = DSTE(ClipShape(LAYOUTS["coco17"], 10, 3), hidden=12, heads=3, depth=3)
    features = encoder(torch.randn(2, 3, 10, 17, 3))
    assert features.clip.shape == (2, encoder.dim) == (2, 24)
    assert features.temporal.shape == (2, 10, 12)
    assert features.spatial.shape == (2, 51, 12)
    assert torch.equal(features.clip, torch.cat((features.temporal.amax(1), features.spatial.amax(1)), 1))


@pytest.mark.parametrize("settings", [{"drop_path": 1.0}, {"gap": 0}, {"alpha": 1.5}, {"heads": 3}])
def test_settings_out_of_range_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(KinemeError, match=next(iter(settings))):
        DSTE(ClipShape(STICK, 4, 1), hidden=8, **settings)  # type: ignore[arg-type]


def test_tokens_cannot_be_left_out() -> None:
    """The dense shift mixes all of them, by weights of their number."""
    encoder = DSTE(ClipShape(STICK, 4, 1), hidden=8)
    assert not encoder.runs_on_kept_tokens
    with pytest.raises(KinemeError, match="DSTE mixes all tokens and cannot leave out any"):
        encoder(torch.randn(2, 3, 4, 3, 1), Kept(temporal=torch.tensor([[0, 1], [2, 3]])))
