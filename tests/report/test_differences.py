"""Two runs on the same test clips are compared clip by clip."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kineme.evaluation.results import Predictions
from kineme.report.differences import Pair, differences
from kineme.report.runs import Measured, Run


def measured(name: str, right: list[bool], names: list[str] | None = None) -> Pair:
    """A run that is right on some clips, all of class 0."""
    scores = np.array([[1.0, 0.0] if each else [0.0, 1.0] for each in right])
    clips = np.array(names or [f"clip{i:03}" for i in range(len(right))])
    unused: Any = None
    predictions = Predictions(clips, np.zeros(len(right), dtype=int), {"knn": scores})
    return Run(Path(name), name, unused), Measured("knn.json", unused, predictions)


def test_a_clear_gain_has_an_interval_above_zero() -> None:
    half, all_right = [True, False] * 50, [True] * 100
    (line,) = differences([measured("base", half), measured("better", all_right)])
    assert line.startswith("kNN, better against base: +50.0 points (+4")
    assert "no clear difference" not in line


def test_equal_runs_do_not_differ() -> None:
    half = [True, False] * 10
    assert differences([measured("a", half), measured("b", half)]) == [
        "kNN, b against a: +0.0 points (+0.0 to +0.0): no clear difference"
    ]


def test_clips_are_matched_by_name() -> None:
    names = ["a", "b", "c", "d"]
    right = [True, False, True, True]
    reordered = measured("b", right[::-1], names[::-1])
    assert differences([measured("a", right, names), reordered])[0].startswith("kNN, b against a: +0.0")
    assert differences([measured("a", right, names), measured("b", right, ["a", "b", "c", "x"])]) == []
