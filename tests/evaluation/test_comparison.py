"""Two runs are compared on the test clips that both were measured on."""

from __future__ import annotations

import numpy as np
import pytest

from kineme.errors import KinemeError
from kineme.protocols import Predictions, compare


def predictions(right: list[bool], names: list[str] | None = None, probe: str = "knn") -> Predictions:
    """Of clips of class 0."""
    scores = np.array([[1.0, 0.0] if each else [0.0, 1.0] for each in right])
    clips = np.array(names or [f"clip{i:03}" for i in range(len(right))])
    return Predictions(clips, np.zeros(len(right), dtype=int), {probe: scores})


def test_clips_that_both_get_right_do_not_widen_the_interval() -> None:
    """A paired comparison: 10 of 200 clips are gained and none lost, which is clear at 50 %."""
    base = [True] * 90 + [False] * 110
    other = [True] * 100 + [False] * 100
    found = compare(predictions(base), predictions(other))["knn"]
    assert (found.value, found.gained, found.lost) == (pytest.approx(5.0), 10, 0)
    assert 1.5 < found.interval[0] < 3.0 < 7.0 < found.interval[1] < 8.5
    assert found.clear


def test_as_many_gained_as_lost_is_no_difference() -> None:
    found = compare(predictions([True, False] * 20), predictions([False, True] * 20))["knn"]
    assert (found.value, found.gained, found.lost, found.clear) == (0.0, 20, 20, False)


def test_clips_are_matched_by_name() -> None:
    base = predictions([True, False, False], ["a", "b", "c"])
    same = compare(base, predictions([False, False, True], ["c", "b", "a"]))["knn"]
    assert (same.value, same.gained, same.lost) == (0.0, 0, 0)
    with pytest.raises(KinemeError, match="different test clips cannot be compared"):
        compare(base, predictions([True, False, False], ["a", "b", "x"]))


def test_probes_that_only_one_has_are_left_out() -> None:
    assert compare(predictions([True]), predictions([True], probe="last")) == {}
