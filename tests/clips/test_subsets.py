"""Few labels: how many clips of which class are drawn, and that they stay the same."""

from __future__ import annotations

import numpy as np
import pytest

from kineme.clips.subsets import label_subset
from kineme.errors import KinemeError

ROWS = np.arange(1000, 1330)  # 200 clips of class 0, 100 of class 3, 29 of class 7, 1 of class 8
LABELS = np.repeat([0, 3, 7, 8], [200, 100, 29, 1])


@pytest.mark.parametrize(
    ("fraction", "counts"),
    [(0.01, [2, 1, 1, 1]), (0.05, [10, 5, 1, 1]), (0.1, [20, 10, 3, 1]), (1.0, [200, 100, 29, 1])],
)
def test_every_class_keeps_its_share_and_at_least_one(fraction: float, counts: list[int]) -> None:
    drawn = label_subset(ROWS, LABELS, fraction, seed=0)
    labels, found = np.unique(LABELS[drawn - 1000], return_counts=True)
    assert (labels.tolist(), found.tolist()) == ([0, 3, 7, 8], counts)
    assert (np.diff(drawn) > 0).all()


def test_halves_are_rounded_up() -> None:
    assert len(label_subset(np.arange(5), np.zeros(5, int), 0.5, seed=0)) == 3
    assert len(label_subset(np.arange(50), np.zeros(50, int), 0.05, seed=0)) == 3


def test_a_seed_draws_these_clips_wherever_it_runs() -> None:
    drawn = label_subset(np.arange(20), np.repeat([0, 1], 10), 0.3, seed=1)
    assert drawn.tolist() == [2, 4, 9, 13, 15, 16]


def test_a_smaller_share_is_part_of_a_larger_one() -> None:
    drawn = [
        set(label_subset(ROWS, LABELS, fraction, seed=5).tolist()) for fraction in (0.01, 0.05, 0.1, 0.2)
    ]
    assert drawn[0] < drawn[1] < drawn[2] < drawn[3]


def test_neither_the_order_nor_other_classes_change_the_draw() -> None:
    drawn = label_subset(ROWS, LABELS, 0.1, seed=2)
    shuffled = np.random.default_rng(0).permutation(len(ROWS))
    np.testing.assert_array_equal(label_subset(ROWS[shuffled], LABELS[shuffled], 0.1, seed=2), drawn)
    alone = LABELS == 3
    np.testing.assert_array_equal(
        label_subset(ROWS[alone], LABELS[alone], 0.1, seed=2), drawn[LABELS[drawn - 1000] == 3]
    )


def test_seeds_differ_and_so_do_classes_of_one_seed() -> None:
    labels = np.repeat([0, 1], 100)
    first, second = (label_subset(np.arange(200), labels, 0.1, seed) for seed in (0, 1))
    assert len(np.intersect1d(first, second)) < 10
    assert first[:10].tolist() != (first[10:] - 100).tolist()


def test_clips_without_a_label_are_never_drawn() -> None:
    labels = np.array([-1, 4, -1, 4])
    assert label_subset(np.array([7, 8, 9, 10]), labels, 1.0, seed=0).tolist() == [8, 10]
    assert label_subset(np.array([7]), np.array([-1]), 1.0, seed=0).tolist() == []


@pytest.mark.parametrize(("fraction", "seed"), [(0.0, 0), (1.1, 0), (float("nan"), 0), (0.1, -1)])
def test_impossible_shares_and_seeds_are_refused(fraction: float, seed: int) -> None:
    with pytest.raises(KinemeError, match=r"above 0 and at most 1|at least 0"):
        label_subset(ROWS, LABELS, fraction, seed)


def test_all_classes_at_once_give_a_whole_number_rounded_down() -> None:
    rows, labels = np.arange(100, 200), np.arange(100) % 7 - 1  # some clips have no label
    labelled = rows[labels >= 0]
    drawn = label_subset(rows, labels, 0.1, seed=0, by_class=False)
    assert len(drawn) == int(0.1 * len(labelled))
    assert set(drawn) <= set(labelled)
    assert (np.diff(drawn) > 0).all()
    larger = label_subset(rows, labels, 0.3, seed=0, by_class=False)
    assert set(drawn) < set(larger)
    shuffled = np.random.default_rng(0).permutation(100)
    np.testing.assert_array_equal(
        label_subset(rows[shuffled], labels[shuffled], 0.1, seed=0, by_class=False), drawn
    )
    assert len(label_subset(rows, labels, 0.001, seed=0, by_class=False)) == 1
