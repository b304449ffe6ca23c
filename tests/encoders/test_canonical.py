"""Clips that an encoder places, turns and scales; a clip feature read from maxima and course."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from kineme.augment import rotate
from kineme.encoders import Canonical, ClipShape
from kineme.encoders.canonical import canonical, course
from kineme.layouts import Layout, get_layout

NTU = get_layout("ntu25")


def clips_of(n: int = 2, frames: int = 16, bodies: int = 2) -> Tensor:
    return torch.randn(n, 3, frames, 25, bodies, generator=torch.Generator().manual_seed(0))


def test_place_angle_and_size_of_the_first_body_do_not_matter() -> None:
    clips = clips_of()
    moved = rotate(2.5 * clips, torch.tensor([[0.0, 40.0, 0.0], [0.0, -170.0, 0.0]])) + 3.0
    torch.testing.assert_close(canonical(moved, NTU), canonical(clips, NTU), atol=1e-5, rtol=0)


def test_a_canonical_clip_stays_as_it_is() -> None:
    once = canonical(clips_of(), NTU)
    torch.testing.assert_close(canonical(once, NTU), once, atol=1e-6, rtol=0)


def test_its_mean_bone_is_one_and_its_shoulders_lie_along_x() -> None:
    x = canonical(clips_of(), NTU)[..., 0]
    child, parent = (list(ends) for ends in zip(*NTU.bones, strict=True))
    assert NTU.facing is not None
    left, right = NTU.facing
    line = (x[..., right] - x[..., left]).sum(2)
    torch.testing.assert_close((x[..., child] - x[..., parent]).norm(dim=1).mean((1, 2)), torch.ones(2))
    torch.testing.assert_close(line[:, 2], torch.zeros(2), atol=1e-5, rtol=0)
    assert (line[:, 0] > 0).all()


def test_poses_in_images_are_placed_and_scaled_but_not_turned() -> None:
    flat = clips_of()
    flat[:, 2] = 0
    mirror = torch.tensor([-1.0, 1.0, 1.0]).view(1, 3, 1, 1, 1)
    x = canonical(flat, NTU)
    torch.testing.assert_close(canonical(2.5 * mirror * flat, NTU), mirror * x, atol=1e-5, rtol=0)
    child, parent = (list(ends) for ends in zip(*NTU.bones, strict=True))
    bones = (x[..., child, 0] - x[..., parent, 0]).norm(dim=1)
    torch.testing.assert_close(bones.mean((1, 2)), torch.ones(2))
    assert not x[:, 2].any()


def test_a_body_keeps_its_travel_and_its_turns() -> None:
    stick = Layout.from_names("stick", ["hip", "head"], [None, "hip"])
    walk = torch.tensor([0.0, 1.0, 2.0]).view(1, 1, 3, 1, 1) * torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1, 1)
    clip = walk + torch.tensor([[0.0, 0], [0, 1], [0, 0]]).view(1, 3, 1, 2, 1) + 7  # one metre a frame
    placed = canonical(clip, stick)
    assert placed[0, 0, :, 0, 0].tolist() == pytest.approx([-1.0, 0.0, 1.0])


def test_absent_bodies_and_frames_stay_zero_and_do_not_count() -> None:
    clips = clips_of()
    clips[0, ..., 1] = 0
    clips[1, :, 8:] = 0
    placed = canonical(clips, NTU)
    assert not placed[0, ..., 1].any()
    assert not placed[1, :, 8:].any()
    torch.testing.assert_close(placed[1:, :, :8], canonical(clips[1:, :, :8], NTU))
    assert not canonical(torch.zeros_like(clips), NTU).any()


def test_a_window_that_the_first_body_has_left_is_placed_by_the_next() -> None:
    clips = clips_of()
    clips[1, ..., 0] = 0
    placed = canonical(clips, NTU)
    assert not placed[1, ..., 0].any()
    torch.testing.assert_close(placed[1:, ..., 1:], canonical(clips[1:, ..., 1:], NTU))
    torch.testing.assert_close(placed[:1], canonical(clips[:1], NTU))


def test_a_glimpse_of_a_first_body_enlarges_nobody() -> None:
    """One frame of 16 is no measure; five are, so that who leaves early still counts."""
    clips = clips_of()
    alone = clips.clone()
    alone[..., 0] = 0
    clips[:, :, 1:, :, 0] = 0
    clips[..., 0] *= 0.001  # such as a false detection far away
    torch.testing.assert_close(canonical(clips, NTU)[..., 1], canonical(alone, NTU)[..., 1])
    five = clips_of()
    five[:, :, 5:, :, 0] = 0
    child, parent = (list(ends) for ends in zip(*NTU.bones, strict=True))
    placed = canonical(five, NTU)[:, :, :5, :, 0]
    torch.testing.assert_close(
        (placed[..., child] - placed[..., parent]).norm(dim=1).mean((1, 2)), torch.ones(2)
    )


def test_hidden_joints_are_zero_to_the_network_but_count_for_the_angle() -> None:
    encoder = Canonical(ClipShape(NTU, 16, 1), hidden=8).eval()
    clips = clips_of(bodies=1)
    mask = torch.ones(2, 16, 25, 1, dtype=torch.bool)
    mask[:, :, 5:9] = False
    seen: list[Tensor] = []
    encoder.spatial.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    encoder(clips, mask=mask)
    tokens = canonical(clips, NTU)[..., 0].permute(0, 3, 2, 1).flatten(2)
    tokens[:, 5:9] = 0
    torch.testing.assert_close(seen[0], tokens)


def test_bones_alone_are_taken_as_they_are() -> None:
    torch.manual_seed(0)
    encoder = Canonical(ClipShape(NTU, 16, 1, "bone"), hidden=8).eval()
    clips = clips_of(bodies=1)
    assert not torch.allclose(encoder(clips).clip, encoder(2 * clips).clip)


def test_at_first_the_clip_feature_is_the_maxima_over_tokens() -> None:
    encoder = Canonical(ClipShape(NTU, 16, 2), hidden=8).eval()
    features = encoder(clips_of())
    maxima = torch.cat((features.temporal.amax(1), features.spatial.amax(1)), dim=1)
    torch.testing.assert_close(features.clip, maxima)


def test_it_is_read_from_maxima_and_the_course_of_the_canonical_clip() -> None:
    encoder = Canonical(ClipShape(NTU, 16, 1), hidden=1).eval()
    clips = clips_of(bodies=1)
    places = canonical(clips, NTU).unflatten(2, (8, 2)).mean(3)  # (N, C, 8, V, M)
    encoder.centre.fill_(0.5)
    encoder.reading.zero_()
    encoder.reading[0, 1] = 2.0  # the first maximum, and the height of the joint 7 in the part 3
    encoder.reading[2 + (3 * 25 + 7) + 8 * 25, 0] = 10.0
    first = encoder(clips)
    torch.testing.assert_close(first.clip[:, 1], 2 * (first.temporal[..., 0].amax(1) - 0.5))
    at = places.permute(0, 2, 1, 3, 4).flatten(1)
    torch.testing.assert_close(first.clip[:, 0], 10 * (at[:, 3 * 25 + 7 + 8 * 25] - 0.5))


def test_a_course_has_parts_of_nearly_one_length() -> None:
    clips = torch.arange(20.0).view(1, 1, 20, 1, 1)
    assert course(clips).tolist() == [[1.0, 4.0, 7.0, 10.0, 12.5, 14.5, 16.5, 18.5]]
    assert course(clips[:, :, :3]).tolist() == [[0.0, 1.0, 2.0]]


def test_weights_with_a_deviation_for_each_maximum_still_load() -> None:
    torch.manual_seed(0)
    encoder, old = (Canonical(ClipShape(NTU, 16, 1), hidden=2).eval() for _ in range(2))
    state = encoder.state_dict() | {"centre": torch.tensor([1.0, 2, 3, 4]), "scale": torch.full((4,), 0.5)}
    del state["reading"]
    old.load_state_dict(state)
    clips = clips_of(bodies=1)
    expected = (encoder(clips).clip - torch.tensor([1.0, 2, 3, 4])) / 0.5
    torch.testing.assert_close(old(clips).clip, expected)
