"""Patches and their masking, by hand. Agreement with the published program: tests/methods/test_mamp.py."""

from __future__ import annotations

import pytest
import torch

from kineme import augment
from kineme.errors import KinemeError


def test_patches_are_cut_in_the_published_order() -> None:
    clips = torch.arange(2 * 3 * 8 * 5 * 2).view(2, 3, 8, 5, 2)  # N C T V M
    patches = augment.to_patches(clips, 4)
    assert patches.shape == (2, 2, 2 * 5, 4 * 3)
    for c, t, v, m in [(0, 0, 0, 0), (2, 6, 3, 1), (1, 3, 4, 0)]:
        assert patches[1, m, (t // 4) * 5 + v, (t % 4) * 3 + c] == clips[1, c, t, v, m]


@pytest.mark.parametrize(("ratio", "kept"), [(0.9, 74), (0.8, 149), (0.5, 375)])
def test_a_share_is_rounded_down_in_double_precision(ratio: float, kept: int) -> None:
    """750 · (1 - 0.9) is 74.99..., and one patch fewer is what was published."""
    assert augment.num_kept(750, ratio) == kept
    order = augment.hiding_order(torch.rand(3, 750))
    chosen = augment.kept_patches(order, kept)
    assert chosen.shape == (3, kept)
    hidden = augment.hidden_patches(chosen, 750)
    assert hidden.sum(1).tolist() == [750 - kept] * 3
    for row in range(3):
        assert order[row][~hidden[row]].max() < order[row][hidden[row]].min()


def test_intensity_is_the_mean_absolute_change_since_the_segment_before() -> None:
    patches = torch.tensor([[0.0, 0.0], [1.0, 1.0], [3.0, -1.0], [1.0, 1.0], [3.0, 0.0], [2.0, 3.0]])
    # Three segments of two joints: joint 0 changes by (3, 1) and (0, 1), joint 1 by (0, 0) and (1, 2).
    assert augment.motion_intensity(patches, 2).tolist() == [2.0, 0.0, 2.0, 0.0, 0.5, 1.5]
    with pytest.raises(KinemeError, match="at least two of them"):
        augment.motion_intensity(patches[:2], 2)


def test_logits_are_relative_to_the_greatest_motion_of_a_body() -> None:
    logits = augment.masking_logits(torch.tensor([[1.0, 2.0], [0.0, 0.0], [10.0, 20.0]]), 0.8)
    torch.testing.assert_close(logits, torch.tensor([[0.625, 1.25], [0.0, 0.0], [0.625, 1.25]]))


def test_motion_is_hidden_more_often_and_an_absent_body_uniformly() -> None:
    generator = torch.Generator().manual_seed(0)
    intensity = torch.tensor([0.0, 0.1, 0.5, 1.0, 0.0])
    noise = torch.rand(20_000, 5, generator=generator)

    def share(logits: torch.Tensor | None) -> torch.Tensor:
        kept = augment.kept_patches(augment.hiding_order(noise, logits), 2)
        return augment.hidden_patches(kept, 5).float().mean(0)

    moving = share(augment.masking_logits(intensity, 0.25))
    assert (moving.sort().values == moving[[0, 4, 1, 2, 3]]).all() or (
        moving.sort().values == moving[[4, 0, 1, 2, 3]]
    ).all()
    assert moving[3] > moving[0] + 0.3
    for uniform in (share(None), share(torch.zeros(5))):
        torch.testing.assert_close(uniform, torch.full((5,), 0.6), atol=0.015, rtol=0)


def test_noise_of_zero_gives_finite_scores() -> None:
    scores = augment.hiding_order(torch.tensor([0.0, 1.0 - 1e-7, 0.5]), torch.zeros(3))
    assert torch.isfinite(scores).all()
