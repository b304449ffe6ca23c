"""Agreement with labels, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from kineme.metrics import measure
from kineme.metrics.clustering import adjusted_mutual_information, boundary_f1


def test_clusters_that_are_the_classes_share_all_information_whatever_their_numbers() -> None:
    assert adjusted_mutual_information(np.array([0, 0, 1, 2]), np.array([7, 7, 3, 5])) == pytest.approx(100)


def test_a_class_in_two_clusters() -> None:
    """MI = ln 2, the entropies ln 2 and 3/2 ln 2. Of 6 ways to draw the pair, 2 give ln 2 and 4 half of it.

    So (1 - 2/3) / (5/4 - 2/3) = 4/7.
    """
    found = adjusted_mutual_information(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 2]))
    assert found == pytest.approx(400 / 7)


def test_clusters_across_the_classes_share_less_than_chance() -> None:
    """MI = 0 and both entropies ln 2; of 3 ways to pair four, one shares ln 2: (0 - 1/3) / (1 - 1/3)."""
    assert adjusted_mutual_information(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])) == pytest.approx(-50)


@pytest.mark.parametrize(
    ("true", "found", "share"),
    [
        ([100], [110], 100),
        ([100], [111], 0),
        ([100, 200], [91, 109, 150], 40),  # 100 is found once: 2 · 1 / (2 + 3)
        ([100, 104], [102], 200 / 3),  # and 102 counts once
        ([100, 112], [108, 118], 100),  # 108 is near both, and is left to the one that has no other
        ([], [], 100),
        ([], [5], 0),
    ],
)
def test_boundaries(true: list[int], found: list[int], share: float) -> None:
    assert boundary_f1([np.array(true)], [np.array(found)]) == pytest.approx(share)


def test_boundaries_are_counted_over_all_recordings() -> None:
    """Two right of 3 true and 3 found; equal frames of different recordings are not the same."""
    true, found = [np.array([10, 50]), np.array([90])], [np.array([10]), np.array([50, 90])]
    assert boundary_f1(true, found, tolerance=0) == pytest.approx(200 / 3)


def test_the_metrics_are_registered() -> None:
    labels = np.array([0, 0, 1])
    found = measure(labels=labels, clusters=labels, true_boundaries=[labels], found_boundaries=[labels])
    assert found == {"adjusted mutual information": pytest.approx(100), "boundary F1": pytest.approx(100)}


def test_a_boundary_that_is_not_found_costs_no_later_one():
    assert boundary_f1([np.array([0, 100])], [np.array([100])], tolerance=9) == pytest.approx(200 / 3)
