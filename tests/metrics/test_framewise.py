"""Metrics of segmentation by hand."""

from __future__ import annotations

import numpy as np
import pytest

from kineme.metrics.framewise import edit_scores, f1_at, label_segments, levenshtein

OFFSETS = np.array([0, 10, 16])
LABELS = np.array([0, 0, 1, 1, 1, 1, 0, 2, 2, 2, 2, 2, 2, 0, 1, 1])


def changed(**frames: int) -> np.ndarray:
    """The labels with some frames changed: `f3=0`."""
    labels = LABELS.copy()
    for frame, label in frames.items():
        labels[int(frame[1:])] = label
    return labels


def test_runs_end_with_their_recording() -> None:
    assert label_segments(LABELS, OFFSETS).tolist() == [
        [0, 1, 2, 6],
        [0, 2, 7, 10],
        [1, 2, 0, 3],
        [1, 1, 4, 6],
    ]


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [
        ("", "", 0),
        ("", "abc", 3),
        ("abc", "", 3),
        ("abc", "abc", 0),
        ("kitten", "sitting", 3),
        ("flaw", "lawn", 2),
        ("ab", "ba", 2),
    ],
)
def test_the_distance_is_levenshtein_s(a: str, b: str, distance: int) -> None:
    assert levenshtein(np.array(list(a)), np.array(list(b))) == distance


def test_what_is_perfect_scores_one() -> None:
    assert edit_scores(LABELS, LABELS, OFFSETS).tolist() == [1, 1]
    assert f1_at(LABELS, LABELS, OFFSETS, 0.5) == 1


def test_the_order_of_actions_counts_and_their_length_does_not() -> None:
    assert edit_scores(LABELS, changed(f2=0, f3=0, f9=0), OFFSETS).tolist() == [1, 1]
    # In the first recording 1 2 becomes 1 0 1 2: one insertion of three.
    assert edit_scores(LABELS, changed(f4=0), OFFSETS) == pytest.approx([1 - 1 / 3, 1])
    assert edit_scores(LABELS, np.zeros_like(LABELS), OFFSETS).tolist() == [0, 0]


def test_a_run_is_right_from_its_overlap_on() -> None:
    predicted = changed(f2=0, f3=0)  # two of the four frames of the first run
    assert f1_at(LABELS, predicted, OFFSETS, 0.5) == 1
    assert f1_at(LABELS, predicted, OFFSETS, 0.51) == pytest.approx(2 * 3 / (4 + 4))


def test_of_two_runs_on_one_interval_one_is_right() -> None:
    predicted = changed(f3=0)  # 1 0 1 1: quarters and halves of the run
    assert f1_at(LABELS, predicted, OFFSETS, 0.25) == pytest.approx(2 * 4 / (5 + 4))


def test_where_nothing_is_said_f1_is_zero() -> None:
    assert f1_at(LABELS, np.zeros_like(LABELS), OFFSETS, 0.1) == 0
    assert label_segments(np.zeros(0, dtype=int), np.array([0])).shape == (0, 4)
