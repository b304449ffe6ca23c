"""MAMP's encoder. Agreement with the published program: tests/methods/test_mamp.py."""

from __future__ import annotations

import pytest
import torch

from kineme.augment import to_patches
from kineme.encoders import ClipShape, JointTransformer, Kept
from kineme.errors import KinemeError
from kineme.layouts import Layout

STICK = Layout.from_names("stick3", ["hip", "neck", "head"], [None, "hip", "neck"])


def small(**settings: int | bool) -> JointTransformer:
    torch.manual_seed(0)
    return JointTransformer(ClipShape(STICK, 8, 2), **{"hidden": 8, "heads": 2, "depth": 2, **settings})


def test_features_are_means_of_tokens() -> None:
    encoder, clips = small(), torch.randn(3, 3, 8, 3, 2)
    features = encoder(clips)
    tokens = features.tokens
    assert tokens.shape == (3, 2, 2 * 3, 8)
    torch.testing.assert_close(features.clip, tokens.mean((1, 2)))
    grid = tokens.view(3, 2, 2, 3, 8)  # N, M, segments, joints, D
    torch.testing.assert_close(features.temporal[:, 1], grid[:, :, 1].mean((1, 2)))
    torch.testing.assert_close(features.spatial[:, 3 + 2], grid[:, 1, :, 2].mean(1))


def test_a_token_is_a_joint_in_a_segment_with_both_positions() -> None:
    encoder, clips = small(), torch.randn(2, 3, 8, 3, 2)
    embedded = encoder.embedded(clips).view(2, 2, 2, 3, 8)
    patch = to_patches(clips, 4)[1, 0, 1 * 3 + 2]
    expected = encoder.embedding(patch) + encoder.segment_position[1] + encoder.joint_position[2]
    torch.testing.assert_close(embedded[1, 0, 1, 2], expected)


def test_bodies_do_not_see_each_other() -> None:
    encoder, clips = small(), torch.randn(2, 3, 8, 3, 2)
    other = clips.clone()
    other[..., 1] = 0
    torch.testing.assert_close(encoder(other).tokens[:, 0], encoder(clips).tokens[:, 0])


def test_all_tokens_kept_are_the_full_pass_in_their_order() -> None:
    encoder, clips = small(), torch.randn(3, 3, 8, 3, 2)
    order = torch.stack([torch.randperm(6) for _ in range(6)]).view(3, 2, 6)
    features, full = encoder(clips, Kept(tokens=order)), encoder(clips)
    expected = full.tokens.gather(2, order[..., None].expand(-1, -1, -1, 8))
    torch.testing.assert_close(features.tokens, expected)
    torch.testing.assert_close(features.clip, full.clip)


def test_kept_tokens_see_each_other_only() -> None:
    encoder, clips = small(), torch.randn(1, 3, 8, 3, 2)
    kept = Kept(tokens=torch.tensor([[[0, 4], [2, 5]]]))  # body 0: joint 0 in segment 0, joint 1 in segment 1
    features = encoder(clips, kept)
    assert features.tokens.shape == (1, 2, 2, 8)
    assert features.temporal is None
    other = clips.clone()
    other[:, :, :, 2, 0] += 1  # a joint of which body 0 keeps no patch
    other[:, :, 4:, 0, 0] += 1
    torch.testing.assert_close(encoder(other, kept).tokens, features.tokens)
    assert not torch.allclose(encoder(other).tokens[0, 0, 0], encoder(clips).tokens[0, 0, 0])


def test_absent_bodies_can_be_left_out_of_the_feature() -> None:
    clips = torch.randn(3, 3, 8, 3, 2)
    clips[1, ..., 1] = 0
    clips[2] = 0  # nobody at all
    full, present = small()(clips), small(present_only=True)(clips)
    bodies = full.tokens.mean(2)
    torch.testing.assert_close(full.clip, bodies.mean(1))
    torch.testing.assert_close(present.clip[0], bodies[0].mean(0))
    torch.testing.assert_close(present.clip[1], bodies[1, 0])
    assert not present.clip[2].any()


def test_stochastic_depth_rises_to_the_last_block() -> None:
    encoder = small(depth=3)
    encoder.set_drop_path(0.3)
    assert [block.drop_path for block in encoder.blocks] == pytest.approx([0.0, 0.15, 0.3])


def test_coordinates_are_not_rounded_under_mixed_precision() -> None:
    encoder = small()
    far, moved = (
        torch.full((1, 3, 8, 3, 2), 4.0),
        torch.full((1, 3, 8, 3, 2), 4.001),
    )  # one number in bfloat16
    with torch.autocast("cpu", torch.bfloat16):
        one, other = encoder.embedded(far), encoder.embedded(moved)
    assert one.dtype == torch.float32
    assert not torch.equal(one, other)


def test_stages_hold_every_parameter_once_from_input_to_output() -> None:
    encoder = small()
    stages = encoder.stages()
    assert len(stages) == 1 + 2 + 1
    names = {id(parameter): name for name, parameter in encoder.named_parameters()}
    assert sorted(names[id(each)] for stage in stages for each in stage) == sorted(names.values())
    assert {names[id(each)].split(".")[0] for each in stages[0]} == {
        "embedding",
        "joint_position",
        "segment_position",
    }
    assert all(names[id(each)].startswith("blocks.1.") for each in stages[2])


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"heads": 3}, "heads: 3 does not"), ({"patch": 3}, "patch: 3 does not"), ({"depth": 0}, "depth: is 0")],
)
def test_settings_that_make_no_network_are_refused(settings: dict[str, int], message: str) -> None:
    with pytest.raises(KinemeError, match=message):
        small(**settings)
