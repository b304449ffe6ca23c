"""Semantic tubes: what a mask may hold, how much of it, and that each clip has its own."""

from __future__ import annotations

import pytest
import torch

from kineme import augment
from kineme.layouts import LAYOUTS
from kineme.layouts.parts import body_parts

NTU = augment.part_places(body_parts(LAYOUTS["ntu25"]), 25)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(budget: list[int], segments: list[int], least: int = 1, seed: int = 0) -> torch.Tensor:
    each, every = (torch.tensor(numbers, dtype=torch.int64) for numbers in (budget, segments))
    most = max(segments, default=0)
    return augment.draw_tubes(each, every, torch.full_like(every, least), NTU, most, generator(seed))


def test_a_mask_fills_its_budget_and_never_more() -> None:
    ratios = augment.draw_ratios(200, 0.5, 0.9, generator(1))
    budget = (ratios * 200).long()
    masked = drawn(budget.tolist(), [8] * 200, least=8).sum((1, 2))
    assert (masked <= budget).all()
    assert (masked / budget).mean() > 0.97
    assert (
        masked == budget
    ).float().mean() > 0.5  # of the others ten tries found no room for the last patches


def test_no_budget_masks_nothing() -> None:
    masks = drawn([0, 30, 0], [8, 8, 4])
    assert masks.sum((1, 2)).tolist()[::2] == [0, 0]
    assert masks[1].any()
    assert drawn([], []).shape == (0, 0, 25)


def test_clips_of_different_lengths_are_masked_within_their_own_segments() -> None:
    segments = [1, 2, 4, 8] * 50
    masks = drawn([int(0.7 * 25 * each) for each in segments], segments)
    for mask, most in zip(masks, segments, strict=True):
        assert not mask[most:].any()
        assert mask[:most].any()


def test_one_tube_is_a_run_of_joints_of_one_part_over_a_run_of_segments() -> None:
    places = augment.part_places([[0, 2, 4], [1, 3]], 5)
    sizes = set()
    for seed in range(300):
        (mask,) = augment.draw_tubes(
            torch.tensor([6]), torch.tensor([6]), torch.tensor([6]), places, 6, generator(seed)
        )
        rows, columns = mask.any(1).nonzero()[:, 0].tolist(), mask.any(0).nonzero()[:, 0].tolist()
        if int(mask.sum()) == 6 and len(rows) * len(columns) == 6 and {*columns} <= {0, 2, 4}:
            assert rows == list(range(rows[0], rows[-1] + 1))
            assert columns in ([0], [2], [4], [0, 2], [2, 4], [0, 2, 4])  # never 0 and 4 alone
            sizes.add(len(columns))
    assert sizes == {1, 2, 3}


def test_parts_are_equally_likely_whatever_their_size() -> None:
    masks = drawn([1] * 5000, [1] * 5000)
    of_part = torch.stack([masks[:, 0, list(part)].any(1) for part in body_parts(LAYOUTS["ntu25"])])
    # A single patch is a run of one joint: in a list of n joints one of n lengths is 1. Ten tries may fail.
    expected = torch.tensor([1 / 5, 1 / 6, 1 / 6, 1 / 4, 1 / 4])
    found = 1 - (1 - expected.mean().item()) ** 10
    assert of_part.sum(0).float().mean().item() == pytest.approx(found, abs=0.02)
    share = of_part.sum(1) / of_part.sum()
    torch.testing.assert_close(share, expected / expected.sum(), atol=0.02, rtol=0)


def test_ratios_are_one_in_each_equal_part_of_their_range() -> None:
    ratios = augment.draw_ratios(10, 0.5, 0.9, generator())
    for number, ratio in enumerate(ratios.tolist()):
        assert 0.5 + 0.04 * number <= ratio <= 0.5 + 0.04 * (number + 1)
    assert augment.draw_ratios(0, 0.5, 0.9, generator()).shape == (0,)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: layout.name)
def test_every_joint_has_one_place(layout) -> None:  # type: ignore[no-untyped-def]
    places = augment.part_places(body_parts(layout), layout.num_joints)
    assert ((places >= 0).sum(0) == 1).all()
