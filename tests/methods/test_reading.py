"""The reading of a clip feature: running moments, shrunk whitening, a course that keeps its distances."""

from __future__ import annotations

import math

import pytest
import torch

from kineme.methods.reading import COURSE, EVERY, SHARE, SHRINKAGE, Reading

DRAW = torch.Generator().manual_seed(0)


def evidence_of(n: int, learned: torch.Tensor, course: int) -> torch.Tensor:
    """(n, D + K): normal, with this covariance (D, D) of what was learned, and K places of deviation 2."""
    factor = torch.linalg.cholesky(learned)
    first = torch.randn(n, len(learned), generator=DRAW) @ factor.T + 7
    return torch.cat((first, 2 * torch.randn(n, course, generator=DRAW) - 3), dim=1)


def test_the_first_observation_counts_whole_and_later_ones_by_their_number() -> None:
    reading = Reading(1, 1)
    reading.observe(torch.tensor([[1.0, 0], [3, 4]]))
    assert reading.centre.tolist() == [2.0, 2.0]
    assert (reading.covariance.item(), reading.energy.item()) == (2.0, 8.0)
    reading.observe(torch.tensor([[5.0, 1], [5, 1]]))  # far away, but all alike
    assert reading.centre.tolist() == [3.5, 1.5]
    assert (reading.covariance.item(), reading.energy.item()) == (1.0, 4.0)


def test_moments_follow_the_latest_fifty_observations() -> None:
    reading = Reading(1, 1)
    for _ in range(100):
        reading.observe(torch.zeros(2, 2))
    reading.observe(torch.ones(2, 2))
    assert reading.centre.tolist() == pytest.approx([SHARE, SHARE])


def test_a_reading_is_due_at_first_and_every_ten_observations() -> None:
    reading = Reading(1, 1)
    due = []
    for _ in range(2 * EVERY + 1):
        reading.observe(torch.randn(4, 2))
        due.append(reading.due)
    assert [number for number, each in enumerate(due) if each] == [0, EVERY, 2 * EVERY]


def test_what_diverged_is_read_as_nan_until_the_loss_tells() -> None:
    """A GPU's losses are looked at every few steps only, and the steps in between must not fail otherwise."""
    reading = Reading(2, 1)
    reading.observe(torch.full((4, 3), torch.nan))
    assert reading.matrix().isnan().all()


def test_moments_go_on_from_what_was_saved() -> None:
    evidence = [torch.randn(4, 5, generator=DRAW) for _ in range(4)]
    whole, first, second = (Reading(3, 2) for _ in range(3))
    for each in evidence:
        whole.observe(each)
    for each in evidence[:2]:
        first.observe(each)
    second.load_state_dict(first.state_dict())
    for each in evidence[2:]:
        second.observe(each)
    assert second.count == second.state_dict()["count"] == 4
    torch.testing.assert_close(second.state_dict(), whole.state_dict())


def test_the_projection_is_the_same_in_every_run() -> None:
    """Saved features are of one space."""
    torch.manual_seed(1)
    assert Reading(2, 3).projection.flatten()[:2].tolist() == pytest.approx([1.54099607, -0.29342890])


def test_what_was_learned_is_whitened_as_far_as_it_is_not_rare() -> None:
    """Two numbers of deviations 2 and 30 that correlate by 0.6: variances 1.6 and 0.4 of the correlation."""
    reading = Reading(2, 1)
    reading.covariance.copy_(torch.tensor([[4.0, 36.0], [36.0, 900.0]]))
    whitening = reading.matrix()[:2]
    found = whitening.T @ reading.covariance @ whitening
    first, second = 1.6 / (1.6 + SHRINKAGE), 0.4 / (0.4 + SHRINKAGE)
    together = (first + second) / 2
    expected = torch.tensor([first, second]) / together
    torch.testing.assert_close(torch.linalg.eigvalsh(found).flip(0), expected)
    assert expected.mean().item() == pytest.approx(1.0)
    torch.testing.assert_close(whitening[0, 1] * 2, whitening[1, 0] * 30)  # symmetric but for the deviations


def test_the_course_keeps_its_distances_and_counts_as_its_setting_says() -> None:
    reading = Reading(2000, 30)
    evidence = torch.cat((torch.zeros(200, 2000), 2 * torch.randn(200, 30, generator=DRAW)), dim=1)
    reading.observe(evidence)
    features = (evidence - reading.centre) @ reading.matrix()
    assert features.var(0).mean().sqrt().item() == pytest.approx(COURSE, rel=0.05)
    scale = COURSE * math.sqrt(2000 / 120)  # of 30 places, each of variance 4, in 2,000 numbers
    ratio = torch.pdist(features[:20]) / torch.pdist(evidence[:20, 2000:]) / scale
    assert ratio.sub(1).abs().max().item() < 0.12


def test_both_parts_together() -> None:
    learned = torch.tensor([[1.0, 0.5, 0], [0.5, 1, 0], [0, 0, 4]])
    reading = Reading(3, 5)
    evidence = evidence_of(20_000, learned, 5)
    reading.observe(evidence)
    features = (evidence - reading.centre) @ reading.matrix()
    torch.testing.assert_close(features.mean(0), torch.zeros(3), atol=1e-3, rtol=0)
    course = evidence[:, 3:] - reading.centre[3:]
    alone = course @ reading.matrix()[3:]
    assert (features - alone).var(0).mean().item() == pytest.approx(1.0, rel=0.01)


def test_numbers_that_do_not_vary_stay_finite() -> None:
    reading = Reading(2, 2)
    reading.observe(torch.ones(4, 4))
    assert torch.isfinite(reading.matrix()).all()
