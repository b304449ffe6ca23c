"""The regression ends where its gradient is zero, however badly conditioned the features are."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from kineme.evaluation.logistic import fit


def _standard(x: np.ndarray) -> torch.Tensor:
    return torch.from_numpy((x - x.mean(axis=0)) / x.std(axis=0)).float()


def _clips(
    count: int, dim: int, classes: int, decay: float, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Features whose variance along random directions falls as i^-decay, as that of neighbouring joints."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, count)
    latent = rng.standard_normal((count, dim)) + 1.5 * rng.standard_normal((classes, dim))[y]
    mixing = rng.standard_normal((dim, dim)) * np.arange(1, dim + 1.0)[:, None] ** -decay
    return _standard(latent @ mixing), torch.from_numpy(y)


def _objective(x: torch.Tensor, y: torch.Tensor, weight: np.ndarray, bias: np.ndarray) -> float:
    """With a penalty of 1."""
    logits = x.double().numpy() @ weight + bias
    log_probability = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    return -log_probability[np.arange(len(y)), y.numpy()].sum() + (weight**2).sum() / 2


@pytest.mark.parametrize(("count", "dim"), [(300, 40), (60, 200)], ids=["tall", "wide"])
@pytest.mark.parametrize("penalty", [1.0, 0.05])
def test_the_gradient_is_zero_at_the_end(count: int, dim: int, penalty: float):
    x, y = _clips(count, dim, 5, decay=1.5)
    found = fit(x, y, 5, penalty=penalty, tolerance=1e-12)
    residual = found(x).softmax(dim=1) - torch.eye(5, dtype=torch.float64)[y]
    gradient = x.double().T @ residual + penalty * found.weight
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), atol=2e-4, rtol=0)
    torch.testing.assert_close(residual.sum(dim=0), torch.zeros(5, dtype=torch.float64), atol=2e-4, rtol=0)


@pytest.mark.parametrize("decay", [0.0, 1.0, 3.0])
def test_the_objective_is_that_of_scikit_learn_or_lower(decay: float):
    x, y = _clips(200, 30, 4, decay)
    known = LogisticRegression(tol=1e-9, max_iter=100_000).fit(x.double().numpy(), y.numpy())
    reference = _objective(x, y, known.coef_.T, known.intercept_)
    found = fit(x, y, 4)
    assert found.objective == pytest.approx(reference, rel=1e-5)
    own = _objective(x, y, found.weight.numpy(), found.bias.numpy())
    assert found.objective == pytest.approx(own, rel=1e-7)  # features on their axes are float32


def test_features_that_are_all_alike_leave_the_shares_of_the_classes():
    found = fit(torch.zeros(8, 3), torch.tensor([0, 0, 0, 0, 0, 0, 1, 1]), 2)
    probability = found(torch.zeros(1, 3)).softmax(dim=1)
    torch.testing.assert_close(probability, torch.tensor([[0.75, 0.25]]).double(), atol=1e-4, rtol=0)


def test_progress_ends_where_it_said_it_would():
    told: list[tuple[int, int]] = []
    x, y = _clips(80, 10, 3, decay=1.0)
    fit(x, y, 3, progress=lambda *now: told.append(now))
    done, total = zip(*told, strict=True)
    assert len(set(total)) == 1
    assert done[-1] == total[0]
    assert list(done) == sorted(done)
