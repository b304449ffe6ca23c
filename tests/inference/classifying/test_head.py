"""The classifier on features, where the answer can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from kineme.inference.classifying import head as head_module
from kineme.inference.classifying.examination import temperature
from kineme.inference.classifying.head import fit
from kineme.typing import Array


def clouds(count: int, centres: Array, spread: float, seed: int) -> tuple[Array, Array]:
    """(K·count, D) Gaussian clouds about (K, D) centres, and their labels."""
    labels = np.repeat(np.arange(len(centres)), count)
    noise = np.random.default_rng(seed).normal(size=(len(labels), centres.shape[1]))
    return centres[labels] + spread * noise, labels


def test_the_boundary_lies_midway_across_the_scatter() -> None:
    """Copies scatter by ±1 along y and ±0.1 along x; classes differ by 2 along both."""
    around = np.array([[0, 1], [0, -1], [0.1, 0], [-0.1, 0]])
    copies = np.stack([around, around + np.array([2, 2])])
    head = fit(copies, np.array([0, 1]), 2)
    difference = head.weight[1] - head.weight[0]
    assert difference[0] > 20 * difference[1] > 0  # x tells them apart, y is mostly scatter
    np.testing.assert_allclose(np.diff(head.logits(np.array([[1.0, 1.0]]))), 0, atol=1e-9)
    assert head.logits(np.array([[0.0, 2.0], [2.0, 0.0]])).argmax(axis=1).tolist() == [0, 1]


def test_it_does_not_depend_on_the_units_of_features() -> None:
    x, labels = clouds(5, np.eye(3), 0.3, seed=0)
    copies = x[:, None] + 0.1 * np.random.default_rng(1).normal(size=(len(x), 4, 3))
    scales, shift = np.array([1e-3, 1.0, 1e3]), np.array([5.0, -2.0, 7.0])
    one, other = fit(copies, labels, 3), fit(copies * scales + shift, labels, 3)
    np.testing.assert_allclose(other.logits(x * scales + shift), one.logits(x), atol=1e-6)
    np.testing.assert_allclose(other.novelty(x * scales + shift), one.novelty(x), atol=1e-6)


def test_how_many_examples_a_class_has_does_not_make_it_likelier() -> None:
    around = np.array([[0.0, 0.1], [0.0, -0.1]])
    copies = np.stack([around, *[around + np.array([1, 0])] * 9])
    head = fit(copies, np.array([0] + [1] * 9), 2)
    np.testing.assert_allclose(np.diff(head.logits(np.array([[0.5, 0.0]]))), 0, atol=1e-9)


def test_copies_that_are_missing_do_not_count() -> None:
    x, labels = clouds(3, 4 * np.eye(2), 0.3, seed=0)
    copies = x[:, None] + 0.1 * np.random.default_rng(1).normal(size=(len(x), 4, 2))
    fewer = np.concatenate([copies, np.full((len(x), 2, 2), np.nan)], axis=1)
    np.testing.assert_allclose(fit(fewer, labels, 2).logits(x), fit(copies, labels, 2).logits(x))


def test_classes_of_few_examples_are_named_about_as_often_as_they_occur(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Half of the classes have one example, half have eight, in as many dimensions as are mostly noise."""
    centres = 4 * np.random.default_rng(0).normal(size=(6, 100)) / 10
    x, labels = clouds(8, centres, 0.5, seed=1)
    taught = (labels % 2 == 1) | (np.arange(len(x)) % 8 == 0)
    around = 0.1 * np.random.default_rng(2).normal(size=(len(x), 4, 100))
    copies = (x[:, None] + around)[taught]
    test, truth = clouds(200, centres, 0.5, seed=3)

    def few() -> tuple[float, float]:
        named = fit(copies, labels[taught], 6).logits(test).argmax(axis=1)
        return float((named % 2 == 0).mean()), float((named == truth).mean())

    share, right = few()
    assert share == pytest.approx(0.5, abs=0.05)
    monkeypatch.setattr(head_module, "BELIEVED", 1.0)
    rare, fewer_right = few()
    assert rare < 0.42
    assert right - fewer_right > 0.05


def test_a_class_between_two_others_is_named() -> None:
    """Three classes on a line, as of small, usual and large movements."""
    around = np.array([[0, 1], [0, -1], [0.5, 0], [-0.5, 0]])
    copies = np.stack([around + np.array([place, 0]) for place in (-3, 0, 3)])
    head = fit(copies, np.array([0, 1, 2]), 3)
    along = np.array([[-3.0, 0], [-0.8, 0], [0, 0], [0.8, 0], [3, 0]])
    assert head.logits(along).argmax(axis=1).tolist() == [0, 1, 1, 1, 2]


def test_a_class_that_was_not_taught_is_impossible() -> None:
    x, labels = clouds(3, 4 * np.eye(2), 0.1, seed=0)
    head = fit(x[:, None], labels * 2, 3)
    assert np.isneginf(head.logits(x)[:, 1]).all()
    assert head.logits(x).argmax(axis=1).tolist() == (2 * labels).tolist()


def test_copies_that_are_all_alike() -> None:
    head = fit(np.array([[[0.0, 1.0]] * 3, [[2.0, 1.0]] * 3]), np.array([0, 1]), 2)
    assert head.logits(np.array([[0.2, 1.0], [1.9, 1.0]])).argmax(axis=1).tolist() == [0, 1]


def test_novelty_is_the_angle_to_the_nearest_class() -> None:
    around = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    far = np.array([10, 0])
    head = fit(np.stack([around + far, around - far]), np.array([0, 1]), 2)
    np.testing.assert_allclose(head.novelty(np.array([[7.0, 0.0], [-7.0, 0.0]])), 0, atol=1e-9)
    np.testing.assert_allclose(head.novelty(np.array([[0.0, 3.0]])), 1, atol=1e-9)


@pytest.mark.parametrize("spread", [0.6, 1.0])
def test_probabilities_of_clouds_that_overlap_are_calibrated(spread: float) -> None:
    """Expected calibration error in ten bins, on clouds that nothing was fitted to, below 5 %."""
    centres = 1.5 * np.eye(4)
    x, labels = clouds(50, centres, spread, seed=0)
    held, held_labels = clouds(50, centres, spread, seed=1)
    head = fit(x[:, None], labels, 4)
    found = temperature(head.logits(held), held_labels)
    test, truth = clouds(2000, centres, spread, seed=2)

    def error(probabilities: Array) -> float:
        sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
        bins = np.minimum((10 * sure).astype(int), 9)
        gaps = [abs(right[bins == i].mean() - sure[bins == i].mean()) * (bins == i).mean() for i in set(bins)]
        return float(sum(gaps))

    logits = head.logits(test)
    assert error(softmax(logits / found, axis=1)) < 0.05
    assert error(softmax(logits, axis=1)) > 0.1  # without the temperature


def test_with_one_example_each_a_class_that_is_plainly_shown_is_likely() -> None:
    """No example can be judged then, and logits before the temperature are at most about one."""
    copies, labels = clouds(1, 5 * np.eye(8), 0.0, seed=0)
    head = fit(np.stack([copies, copies + 0.1], axis=1), labels, 8)
    logits = head.logits(copies + 0.05)
    assert softmax(logits, axis=1).max() < 0.5
    found = temperature(logits[:0], labels[:0])
    assert softmax(logits / found, axis=1)[np.arange(8), labels].min() > 0.9


def test_a_temperature_stays_finite_where_all_are_right() -> None:
    logits = np.array([[1.0, 0.0], [0.0, 1.0]] * 10)
    found = temperature(logits, np.array([0, 1] * 10))
    own = 1 / np.log(21)  # by which they would have a probability of 21 / 22
    np.testing.assert_allclose(found, own**0.8 * 0.1**0.2, rtol=1e-3)  # of 20 examples and of 5


def test_a_temperature_of_few_examples_is_near_the_usual_one() -> None:
    """Logits that are all wrong have the highest, 1,000: the fewer there are, the less that counts."""
    few, many = (temperature(np.eye(2)[[0, 1] * n], np.array([1, 0] * n)) for n in (1, 100))
    assert few == pytest.approx(1000 ** (2 / 7) * 0.1 ** (5 / 7), rel=0.05)
    assert many == pytest.approx(1000 ** (200 / 205) * 0.1 ** (5 / 205), rel=0.05)
