"""Metrics by name: everybody's are computed, from whatever they ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from kineme.metrics import METRICS, measure

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
