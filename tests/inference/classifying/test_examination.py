"""Cross-validation of a classifier, with classifiers whose mistakes are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from kineme.inference.classifying.examination import (
    USUAL_TEMPERATURE,
    Examination,
    examine,
    expected_gains,
    folds_of,
    subsample,
)
from kineme.metrics.accuracy import wilson_interval
from kineme.typing import Array

NAMES = ("bow", "throw", "wave")


@dataclass
class Says:
    """Features are answers: it says what it is asked, of the classes that it was taught."""

    taught: Array
    classes: int

    def logits(self, features: Array) -> Array:
        found = np.where(np.arange(self.classes) == features, 1.0, 0.0)
        found[:, ~np.isin(np.arange(self.classes), self.taught)] = -np.inf
        return found

    def novelty(self, features: Array) -> Array:
        return features[:, 0].astype(float)


def examined(labels: list[int], answers: list[int], people: list[str]) -> tuple[Examination, Array]:
    truth, said = np.array(labels), np.array(answers)[:, None]
    folds = folds_of(truth, np.array(people), np.arange(len(labels)).astype(str))
    return examine(said[:, None], said, truth, NAMES, folds, lambda _, taught: Says(taught, 3))


def test_accuracy_recall_and_confusions() -> None:
    labels, answers = [0, 0, 1, 1, 2, 2], [0, 0, 1, 2, 2, 1]
    found, novelty = examined(labels, answers, ["anna", "ben"] * 3)
    assert found.accuracy == pytest.approx(100 * 4 / 6)
    assert found.interval == wilson_interval(4, 6)
    assert (found.left_out, found.folds, found.judged) == ("people", 2, 6)
    assert found.recall == (100, 50, 50)
    assert found.confusions == (("throw", "wave", 1), ("wave", "throw", 1))
    assert novelty.tolist() == sorted(answers)


def test_a_class_of_one_person_is_not_judged() -> None:
    found, novelty = examined([0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 2, 2], ["a", "b", "a", "b", "a", "a"])
    assert found.left_out == "people"
    assert (found.judged, found.accuracy, found.recall) == (4, 100, (100, 100, None))
    assert len(novelty) == 4


def test_what_could_be_taken_for_nothing_else_is_not_judged() -> None:
    """Without `a`, only bows are left to learn from."""
    people = ["a", "a", "b", "b", "b"]
    found, _ = examined([0, 1, 0, 0, 0], [0, 1, 0, 0, 1], people)
    assert (found.left_out, found.judged, found.accuracy) == ("people", 3, pytest.approx(100 * 2 / 3))


@pytest.mark.parametrize("people", [[""] * 6, ["a", ""] * 3, ["a"] * 6, ["a", "a", "b", "b", "c", "c"]])
def test_without_people_to_leave_out_recordings_are(people: list[str]) -> None:
    """Nobody is known, not all are, there is one only, or each shows a class of their own."""
    found, _ = examined([0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 2, 2], people)
    assert (found.left_out, found.folds, found.judged) == ("recordings", 6, 6)


def test_nothing_to_judge() -> None:
    found, novelty = examined([0, 1, 2], [0, 1, 2], [""] * 3)
    assert (found.accuracy, found.interval, found.judged, found.curve) == (None, None, 0, ())
    assert (found.recall, found.temperature, len(novelty)) == ((None, None, None), USUAL_TEMPERATURE, 0)
    assert len(set(found.gains)) == 1


def test_parts_of_a_recording_are_left_out_together() -> None:
    names = np.repeat([f"take{i}" for i in range(30)], 2)
    labels = np.tile([0, 1, 2], 20)
    folds = folds_of(labels, np.full(60, ""), names)
    assert len(folds.tests) == 10
    assert sorted(np.concatenate(folds.tests).tolist()) == list(range(60))
    for test in folds.tests:
        assert not set(names[test]) & set(np.delete(names, test))


def test_folds_are_stratified() -> None:
    """Of 27 classes with three examples each, no fold has two examples of one."""
    labels = np.repeat(np.arange(27), 3)
    folds = folds_of(labels, np.full(81, ""), np.arange(81).astype(str))
    assert sorted(len(test) for test in folds.tests) == [8] * 9 + [9]
    assert all(len(np.unique(labels[test])) == len(test) for test in folds.tests)
    assert folds.judged(labels).all()


def test_the_learning_curve_counts_examples_of_the_training_part() -> None:
    """Four people with three examples of each class: a fold trains on nine of each."""
    labels, people = np.tile([0, 1, 2], 12), np.repeat(["a", "b", "c", "d"], 9)
    found, _ = examined(labels.tolist(), labels.tolist(), people.tolist())
    assert [size for size, _ in found.curve] == [1, 2, 3, 5, 9]
    assert {right for _, right in found.curve} == {100}


def test_a_subsample_has_so_many_of_each_class() -> None:
    labels = np.array([0] * 5 + [1] * 2 + [2] * 9)
    rows = subsample(labels, np.arange(1, 16), 3, np.random.default_rng(0))
    assert np.bincount(labels[rows]).tolist() == [3, 2, 3]
    assert 0 not in rows


def test_the_class_that_is_missed_most_gains_most() -> None:
    confusion = np.array([[9, 1, 0], [5, 5, 0], [0, 0, 10]])
    curve = [(1, 50.0), (4, 75.0)]  # the error halves with four times the examples: b is a half
    gains = expected_gains(confusion, np.array([10, 10, 10]), curve)
    assert gains[1] > gains[0] > gains[2] > 0
    mean = 1 - 24.5 / 31
    error = (5 + 2 * mean) / 12
    exponent = -np.log((0.25 * 30 + 0.5) / (0.5 * 30 + 0.5)) / np.log(4)
    assert gains[1] == pytest.approx(100 * error * (1 - (10 / 15) ** exponent))


def test_of_two_classes_missed_alike_that_with_fewer_examples_gains_more() -> None:
    few, many = expected_gains(np.array([[2, 2], [2, 2]]), np.array([4, 40]), [])
    assert few > many
