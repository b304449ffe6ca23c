"""What begins and ends, by the scores of windows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from kineme.inference.watching.events import Counts, Spotter
from kineme.inference.watching.sparing import LONGEST, Sparing

STARTS, ENDS = np.array([0.6, 0.6]), np.array([0.4, 0.4])


def spotted(
    scores: Sequence[Sequence[float]], gone: float | None = None
) -> list[tuple[str, int, float, float | None]]:
    """Changes of windows of 2 s, one a second."""
    spotter = Spotter(STARTS, ENDS, begin=0)
    changes = [change for i, row in enumerate(scores) for change in spotter.window(np.array(row), i, i + 2)]
    changes += [] if gone is None else spotter.finish(gone)
    return [(change.event, change.label, change.start, change.end) for change in changes]


LOW, HIGH, BETWEEN = (0.1, 0.1), (0.9, 0.1), (0.5, 0.1)
OTHER = (0.1, 0.9)


@pytest.mark.parametrize(
    ("scores", "changes"),
    [
        ([LOW, HIGH, HIGH, LOW, LOW], [("start", 0, 1.5, None), ("end", 0, 1.5, 3.5)]),
        ([LOW, HIGH, LOW, HIGH, LOW, OTHER, HIGH, LOW], []),  # flicker
        ([LOW, HIGH, HIGH, LOW, HIGH, LOW, BETWEEN, LOW, HIGH], [("start", 0, 1.5, None)]),  # dips
        ([LOW, BETWEEN, BETWEEN, BETWEEN], []),  # not high enough to begin,
        ([LOW, HIGH, HIGH, BETWEEN, BETWEEN], [("start", 0, 1.5, None)]),  # but to go on
        (
            [LOW, HIGH, HIGH, OTHER, OTHER],
            [("start", 0, 1.5, None), ("end", 0, 1.5, 3.5), ("start", 1, 3.5, None)],
        ),
        (
            [LOW, HIGH, HIGH, LOW, OTHER, OTHER],
            [("start", 0, 1.5, None), ("end", 0, 1.5, 3.5), ("start", 1, 4.5, None)],
        ),
    ],
)
def test_changes(
    scores: Sequence[Sequence[float]], changes: list[tuple[str, int, float, float | None]]
) -> None:
    assert spotted(scores) == changes


def test_the_first_and_last_window_speak_for_the_ends() -> None:
    assert spotted([HIGH, HIGH, HIGH], gone=4.25) == [("start", 0, 0, None), ("end", 0, 0, 4.25)]


def test_who_leaves_after_it_was_over_ended_when_it_was() -> None:
    assert spotted([HIGH, HIGH, LOW], gone=4.25)[1] == ("end", 0, 0, 2.5)


def test_nothing_ends_that_did_not_begin() -> None:
    assert spotted([LOW, HIGH], gone=3.0) == []


def test_the_score_is_of_the_confirming_window_and_then_the_mean() -> None:
    spotter = Spotter(STARTS, ENDS, begin=0)
    scores = [0.7, 0.9, 0.5, 0.1, 0.2]
    changes = [c for i, score in enumerate(scores) for c in spotter.window(np.array([score, 0]), i, i + 2)]
    assert [change.score for change in changes] == [0.9, pytest.approx(0.7)]


def test_counts_of_two_streams_add_up() -> None:
    one, other = Counts(10, 4, 2, 0.3, 0.2, 0.7), Counts(20, 5, 1, 0.1, 0.1, 0.9)
    assert one + other == Counts(30, 9, 3, pytest.approx(0.4), 0.2, 0.9)


def test_a_day_of_bad_lines_is_said_in_a_page() -> None:
    said: list[str] = []
    now = 0.0
    sparing = Sparing(said.append, clock=lambda: now)
    for line in range(24 * 3600):
        now = float(line)
        sparing("line", f"line {line} is bad")
    sparing.finish()
    assert said[:5] == [f"line {line} is bad" for line in range(5)]
    assert said[6] == "line 7 is bad (and 1 more like it)"
    assert len(said) < 5 + np.log2(LONGEST) + 24 + 2
    assert said[-1].endswith("more like the last message about a line")
    told = sum(1 for _ in said[:-1]) + sum(
        int(text.split("(and ")[1].split()[0].replace(",", "")) for text in said if "(and" in text
    )
    assert told + int(said[-1].split()[0].replace(",", "")) == 24 * 3600
