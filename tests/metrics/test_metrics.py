"""Metrics by name: everybody's are computed, from whatever they ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from kineme.errors import KinemeError
from kineme.metrics import METRICS, measure
from kineme.metrics.accuracy import top_1, top_k

LABELS, PREDICTED = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
SCORES = np.eye(6)[PREDICTED] + 0.5 * np.eye(6)[LABELS]


@pytest.fixture
def register() -> Iterator[Callable[[str], Callable[[Any], Any]]]:
    """`METRICS.register`, undone after the test."""
    before = dict(METRICS._registered)
    yield METRICS.register
    METRICS._registered.clear()
    METRICS._registered.update(before)


def test_the_metrics_of_kineme() -> None:
    assert measure(labels=LABELS, predicted=PREDICTED, scores=SCORES, classes=6) == {
        "top-1": 75.0,
        "top-5": 100.0,
        "balanced accuracy": 75.0,
        "macro-F1": pytest.approx(100 * (2 / 3 + 4 / 5) / 2),
        "per-class recall": [50.0, 100.0, None, None, None, None],
    }


def test_without_scores_only_what_needs_none_is_computed() -> None:
    assert "top-5" not in measure(labels=LABELS, predicted=PREDICTED, classes=6)


def test_a_registered_metric_is_computed_too(register: Callable[[str], Any]) -> None:
    @register("error")
    def error(predicted: Any, labels: Any, scale: float = 100) -> float:
        return float(scale * np.mean(predicted != labels))

    assert measure(labels=LABELS, predicted=PREDICTED, classes=6)["error"] == 25.0


def test_what_is_not_finite_is_left_out(register: Callable[[str], Any]) -> None:
    register("nothing")(lambda labels: float("inf"))
    register("some")(lambda labels: np.array([1.0, np.nan]))
    found = measure(labels=LABELS)
    assert found == {"some": [1.0, None]}


def test_a_metric_that_fails_costs_nothing_but_itself(
    register: Callable[[str], Any], caplog: pytest.LogCaptureFixture
) -> None:
    @register("broken")
    def broken(labels: Any) -> float:
        raise ZeroDivisionError("no clips")

    assert measure(labels=LABELS, predicted=PREDICTED) == {"top-1": 75.0}
    assert caplog.messages == ["metric broken is left out: ZeroDivisionError: no clips"]


@pytest.mark.parametrize("made", [list, tuple, torch.tensor], ids=["list", "tuple", "tensor"])
def test_lists_and_tensors_have_the_figures_of_arrays(made: Callable[[Any], Any]) -> None:
    """Two lists, if compared as a whole, would be 0 % of one clip."""
    given = {
        "labels": LABELS.tolist(),
        "predicted": PREDICTED.tolist(),
        "scores": np.eye(3)[PREDICTED].tolist(),
    }
    found = measure(**{key: made(value) for key, value in given.items()}, classes=3)
    assert found == measure(labels=LABELS, predicted=PREDICTED, scores=np.eye(3)[PREDICTED], classes=3)
    assert top_1(made(given["predicted"]), made(given["labels"])) == 75.0


def test_figures_of_other_clips_are_refused() -> None:
    """Not left out one by one."""
    with pytest.raises(KinemeError, match="`labels` has 4, `predicted` has 3 clips; give the same clips"):
        measure(labels=LABELS, predicted=PREDICTED[:3], classes=3)
    with pytest.raises(KinemeError, match=r"`predicted` \(4, 1\) and `labels` \(4,\)"):
        top_1(PREDICTED[:, None], LABELS)  # which would compare each clip with each
    with pytest.raises(KinemeError, match=r"`scores` \(3, 3\) and `labels` \(4,\)"):
        top_k(np.eye(3), LABELS)
