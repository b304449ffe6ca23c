"""Clips that an encoder places, turns and scales itself; a clip feature that is standardised."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from kineme.augment import rotate
from kineme.encoders import Canonical, ClipShape
from kineme.encoders.canonical import canonical
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


def test_features_are_standardised_by_what_was_observed() -> None:
    encoder = Canonical(ClipShape(NTU, 16, 1), hidden=1)
    features = torch.tensor([[1.0, 10.0], [3.0, 30.0]])
    encoder.observe(features, 1.0)
    assert encoder.centre.tolist() == [2.0, 20.0]
    assert encoder.scale.tolist() == pytest.approx([math.sqrt(2), math.sqrt(200)])
    again = (features + torch.tensor([4.0, 0.0]) - encoder.centre) / encoder.scale  # means of 6 and 20
    encoder.observe(again, 0.25)
    assert encoder.centre.tolist() == pytest.approx([3.0, 20.0])
    assert encoder.scale.tolist() == pytest.approx([math.sqrt(2), math.sqrt(200)])
    plain = encoder.eval()(clips_of(bodies=1)).clip
    encoder.centre.add_(encoder.scale)
    torch.testing.assert_close(encoder(clips_of(bodies=1)).clip, plain - 1)
