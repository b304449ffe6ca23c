"""Events beside what is true: pairs, and the figures of both sets together."""

from __future__ import annotations

import pytest

from benchmarks.uses.moments import Found, matched


def test_an_action_is_found_once_by_the_event_that_overlaps_it_most() -> None:
    truths = [("wave", 1.0, 3.0), ("bow", 4.0, 6.0)]
    events = [("wave", 0.0, 2.0), ("wave", 1.0, 2.5), ("kick", 4.0, 6.0), ("bow", 5.0, 9.0)]
    assert matched(events, truths, 0.1) == [(1, 0), (3, 1)]  # overlaps of 0.75, and of 0.2
    assert matched(events, truths, 0.25) == [(1, 0)]
    assert matched(events[:1], truths, 0.25) == [(0, 0)]


def test_streams_are_counted_together() -> None:
    found = Found()
    found.add([("wave", 0.0, 2.0), ("bow", 5.0, 6.0)], [("wave", 0.0, 1.0)], [1.5, 7.0])
    found.add([], [("bow", 0.0, 1.0), ("bow", 2.0, 3.0), ("wave", 4.0, 5.0)], [])
    figures = {each.what: each.value for each in found.figures("watch")}
    assert figures["watch, precision at 0.5"] == pytest.approx(50)
    assert figures["watch, recall at 0.5"] == pytest.approx(25)
    assert figures["watch, F1 at 0.5"] == pytest.approx(100 / 3)
    assert figures["watch, mean delay"] == pytest.approx(1.5)
