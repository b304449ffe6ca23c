"""Assignments to prototypes, their cross-entropy, and what keeps clips apart, by hand."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from spawning import on_two
from torch import Tensor

from kineme.errors import KinemeError
from kineme.losses import koleo, prototype_cross_entropy, sinkhorn
from kineme.losses.prototypes import LOGITS


def by_the_book(logits: Tensor, temperature: float, rounds: int = 3) -> Tensor:
    """Sinkhorn-Knopp as it is written down: the whole matrix is scaled in each round."""
    q = (logits.double() / temperature).exp().T  # prototypes, rows
    q /= q.sum()
    for _ in range(rounds):
        q /= q.sum(1, keepdim=True) * q.shape[0]
        q /= q.sum(0, keepdim=True) * q.shape[1]
    return (q * q.shape[1]).T.float()


def test_one_round_by_hand() -> None:
    """exp: [[2, 1], [1, 1]]; columns to 1/2: [[1/3, 1/4], [1/6, 1/4]]; rows to 1: 4/7, 3/7 and 2/5, 3/5."""
    logits = torch.tensor([[2.0, 1.0], [1.0, 1.0]]).log()
    expected = torch.tensor([[4 / 7, 3 / 7], [2 / 5, 3 / 5]])
    torch.testing.assert_close(sinkhorn(logits, 1.0, rounds=1), expected)


@pytest.mark.parametrize("rounds", [1, 3])
def test_assignments_are_those_of_the_whole_matrix(rounds: int) -> None:
    logits = torch.randn(7, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(sinkhorn(logits, 0.5, rounds), by_the_book(logits, 0.5, rounds))


def test_rows_sum_to_one_and_prototypes_get_equal_shares() -> None:
    logits = torch.rand(64, 4, generator=torch.Generator().manual_seed(0))
    logits[:, 0] += 0.8  # which every row is nearest to
    assert (logits.argmax(1) == 0).float().mean() > 0.8
    found = sinkhorn(logits, 0.1, rounds=50)
    torch.testing.assert_close(found.sum(1), torch.ones(64))
    torch.testing.assert_close(found.sum(0), torch.full((4,), 16.0), rtol=1e-3, atol=0)


def test_great_logits_do_not_overflow_and_no_rows_give_none() -> None:
    logits = torch.tensor([[9.0, 0.0], [0.0, 9.0]])
    torch.testing.assert_close(sinkhorn(logits, 0.04), torch.eye(2))  # exp(225) is no float32
    assert sinkhorn(torch.zeros(0, 3), 0.1).shape == (0, 3)


def test_assignments_are_of_float32_under_mixed_precision() -> None:
    logits = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        found = sinkhorn(logits, 0.1)
        error = prototype_cross_entropy(found, logits, torch.eye(4), 0.1, torch.ones(6))
        apart = koleo(logits)
    assert (found.dtype, error.dtype, apart.dtype) == (torch.float32,) * 3
    torch.testing.assert_close(found, by_the_book(logits, 0.1))
    torch.testing.assert_close(apart, koleo(logits))


def work(rank: int, parts: list[Tensor], out: str) -> None:
    torch.save(sinkhorn(parts[rank], 0.1), f"{out}/{rank}.pt")


def test_processes_share_one_matrix_however_many_rows_each_has(tmp_path: Path) -> None:
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    on_two(work, [logits[:4], logits[4:]], str(tmp_path))
    rows = torch.cat([torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)])
    torch.testing.assert_close(rows, by_the_book(logits, 0.1))


def test_the_cross_entropy_has_a_gradient_for_the_student_only() -> None:
    """That of the logits is (softmax - target) / τ, times the row's weight."""
    target = torch.tensor([[0.75, 0.25]])
    features = torch.tensor([[0.1, 0.0]], requires_grad=True)
    prototype_cross_entropy(target, features, torch.eye(2), 0.1, torch.tensor([3.0])).backward()
    likely = 1 / (1 + math.exp(-1))
    torch.testing.assert_close(features.grad, 30 * torch.tensor([[likely - 0.75, 0.75 - likely]]))


def rows_to_assign() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Targets (9, 6) that do not sum to 1, features (9, 4), prototypes (6, 4) and weights (9,)."""
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(9, 6, generator=generator)
    features, prototypes = (torch.randn(n, 4, generator=generator).requires_grad_() for n in (9, 6))
    return target, features, prototypes, torch.rand(9, generator=generator)


@pytest.mark.parametrize("numbers", [6, 24, 1000])  # a row at a time, four rows, all
def test_the_cross_entropy_in_parts_is_that_of_all_logits(
    monkeypatch: pytest.MonkeyPatch, numbers: int
) -> None:
    monkeypatch.setitem(LOGITS, "cpu", numbers)
    target, features, prototypes, weight = rows_to_assign()
    found = 2 * prototype_cross_entropy(target, features, prototypes, 0.2, weight)
    gradients = torch.autograd.grad(found, (features, prototypes))
    each = F.cross_entropy(features @ prototypes.T / 0.2, target, reduction="none")
    expected = 2 * (weight * each).sum()
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(gradients, torch.autograd.grad(expected, (features, prototypes)))


def test_the_cross_entropy_under_mixed_precision_rounds_the_products_only() -> None:
    target, features, prototypes, weight = rows_to_assign()
    with torch.autocast("cpu", torch.bfloat16):
        found = prototype_cross_entropy(target, features, prototypes, 0.2, weight)
        logits = features @ prototypes.T
    rounded = (weight * F.cross_entropy(logits.float() / 0.2, target, reduction="none")).sum()
    torch.testing.assert_close(found, rounded)
    gradients = torch.autograd.grad(found, (features, prototypes))
    expected = torch.autograd.grad(rounded, (features, prototypes))
    for gradient, right in zip(gradients, expected, strict=True):
        assert gradient.dtype == torch.float32
        assert (gradient - right).abs().max() < 1e-2 * right.abs().max()


def test_assignments_in_parts_are_those_of_the_whole_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LOGITS, "cpu", 10)  # two rows at a time
    logits = torch.randn(7, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(sinkhorn(logits, 0.5), by_the_book(logits, 0.5))


def test_koleo_looks_at_the_nearest_other_row() -> None:
    """Directions 0, 60 and 180 degrees: chords of 1 (twice) and √3, so -(0 + 0 + log √3) / 3."""
    angles = torch.tensor([0.0, 60.0, 180.0]).deg2rad()
    rows = torch.stack((angles.cos(), angles.sin()), 1) * torch.tensor([[1.0], [5.0], [0.1]])
    assert koleo(rows).item() == pytest.approx(-math.log(3) / 6, abs=1e-5)


def test_equal_rows_give_a_finite_loss_and_gradient() -> None:
    rows = torch.ones(2, 3, requires_grad=True)
    loss = koleo(rows)
    loss.backward()
    assert loss.item() == pytest.approx(-math.log(1e-6))
    assert rows.grad is not None
    assert torch.isfinite(rows.grad).all()


def test_a_single_row_has_no_neighbour() -> None:
    with pytest.raises(KinemeError, match="at least 2 clips per batch"):
        koleo(torch.ones(1, 3))
