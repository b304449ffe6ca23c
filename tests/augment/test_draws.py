"""Coins, subsets, and choosing clip by clip."""

from __future__ import annotations

import pytest
import torch

from kineme.augment import draw_coin, draw_subset, draw_uniform, where


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("probability", [0.0, 0.25, 0.5, 1.0])
def test_a_coin_falls_at_its_rate(probability: float) -> None:
    rate = draw_coin(20_000, probability, generator()).float().mean().item()
    assert rate == pytest.approx(probability, abs=0.01)


def test_uniform_numbers_fill_their_range() -> None:
    drawn = draw_uniform((10_000, 2), -3.0, 1.0, generator())
    assert -3 <= drawn.min() < -2.99
    assert 0.99 < drawn.max() <= 1
    torch.testing.assert_close(drawn.mean(0), torch.full((2,), -1.0), rtol=0.03, atol=0)


def test_a_subset_has_distinct_members_and_favours_none() -> None:
    drawn = draw_subset(20_000, 3, 7, generator())
    assert (drawn.sum(1) == 3).all()
    torch.testing.assert_close(drawn.float().mean(0), torch.full((7,), 3 / 7), rtol=0.03, atol=0)


def test_where_chooses_whole_clips_or_parameters() -> None:
    apply = torch.tensor([True, False])
    clips = torch.randn(2, 3, 4, 5, 1, generator=generator())
    chosen = where(apply, -clips, clips)
    assert torch.equal(chosen[0], -clips[0])
    assert torch.equal(chosen[1], clips[1])
    assert where(apply, torch.tensor([2, 1]), -1).tolist() == [2, -1]
    assert where(apply, torch.ones(2, 3), 0.0).tolist() == [[1, 1, 1], [0, 0, 0]]
    assert where(apply, torch.ones(2, 2, dtype=torch.bool), False).tolist() == [[True, True], [False, False]]
