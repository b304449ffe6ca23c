"""Metrics against values worked out by hand."""

import numpy as np
import pytest

from kineme.metrics.accuracy import bootstrap_interval, confusion_matrix, per_class_accuracy, top_k

SCORES = np.array(
    [
        [0.7, 0.2, 0.1],  # first guess 0, second 1
        [0.1, 0.3, 0.6],  # 2, 1
        [0.4, 0.5, 0.1],  # 1, 0
        [0.2, 0.2, 0.6],  # 2, then 0 and 1 alike: 0 comes first
    ]
)


def test_top_k_counts_the_class_among_the_highest_scores():
    labels = np.array([0, 1, 2, 0])
    assert top_k(SCORES, labels, 1) == 25.0
    assert top_k(SCORES, labels, 2) == 75.0
    assert top_k(SCORES, labels, 3) == 100.0


def test_of_equal_scores_the_lower_class_comes_first():
    assert top_k(SCORES[3:], np.array([0]), 2) == 100.0
    assert top_k(SCORES[3:], np.array([1]), 2) == 0.0


def test_top_1_agrees_with_the_highest_score_where_scores_tie():
    scores = np.zeros((6, 3))
    labels = np.array([0, 0, 1, 2, 1, 2])
    assert top_k(scores, labels) == 100 * np.mean(scores.argmax(axis=1) == labels)


def test_confusion_matrix_has_true_classes_in_rows():
    labels, predicted = np.array([0, 0, 0, 1, 2, 2]), np.array([0, 0, 2, 1, 0, 2])
    matrix = confusion_matrix(labels, predicted, 4)
    assert matrix.tolist() == [[2, 0, 1, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]


def test_a_class_without_clips_has_no_accuracy():
    matrix = np.array([[2, 0, 1], [0, 0, 0], [1, 0, 1]])
    np.testing.assert_allclose(per_class_accuracy(matrix), [200 / 3, np.nan, 50.0])


def test_the_interval_of_a_share_is_that_of_the_binomial_distribution():
    hits = np.repeat([100.0, 0.0], [80, 20])
    low, high = bootstrap_interval(hits)
    assert (low, high) == pytest.approx((72.0, 87.0), abs=1.01)  # 2.5 and 97.5 % points of B(100, 0.8)


def test_an_interval_narrows_with_the_root_of_the_clips_and_is_the_same_twice():
    values = np.random.default_rng(0).normal(size=400)
    low, high = bootstrap_interval(values)
    expected = 2 * 1.96 * values.std() / 20
    assert high - low == pytest.approx(expected, rel=0.08)
    assert bootstrap_interval(values) == (low, high)
    assert bootstrap_interval(np.full(9, 100.0)) == (100.0, 100.0)
