"""STTR, and what it shares with DSTE. Agreement with the published program: tests/methods/test_usdrl.py."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from kineme.encoders.base import ClipShape, Kept
from kineme.encoders.sttr import STTR, PostNormLayer
from kineme.encoders.tokens import (
    SelfAttention,
    TokenStream,
    sinusoidal_positions,
    spatial_tokens,
    temporal_tokens,
)
from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS, Layout

STICK = Layout.from_names("stick3", ["hip", "neck", "head"], [None, "hip", "neck"])


def test_tokens_flatten_in_the_published_order() -> None:
    clips = torch.arange(2 * 3 * 4 * 5 * 2).view(2, 3, 4, 5, 2)  # N C T V M
    temporal, spatial = temporal_tokens(clips), spatial_tokens(clips)
    assert temporal.shape == (2, 4, 2 * 5 * 3)
    assert spatial.shape == (2, 2 * 5, 4 * 3)
    for c, t, v, m in [(0, 0, 0, 0), (2, 1, 3, 1), (1, 3, 4, 0)]:
        assert temporal[1, t, (m * 5 + v) * 3 + c] == clips[1, c, t, v, m]
        assert spatial[1, m * 5 + v, t * 3 + c] == clips[1, c, t, v, m]


def test_sinusoidal_positions() -> None:
    positions = sinusoidal_positions(4, 6)
    for p in range(4):
        for i in range(3):
            angle = p / 10000 ** (2 * i / 6)
            assert positions[p, 2 * i].item() == pytest.approx(math.sin(angle), abs=1e-6)
            assert positions[p, 2 * i + 1].item() == pytest.approx(math.cos(angle), abs=1e-6)
    assert sinusoidal_positions(4, 5).shape == (4, 5)


@pytest.mark.parametrize("heads", [1, 4])
def test_attention_is_torch_multi_head_attention(heads: int) -> None:
    torch.manual_seed(0)
    ours, theirs = SelfAttention(8, heads), nn.MultiheadAttention(8, heads, batch_first=True)
    theirs.load_state_dict(
        {
            "in_proj_weight": ours.qkv.weight,
            "in_proj_bias": nn.init.normal_(ours.qkv.bias),
            "out_proj.weight": ours.out.weight,
            "out_proj.bias": nn.init.normal_(ours.out.bias),
        }
    )
    x = torch.randn(3, 5, 8)
    torch.testing.assert_close(ours(x), theirs(x, x, x, need_weights=False)[0])


def test_layer_is_torch_post_norm_layer() -> None:
    torch.manual_seed(0)
    ours = PostNormLayer(8, 2)
    theirs = nn.TransformerEncoderLayer(8, 2, dim_feedforward=8, dropout=0, batch_first=True)
    renamed = {
        name.replace("attention.qkv.", "self_attn.in_proj_").replace(
            "attention.out", "self_attn.out_proj"
        ): tensor
        for name, tensor in ours.state_dict().items()
    }
    theirs.load_state_dict(renamed)
    x = torch.randn(3, 5, 8)
    torch.testing.assert_close(ours(x), theirs(x))


@pytest.mark.parametrize(("layout", "frames", "bodies"), [(STICK, 7, 1), (LAYOUTS["coco17"], 16, 3)])
def test_any_layout_frames_bodies_width_and_depth(layout: Layout, frames: int, bodies: int) -> None:
    encoder = STTR(ClipShape(layout, frames, bodies), hidden=12, heads=3, depth=1)
    features = encoder(torch.randn(2, 3, frames, layout.num_joints, bodies))
    assert features.temporal.shape == (2, frames, 12)
    assert features.spatial.shape == (2, bodies * layout.num_joints, 12)
    assert encoder.dim == 24
    assert torch.equal(features.clip, torch.cat((features.temporal.amax(1), features.spatial.amax(1)), 1))


def test_positions_are_added_before_the_first_layer_only() -> None:
    encoder = STTR(ClipShape(STICK, 4, 1), hidden=4, depth=2)
    stream = encoder.temporal
    tokens = torch.randn(2, 4, 9)
    x = stream.layers[1](stream.layers[0](stream.embedding(tokens) + stream.position))
    torch.testing.assert_close(stream(tokens), x)


def test_features_of_a_clip_do_not_depend_on_its_batch() -> None:
    torch.manual_seed(0)
    encoder = STTR(ClipShape(STICK, 4, 1), hidden=8).train()
    clips = torch.randn(5, 3, 4, 3, 1)
    torch.testing.assert_close(encoder(clips).clip[1:3], encoder(clips[1:3]).clip)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"hidden": 6, "heads": 4}, "does not divide"), ({"hidden": 0}, "hidden"), ({"depth": 0}, "depth")],
)
def test_settings_that_make_no_network_are_refused(settings: dict[str, int], message: str) -> None:
    with pytest.raises(KinemeError, match=message):
        STTR(ClipShape(STICK, 4, 1), **settings)


def test_clips_of_another_shape_are_refused() -> None:
    encoder = STTR(ClipShape(STICK, 4, 1), hidden=4)
    with pytest.raises(KinemeError, match=r"clips are torch.int64; give coordinates as clips.float\(\)"):
        encoder(torch.zeros((2, 3, 4, 3, 1), dtype=torch.int64))
    with pytest.raises(KinemeError, match=r"\(3, 5, 3, 1\) given to an encoder for \(3, 4, 3, 1\)"):
        encoder(torch.randn(2, 3, 5, 3, 1))


def three_clips() -> tuple[STTR, torch.Tensor]:
    torch.manual_seed(0)
    return STTR(ClipShape(STICK, 5, 2), hidden=8, heads=2).eval(), torch.randn(3, 3, 5, 3, 2)


def test_all_tokens_kept_are_the_full_pass() -> None:
    encoder, clips = three_clips()
    kept = Kept(torch.arange(5).expand(3, -1), torch.arange(6).expand(3, -1))
    full, again = encoder(clips), encoder(clips, kept)
    for name in ("clip", "temporal", "spatial"):
        torch.testing.assert_close(getattr(again, name), getattr(full, name))


def alone(stream: TokenStream, tokens: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """What a stream's layers make of a few tokens of each clip, where there are no others."""
    clips = []
    for own, places in zip(tokens, kept, strict=True):
        x = stream.embedding(own[places]) + stream.position[places]
        for layer in stream.layers:
            x = layer(x[None])[0]
        clips.append(x)
    return torch.stack(clips)


def test_kept_tokens_attend_to_each_other_only() -> None:
    encoder, clips = three_clips()
    kept = Kept(torch.tensor([[0, 3], [4, 1], [2, 3]]), torch.tensor([[5, 0, 2], [1, 2, 3], [0, 1, 4]]))
    features = encoder(clips, kept)
    temporal = alone(encoder.temporal, temporal_tokens(clips), kept.temporal)
    spatial = alone(encoder.spatial, spatial_tokens(clips), kept.spatial)
    torch.testing.assert_close(features.temporal, temporal)
    torch.testing.assert_close(features.spatial, spatial)
    torch.testing.assert_close(features.clip, torch.cat((temporal.amax(1), spatial.amax(1)), dim=1))
    other = clips.clone()
    other[0, :, [1, 2, 4]] += 1  # frames that the first clip does not keep
    assert torch.equal(encoder(other, kept).temporal, features.temporal)
    assert not torch.equal(encoder(other).temporal[0, [0, 3]], encoder(clips).temporal[0, [0, 3]])


def test_one_stream_can_keep_all_tokens() -> None:
    encoder, clips = three_clips()
    features = encoder(clips, Kept(spatial=torch.tensor([[2], [0], [5]])))
    torch.testing.assert_close(features.temporal, encoder(clips).temporal)
    assert features.spatial.shape == (3, 1, 8)
