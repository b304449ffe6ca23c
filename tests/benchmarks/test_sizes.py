"""Which sizes are measured at all."""

import pytest

from benchmarks.scale import Part
from benchmarks.sizes import foretold


def took(clips: int, seconds: float) -> Part:
    return Part("kNN", clips, None, None, seconds, 300)


def test_seconds_are_foretold_on_a_line_in_logarithms() -> None:
    """Ten times the clips took 100 times as long, so ten times more will once more."""
    assert foretold([took(100, 0.2), took(1_000, 20)], 10_000) == pytest.approx(2_000)
    assert foretold([took(100, 3), took(400, 6)], 1_600) == pytest.approx(12)  # as the root


@pytest.mark.parametrize("done", [[], [took(100, 60)]])
def test_nothing_is_foretold_by_less_than_two(done: list[Part]) -> None:
    assert foretold(done, 1_000_000) == 0
