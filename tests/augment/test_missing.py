"""Joints that a clip lacks: where they are placed, and which ones are dropped by chance."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kineme.augment.missing import draw_present, fill_weights, filled, filled_frames
from kineme.layouts import LAYOUTS, Layout

#  hip ─ chest ─ neck ─ head, with a hand on the chest
BODY = Layout.from_names(
    "body", ["hip", "chest", "neck", "head", "hand"], [None, "hip", "chest", "neck", "chest"]
)


def weights(*absent: str) -> torch.Tensor:
    present = torch.tensor([[joint not in absent for joint in BODY.joints]])
    return fill_weights(present, BODY)[0]


def test_a_gap_of_two_joints_is_crossed_in_even_steps() -> None:
    found = weights("chest", "neck", "hand")
    torch.testing.assert_close(found[1], torch.tensor([2 / 3, 0, 0, 1 / 3, 0]))
    torch.testing.assert_close(found[2], torch.tensor([1 / 3, 0, 0, 2 / 3, 0]))
    torch.testing.assert_close(found[4], found[1])  # the hand hangs on the chest alone


def test_a_limb_without_its_end_ends_at_its_last_present_joint() -> None:
    found = weights("neck", "head")
    assert found[2].tolist() == found[3].tolist() == [0, 1, 0, 0, 0]


def test_present_joints_are_untouched_bit_for_bit_and_garbage_has_no_part() -> None:
    generator = torch.Generator().manual_seed(0)
    clips = torch.randn(2, 3, 4, 5, 2, generator=generator)
    present = torch.tensor([[True, False, True, True, False], [True] * 5])
    spoiled = clips.masked_fill(~present[:, None, None, :, None], float("nan"))
    found = filled(spoiled, present, BODY)
    assert torch.equal(found, filled(clips, present, BODY))
    assert torch.equal(found[1], clips[1])
    assert torch.equal(found[0][:, :, [0, 2, 3]], clips[0][:, :, [0, 2, 3]])
    torch.testing.assert_close(found[0][:, :, 1], (clips[0][:, :, 0] + clips[0][:, :, 2]) / 2)


def test_without_any_joint_all_are_zero_and_absent_bodies_stay_so() -> None:
    clips = torch.ones(1, 3, 2, 5, 2)
    clips[..., 1] = 0
    assert not filled(clips, torch.zeros(1, 5, dtype=torch.bool), BODY).any()
    assert not filled(clips, torch.tensor([[True, False, True, True, True]]), BODY)[..., 1].any()


def test_one_clip_as_arrays_is_filled_alike() -> None:
    xyz = np.random.default_rng(0).normal(size=(6, 1, 5, 3)).astype(np.float32)
    present = np.array([True, True, False, True, True])
    found = filled_frames(xyz, present, BODY)
    np.testing.assert_allclose(found[:, :, 2], (xyz[:, :, 1] + xyz[:, :, 3]) / 2, rtol=1e-6)
    assert filled_frames(xyz, None, BODY) is xyz


@pytest.mark.parametrize("name", ["ntu25", "coco17", "kinect20"])
def test_every_joint_is_a_mean_of_present_ones(name: str) -> None:
    layout = LAYOUTS[name]
    present = draw_present(50, layout.num_joints, 0.7, torch.Generator().manual_seed(0))
    found = fill_weights(present, layout)
    torch.testing.assert_close(found.sum(2), torch.ones(50, layout.num_joints))
    assert found.min() > -1e-6
    assert found[~present[:, None].expand_as(found)].abs().max() == 0


def test_joints_are_dropped_at_the_given_share_but_never_all() -> None:
    few = draw_present(4000, 25, 0.2, torch.Generator().manual_seed(0))
    assert few.float().mean().item() == pytest.approx(0.8, abs=0.01)
    assert draw_present(4000, 3, 0.99, torch.Generator().manual_seed(0)).any(1).all()
