"""The loss terms of USDRL against the published program and against their definitions written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from golden_fill import load_golden
from torch import Tensor

from kineme.losses.decorrelation import cross_correlation, similarity, spread, variance_covariance

FEW_CLIPS, MANY_CLIPS = (4, 6, 20), (4, 20, 6)  # Gram matrices for the one, P × P matrices for the other


def embeddings(shape: tuple[int, ...]) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)) * 0.7 + 0.3


def test_terms_agree_with_the_published_program() -> None:
    golden = load_golden("usdrl_loss.npz")
    z = torch.from_numpy(golden["z"])
    assert similarity(z).item() == pytest.approx(float(golden["similarity"]), rel=1e-5)
    per_view = [variance_covariance(z[k : k + 1]).item() for k in range(4)]
    np.testing.assert_allclose(per_view, golden["variance_covariance"], rtol=1e-5)
    assert variance_covariance(z).item() == pytest.approx(
        float(golden["variance_covariance"].sum()), rel=1e-5
    )
    assert cross_correlation(z[:2]).item() == pytest.approx(float(golden["cross_correlation_01"]), rel=1e-5)
    assert cross_correlation(z).item() == pytest.approx(float(golden["cross_correlation_all"]), rel=1e-5)


def test_similarity_of_given_numbers() -> None:
    z = torch.tensor([0.0, 3.0, 6.0, 2.0]).view(4, 1, 1)
    assert similarity(z).item() == pytest.approx((4 + 1 + 16) + (9 + 0 + 9))


@pytest.mark.parametrize("shape", [FEW_CLIPS, MANY_CLIPS])
def test_variance_covariance_is_its_definition(shape: tuple[int, ...]) -> None:
    z = embeddings(shape)
    expected = 0.0
    for view in z:
        covariance = torch.cov(view.T)
        variance = covariance.diagonal()
        off_diagonal = covariance - variance.diag()
        expected += 5 * torch.relu(1 - (variance + 1e-4).sqrt()).mean() + off_diagonal.square().sum() / len(
            variance
        )
    assert variance_covariance(z).item() == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("shape", [FEW_CLIPS, MANY_CLIPS])
def test_cross_correlation_is_its_definition(shape: tuple[int, ...]) -> None:
    z = embeddings(shape)
    _, batch, dim = shape
    standard = [(view - view.mean(0)) / view.std(0) for view in z]
    expected = 0.0
    for i in range(4):
        for j in range(i + 1, 4):
            correlation = standard[i].T @ standard[j] / batch
            weights = torch.full((dim, dim), 0.005).fill_diagonal_(1.0)
            expected += (weights * (correlation - torch.eye(dim)).square()).sum()
    assert cross_correlation(z).item() == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("term", [similarity, variance_covariance, cross_correlation])
@pytest.mark.parametrize("shape", [FEW_CLIPS, MANY_CLIPS])
def test_gradients_are_those_of_the_numbers(term, shape: tuple[int, ...]) -> None:  # type: ignore[no-untyped-def]
    z = embeddings(shape).double().requires_grad_()
    assert torch.autograd.gradcheck(term, z)


def test_collapsed_embeddings_are_punished_and_stay_finite() -> None:
    z = torch.ones(4, 6, 20, requires_grad=True)
    total = similarity(z) + variance_covariance(z) + cross_correlation(z)
    total.backward()
    assert total.item() == pytest.approx(4 * 5 * (1 - 1e-2) + 6 * 20, rel=1e-5)  # variance 0, correlations 0
    assert z.grad is not None
    assert z.grad.isfinite().all()


def test_spread_counts_the_directions_in_use() -> None:
    directions = torch.eye(3)[:, :, None] * torch.ones(8)  # 3 orthogonal blocks of 8 dimensions
    z = torch.cat((directions.flatten(1), -directions.flatten(1)))[None]
    assert spread(z).effective_rank.item() == pytest.approx(3)
    assert spread(z).std.item() == pytest.approx((2 / 5) ** 0.5)
    line = torch.linspace(-1, 1, 6)[:, None] * torch.ones(20)
    assert spread(line[None]).effective_rank.item() == pytest.approx(1)
    assert spread(torch.ones(1, 6, 20)).effective_rank.item() == 0  # nothing varies
