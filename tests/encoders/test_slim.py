"""SLiM's encoder: size, tokens, masks, clips of any length."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from kineme.augment import to_patches
from kineme.encoders import ClipShape, RotaryTransformer
from kineme.encoders.rotary import turn_by, turned
from kineme.encoders.slim import RotaryBlock
from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS, Layout

STICK = Layout.from_names("stick3", ["hip", "neck", "head"], [None, "hip", "neck"])


def small(**settings: int) -> RotaryTransformer:
    """With tokens and attention that are no longer faint, so that all of them count."""
    torch.manual_seed(0)
    encoder = RotaryTransformer(
        ClipShape(STICK, 8, 2), **{"hidden": 8, "heads": 2, "depth": 2, "patch": 4, **settings}
    )
    with torch.no_grad():
        for parameter in (encoder.class_token, encoder.registers, encoder.mask_token):
            parameter.normal_()
        for block in encoder.blocks:
            block.attention.qkv.weight.normal_()
    return encoder.eval()


def test_the_published_size_is_6_37_million_parameters() -> None:
    encoder = RotaryTransformer(ClipShape(LAYOUTS["ntu25"], 64, 2))
    assert sum(parameter.numel() for parameter in encoder.parameters()) == 6_368_768
    assert encoder.blocks[0].linear12.out_features == 2 * 688


def test_parameters_begin_as_published() -> None:
    torch.manual_seed(0)
    encoder = RotaryTransformer(ClipShape(LAYOUTS["ntu25"], 64, 2), depth=1)
    block = encoder.blocks[0]
    for linear in (block.attention.qkv, block.attention.out, block.linear12, block.linear3):
        assert linear.weight.std().item() == pytest.approx(0.02, rel=0.02)
        assert not linear.bias.any()
    assert encoder.position.std().item() == pytest.approx(0.02, rel=0.05)
    assert encoder.class_token.std().item() == pytest.approx(1e-6, rel=0.2)
    assert encoder.registers.std().item() == pytest.approx(1e-6, rel=0.2)
    assert not encoder.mask_token.any()
    assert encoder.norm.eps == block.norm1.eps == block.norm2.eps == 1e-6


def test_a_token_is_a_patch_or_the_mask_token_with_its_joints_position() -> None:
    encoder, clips = small(), torch.randn(2, 3, 8, 3, 2)
    mask = torch.ones(2, 8, 3, 2, dtype=torch.bool)
    mask[1, 5, 2, 0] = False  # one frame of segment 1, joint 2, body 0
    found = encoder.embedded(clips, mask)
    plain = encoder.embedded(clips)
    token = 1 * 3 + 2
    patch = to_patches(clips, 4)[1, 0, token]
    torch.testing.assert_close(plain[1, 0, token], encoder.embedding(patch) + encoder.position[1 + 2])
    torch.testing.assert_close(found[1, 0, token], encoder.mask_token[0] + encoder.position[1 + 2])
    changed = (found != plain).any(-1)
    assert changed.nonzero().tolist() == [[1, 0, token]]


def test_masked_patches_are_not_seen() -> None:
    encoder, clips = small(), torch.randn(2, 3, 8, 3, 1)
    mask = torch.ones(2, 8, 3, 1, dtype=torch.bool)
    mask[:, 4:, 1] = False
    other = clips.clone()
    other[:, :, 4:, 1] += 1
    for one, another in zip(encoder.tokens(clips, mask), encoder.tokens(other, mask), strict=True):
        assert torch.equal(one, another)
    assert not torch.allclose(encoder.tokens(clips)[0], encoder.tokens(other)[0])


def test_a_block_is_attention_with_turned_queries_and_a_gated_mlp() -> None:
    torch.manual_seed(0)
    block = RotaryBlock(8, 2)
    x, turn = torch.randn(3, 5, 8), turn_by(torch.tensor([0, 0, 1, 1, 2]), 4)
    query, key, value = block.attention.qkv(block.norm1(x)).view(3, 5, 3, 2, 4).unbind(2)

    def of_head(each: Tensor, head: int, moved: bool = True) -> Tensor:
        return turned(each[:, :, head], turn) if moved else each[:, :, head]

    mixed = []
    for head in range(2):
        weights = (of_head(query, head) @ of_head(key, head).mT / 2).softmax(-1)  # √4
        mixed.append(weights @ of_head(value, head, moved=False))
    expected = x + block.attention.out(torch.cat(mixed, -1))
    inner = block.linear12(block.norm2(expected))
    half = inner.shape[-1] // 2
    expected = expected + block.linear3(F.silu(inner[..., :half]) * inner[..., half:])
    torch.testing.assert_close(block(x, turn), expected)


def test_time_tells_segments_apart() -> None:
    """Without it, the tokens of two segments that change places would change places too, and no more."""
    encoder, clips = small(), torch.randn(1, 3, 8, 3, 1)
    swapped = torch.cat((clips[:, :, 4:], clips[:, :, :4]), 2)
    (kind, patches), (other, moved) = encoder.tokens(clips), encoder.tokens(swapped)
    assert (other - kind).abs().max() > 1e-2
    assert (moved[0, 0, 3:] - patches[0, 0, :3]).abs().max() > 1e-2


def test_the_class_token_has_a_position_of_its_own_added() -> None:
    encoder, clips = small(), torch.randn(1, 3, 8, 3, 1)
    kind, _ = encoder.tokens(clips)
    with torch.no_grad():
        encoder.class_token += encoder.position[:1]
        encoder.position[0] = 0
    torch.testing.assert_close(encoder.tokens(clips)[0], kind)


def test_clips_of_any_length_and_number_of_bodies_are_taken() -> None:
    encoder = small()
    for frames, bodies in ((4, 1), (8, 2), (16, 3)):
        kind, patches = encoder.tokens(torch.randn(2, 3, frames, 3, bodies))
        assert kind.shape == (2, bodies, 8)
        assert patches.shape == (2, bodies, frames // 4 * 3, 8)
    with pytest.raises(KinemeError, match=r"\(3, 6, 3, 1\) given to an encoder of 3 joints in segments of 4"):
        encoder.tokens(torch.randn(2, 3, 6, 3, 1))
    with pytest.raises(KinemeError, match=r"\(3, 8, 5, 1\) given to an encoder of 3 joints"):
        encoder(torch.randn(2, 3, 8, 5, 1))


def test_the_feature_is_the_sum_over_present_bodies() -> None:
    encoder, clips = small(), torch.randn(3, 3, 8, 3, 2)
    clips[1, ..., 0] = 0
    clips[2] = 0  # nobody at all
    features = encoder(clips)
    kind, patches = encoder.tokens(clips)
    each = torch.cat((kind, patches.mean(2)), -1)  # N, M, 2D
    torch.testing.assert_close(features.clip[0], each[0].sum(0))
    torch.testing.assert_close(features.clip[1], each[1, 1])
    assert not features.clip[2].any()
    torch.testing.assert_close(features.tokens[1, 1], patches[1, 1])
    assert not features.tokens[1, 0].any()
    mask = torch.rand(3, 8, 3, 2) < 0.5
    hidden = encoder(clips, mask)
    torch.testing.assert_close(hidden.tokens[1, 1], encoder.tokens(clips, mask)[1][1, 1])
    assert not torch.allclose(hidden.clip[0], features.clip[0])
    assert not encoder(clips[2:]).clip.any()


def test_coordinates_are_not_rounded_under_mixed_precision() -> None:
    encoder = small()
    far, moved = torch.full((1, 3, 8, 3, 1), 4.0), torch.full((1, 3, 8, 3, 1), 4.001)  # one in bfloat16
    with torch.autocast("cpu", torch.bfloat16):
        one, other = encoder.embedded(far), encoder.embedded(moved)
    assert one.dtype == torch.float32
    assert not torch.equal(one, other)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"heads": 3}, "heads: 3 of an even width do not fit into the hidden size 8"),
        ({"heads": 8}, "heads: 8 of an even width"),
        ({"patch": 3}, "patch: 3 does not"),
        ({"depth": 0}, "depth: is 0"),
        ({"registers": -1}, "registers: is -1"),
    ],
)
def test_settings_that_make_no_network_are_refused(settings: dict[str, int], message: str) -> None:
    with pytest.raises(KinemeError, match=message):
        small(**settings)
