"""Average precision by hand, and as PKU-MMD's own evaluation gives it on one set of proposals."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from golden_fill import GOLDEN

from kineme.metrics.detection import (
    Proposals,
    activitynet,
    best_match,
    list_precision,
    pair,
    pascal_voc,
    pku_mmd,
)
from kineme.typing import Array

Segments = list[tuple[int, int, int, int]]

GIVEN = json.loads((GOLDEN / "detection_metrics.json").read_text())


def ranking(truth: Segments, proposals: list[tuple[int, int, int, int, float]]) -> Proposals:
    """Of intervals (recording, class, start, end) and proposals that have a score besides."""
    rows = np.array(proposals, dtype=float).reshape(-1, 5)
    return Proposals.of(
        np.array(truth, dtype=np.int64).reshape(-1, 4), rows[:, :4].astype(np.int64), rows[:, 4]
    )


def golden() -> Proposals:
    truth, proposals = np.array(GIVEN["ground_truth"]), np.array(GIVEN["proposals"])
    return Proposals.of(truth[:, [3, 0, 1, 2]], proposals[:, [4, 0, 1, 2]].astype(np.int64), proposals[:, 3])


def pku(found: Proposals, threshold: float = 0.5) -> dict[str, float]:
    return pku_mmd(found, threshold, recordings=1, classes=2)


@pytest.mark.parametrize("threshold", ["0.1", "0.3", "0.5"])
def test_pku_mmd_agrees_with_its_own_evaluation(threshold: str) -> None:
    expected = GIVEN["expected"][threshold]
    figures = pku_mmd(golden(), float(threshold), recordings=16, classes=52)
    assert figures["mAP_a"] == pytest.approx(expected["mAP_action_51_classes"], abs=1e-12)
    assert figures["mAP_v"] == pytest.approx(expected["mAP_video"], abs=1e-12)
    assert figures["AP"] == pytest.approx(expected["AP_all"], abs=1e-12)
    assert figures["F1"] == pytest.approx(expected["F1"], abs=1e-12)


@pytest.mark.parametrize("threshold", ["0.1", "0.3", "0.5"])
def test_pascal_voc_agrees_with_what_was_recorded(threshold: str) -> None:
    expected = GIVEN["expected"][threshold]["mAP_voc_present_classes"]
    assert np.float32(expected) == expected  # it was recorded in single precision
    assert pascal_voc(golden(), float(threshold)) == pytest.approx(expected, abs=2e-7)


TRUE = (0, 1, 10, 20)
TWO = [TRUE, (0, 1, 40, 60)]


def test_a_perfect_detection_has_all_points() -> None:
    found = ranking(TWO, [(*TWO[0], 0.9), (*TWO[1], 0.4)])
    assert pku(found) == {"mAP_a": 1.0, "mAP_v": 1.0, "AP": 1.0, "F1": 1.0}
    assert pascal_voc(found, 0.5) == activitynet(found, 0.95) == 1.0


def test_where_nothing_is_proposed_there_are_no_points() -> None:
    found = ranking(TWO, [])
    assert pku(found) == {"mAP_a": 0.0, "mAP_v": 0.0, "AP": 0.0, "F1": 0.0}
    assert pascal_voc(found, 0.5) == activitynet(found, 0.5) == 0.0


def test_where_nothing_is_true_proposals_have_no_points() -> None:
    found = ranking([], [(*TRUE, 0.9)])
    assert pku(found) == {"mAP_a": 0.0, "mAP_v": 0.0, "AP": 0.0, "F1": 0.0}
    assert pascal_voc(found, 0.5) == activitynet(found, 0.5) == 0.0


@pytest.mark.parametrize("place", [(0, 2, 10, 20), (1, 1, 10, 20), (0, 1, 20, 30)])
def test_another_class_recording_or_time_matches_nothing(place: tuple[int, int, int, int]) -> None:
    found = ranking([TRUE], [(*place, 0.9)])
    assert pku_mmd(found, 0.1, recordings=2, classes=3)["AP"] == 0.0
    assert pascal_voc(found, 0.1) == activitynet(found, 0.1) == 0.0


def test_pku_mmd_halves_a_perfect_detection_with_one_low_scored_false_alarm_and_the_others_do_not() -> None:
    found = ranking([TRUE], [(*TRUE, 0.9), (0, 1, 70, 80, 0.1)])
    assert pku(found)["AP"] == 0.5
    assert pku(found)["F1"] == pytest.approx(2 * 0.5 * 1 / 1.5)
    assert pascal_voc(found, 0.5) == activitynet(found, 0.5) == 1.0


def test_a_false_alarm_above_the_detection_halves_all() -> None:
    found = ranking([TRUE], [(*TRUE, 0.1), (0, 1, 70, 80, 0.9)])
    assert pku(found)["AP"] == pascal_voc(found, 0.5) == activitynet(found, 0.5) == 0.5


def test_a_second_proposal_of_one_interval_is_a_proposal_more_and_no_interval_more() -> None:
    found = ranking([TRUE], [(*TRUE, 0.9), (*TRUE, 0.8)])
    # The whole list has precision 1/2; without the second it has 1/1, and the interval is still found.
    assert pku(found)["AP"] == 1.0
    assert pku(found)["F1"] == pytest.approx(2 * 0.5 * 1 / 1.5)
    assert pascal_voc(found, 0.5) == activitynet(found, 0.5) == 1.0


def test_a_shifted_proposal_matches_up_to_its_overlap() -> None:
    found = ranking([TRUE], [(0, 1, 15, 25, 0.9)])  # 5 of 15 frames are shared
    assert pku(found, 1 / 3)["AP"] == activitynet(found, 1 / 3) == 1.0
    assert pku(found, 0.334)["AP"] == activitynet(found, 0.334) == 0.0
    assert pascal_voc(found, 6 / 16) == 1.0  # with both ends counted, 6 of 16
    assert pascal_voc(found, 0.376) == 0.0


def test_only_activitynet_lets_a_proposal_take_its_second_best_interval() -> None:
    truth: Segments = [(0, 1, 0, 10), (0, 1, 10, 18)]
    found = ranking(truth, [(0, 1, 0, 10, 0.9), (0, 1, 0, 18, 0.8)])
    # The second proposal overlaps the first interval by 10/18 and the second by 8/18.
    assert activitynet(found, 0.4) == 1.0
    assert pascal_voc(found, 0.4) == 0.5


def test_means_count_classes_and_videos_without_points_where_the_metric_says_so() -> None:
    truth: Segments = [(0, 1, 0, 10), (1, 2, 0, 10)]
    found = ranking(truth, [(0, 1, 0, 10, 0.9)])
    figures = pku_mmd(found, 0.5, recordings=3, classes=5)
    assert figures["mAP_a"] == pytest.approx(1 / 4)  # of four actions, two of which are never shown
    assert figures["mAP_v"] == pytest.approx(1 / 3)
    assert pascal_voc(found, 0.5) == 0.5  # of the two that are


def test_lists_agree_with_the_definition_step_by_step() -> None:
    """Proposals are taken off one by one, as the metric is told in words."""
    generator = np.random.default_rng(0)
    for _ in range(200):
        truths = int(generator.integers(1, 8))
        match = generator.integers(-1, truths, size=generator.integers(1, 15))
        left = match.tolist()
        best, recall, area = len({*left} - {-1}) / len(left), len({*left} - {-1}) / truths, 0.0
        while left:
            matched = left.pop() >= 0
            if matched:
                positives = len({*left} - {-1})
                best = max(best, positives / len(left) if left else 0.0)
                area += best * (recall - positives / truths)
                recall = positives / truths
        assert list_precision(match, truths) == pytest.approx(area)


def test_pairs_overlap_in_their_own_recording_and_class_from_the_largest_down() -> None:
    truth = np.array([(0, 1, 0, 10), (0, 1, 10, 30), (0, 2, 0, 30), (1, 1, 0, 30)])
    pairs = pair(truth, np.array([(0, 3, 0, 30), (0, 1, 5, 25)]))
    assert pairs.segment.tolist() == [1, 1]
    assert pairs.truth.tolist() == [1, 0]
    assert pairs.overlap == pytest.approx([15 / 25, 5 / 25])
    assert best_match(pairs, 2, 0.6).tolist() == [-1, 1]
    assert best_match(pairs, 2, 0.61).tolist() == [-1, -1]


def test_a_thousand_videos_of_51_classes_take_seconds() -> None:
    generator = np.random.default_rng(0)

    def intervals(count: int) -> Array:
        start = generator.integers(0, 5000, count)
        return np.stack(
            [
                generator.integers(0, 1000, count),
                generator.integers(1, 52, count),
                start,
                start + generator.integers(10, 200, count),
            ],
            axis=1,
        )

    truth, proposals = intervals(20_000), intervals(300_000)
    began = time.process_time()
    found = Proposals.of(truth, proposals, generator.random(300_000))
    pku_mmd(found, 0.5, recordings=1000, classes=52)
    pascal_voc(found, 0.5)
    activitynet(found, 0.5)
    assert time.process_time() - began < 10
