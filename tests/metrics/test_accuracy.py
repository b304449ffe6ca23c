"""Metrics against values worked out by hand."""

import numpy as np
import pytest
import sklearn.metrics

from kineme.metrics.accuracy import (
    balanced_accuracy,
    bootstrap_interval,
    confusion_matrix,
    is_in_top,
    macro_f1,
    per_class_accuracy,
    per_class_recall,
    top_1,
    top_5,
    top_k,
    wilson_interval,
)

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


def test_scores_that_are_not_numbers_are_no_hits():
    scores = np.array([[np.nan, np.nan], [np.nan, 0.3], [0.3, np.nan], [0.7, 0.3]])
    assert is_in_top(scores, np.array([1, 1, 1, 0])).tolist() == [False, False, False, True]
    assert top_k(np.full((3, 6), np.nan), np.array([0, 3, 5]), 5) == 0.0


def test_confusion_matrix_has_true_classes_in_rows():
    labels, predicted = np.array([0, 0, 0, 1, 2, 2]), np.array([0, 0, 2, 1, 0, 2])
    matrix = confusion_matrix(labels, predicted, 4)
    assert matrix.tolist() == [[2, 0, 1, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]


def test_a_class_without_clips_has_no_accuracy():
    matrix = np.array([[2, 0, 1], [0, 0, 0], [1, 0, 1]])
    np.testing.assert_allclose(per_class_accuracy(matrix), [200 / 3, np.nan, 50.0])


# Class 0: 4 clips, 3 right. Class 1: 1 clip, wrong. Class 2: 2 clips, both right. Class 3: no clips.
TRUE = np.array([0, 0, 0, 0, 1, 2, 2])
SAID = np.array([0, 0, 0, 2, 0, 2, 2])


def test_top_1_of_predictions():
    assert top_1(SAID, TRUE) == pytest.approx(100 * 5 / 7)


def test_top_5_has_a_meaning_with_more_than_five_classes():
    scores = np.tile(np.arange(6.0), (3, 1))  # classes 5, 4, 3, 2, 1, and last 0
    assert top_5(scores, np.array([5, 1, 0])) == pytest.approx(100 * 2 / 3)
    assert np.isnan(top_5(scores[:, :5], np.array([4, 1, 0])))


def test_recall_per_class():
    np.testing.assert_allclose(per_class_recall(SAID, TRUE, 4), [75.0, 0.0, 100.0, np.nan])


def test_balanced_accuracy_is_the_mean_recall_of_classes_that_have_clips():
    assert balanced_accuracy(SAID, TRUE, 4) == pytest.approx((75 + 0 + 100) / 3)


def test_macro_f1_is_the_mean_of_classes_that_have_clips_or_are_predicted():
    """Class 0: precision 3/4, recall 3/4. Class 1: never right. Class 2: precision 2/3, recall 1."""
    assert macro_f1(SAID, TRUE, 4) == pytest.approx(100 * (0.75 + 0 + 0.8) / 3)
    said = np.where(SAID == 2, 3, SAID)  # class 3 has no clips, and an F1 of 0
    assert macro_f1(said, TRUE, 4) == pytest.approx(100 * (0.75 + 0 + 0 + 0) / 4)


def test_they_agree_with_scikit_learn():
    rng = np.random.default_rng(0)
    labels, predicted = rng.integers(0, 6, 200), rng.integers(0, 6, 200)
    assert balanced_accuracy(predicted, labels, 6) == pytest.approx(
        100 * sklearn.metrics.balanced_accuracy_score(labels, predicted)
    )
    assert macro_f1(predicted, labels, 6) == pytest.approx(
        100 * sklearn.metrics.f1_score(labels, predicted, average="macro")
    )


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


def test_the_interval_of_three_different_values_is_about_their_mean():
    low, high = bootstrap_interval(np.repeat([0.0, 50.0, 100.0], [10, 80, 10]))
    assert 44 < low < 48
    assert 52 < high < 56


def test_wilsons_interval_as_in_any_table():
    assert wilson_interval(8, 10) == pytest.approx((49.02, 94.33), abs=0.01)
    assert wilson_interval(0, 5)[0] == 0
