"""Metrics against values worked out by hand."""

import numpy as np

from kineme.evaluation.metrics import confusion_matrix, per_class_accuracy, top_k

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
