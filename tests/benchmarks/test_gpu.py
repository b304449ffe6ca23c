"""What a GPU is measured by finds no difference where there is none, and one where there is."""

import math

import pytest

from benchmarks.gpu import relative, resumed_difference


def test_the_largest_difference_is_relative() -> None:
    assert relative([1.0, 2.2, -3.0], [1.0, 2.0, -3.0]) == pytest.approx(0.1)
    assert math.isnan(relative([math.nan, 1.0], [1.0, 1.0]))


def test_a_run_that_is_stopped_ends_as_one_that_is_not() -> None:
    assert resumed_difference("cpu") == 0
