"""The labels of frames: the likeliest sequence of classes, in which a change has its price."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest

from kineme.evaluation.detection.labels import CHANGE, LEAST, label_frames, likeliest


def total(probabilities: np.ndarray, labels: tuple[int, ...], change: float) -> float:
    """What a sequence of labels is worth."""
    frames = np.log(probabilities[np.arange(len(labels)), list(labels)] + LEAST).sum()
    return float(frames - change * sum(a != b for a, b in pairwise(labels)))


@pytest.mark.parametrize("change", [0.0, 0.3, 1.0, 2.5, 40.0])
def test_no_other_sequence_is_worth_more(change: float) -> None:
    probabilities = np.random.default_rng(0).dirichlet([0.5] * 3, size=7)
    found = tuple(likeliest(probabilities, change).tolist())
    assert found == max(product(range(3), repeat=7), key=lambda each: total(probabilities, each, change))


def test_an_interruption_is_kept_where_it_is_worth_both_changes() -> None:
    """Each of the three frames in the middle is worth ln 3 = 1.10 more as class 1: 3.30 together."""
    probabilities = np.array([[0.75, 0.25]] * 4 + [[0.25, 0.75]] * 3 + [[0.75, 0.25]] * 4)
    assert likeliest(probabilities, 1.64).tolist() == [0] * 4 + [1] * 3 + [0] * 4
    assert likeliest(probabilities, 1.66).tolist() == [0] * 11


def test_a_probability_that_was_rounded_to_zero_rules_nothing_out() -> None:
    probabilities = np.eye(2, dtype=np.float16)[[0, 0, 0, 1, 0, 0, 0]]
    assert likeliest(probabilities, 4.0).tolist() == [0, 0, 0, 1, 0, 0, 0]  # ln 1e6 = 13.8, twice 4 is less
    assert likeliest(probabilities, 8.0).tolist() == [0] * 7


def test_published_rules_label_each_frame_by_itself() -> None:
    probabilities = np.array([[0.6, 0.4], [0.4, 0.6], [0.6, 0.4], [0.6, 0.4]])
    offsets = np.array([0, 4])
    assert CHANGE == {"A": 0.0, "B": 0.0, "C": 4.0}
    assert label_frames(probabilities, offsets, "A").tolist() == [0, 1, 0, 0]
    assert label_frames(probabilities, offsets, "B").tolist() == [0, 1, 0, 0]
    assert label_frames(probabilities, offsets, "C").tolist() == [0, 0, 0, 0]


def test_a_recording_is_labelled_without_the_one_before_it() -> None:
    probabilities = np.array([[0.9, 0.1]] * 3 + [[0.3, 0.7]] * 3)
    assert label_frames(probabilities, np.array([0, 6]), "C").tolist() == [0] * 6
    assert label_frames(probabilities, np.array([0, 3, 6]), "C").tolist() == [0] * 3 + [1] * 3
