"""From probabilities to segments: the published rules and another, on recorded scores and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from golden_fill import load_golden

from kineme.evaluation.detection.segments import RULES, active_runs, class_runs, smooth

GIVEN = load_golden("detection_segments.npz")


def one_hot(labels: list[int], classes: int = 3) -> np.ndarray:
    return np.eye(classes)[labels]


def test_runs_of_classes_agree_with_what_was_recorded() -> None:
    segments, scores = class_runs(GIVEN["frame_scores"])
    np.testing.assert_array_equal(segments, GIVEN["runs_over_002"][:, :3])
    np.testing.assert_allclose(scores, GIVEN["runs_over_002"][:, 3], rtol=1e-12)


def test_runs_of_activity_agree_with_what_was_recorded() -> None:
    np.testing.assert_allclose(smooth(GIVEN["frame_scores"]), GIVEN["smoothed_k10"], rtol=0, atol=1e-14)
    segments, scores = active_runs(GIVEN["frame_scores"])
    np.testing.assert_array_equal(segments, GIVEN["segments_threshold_04"][:, :3])
    np.testing.assert_allclose(scores, GIVEN["segments_threshold_04"][:, 3], rtol=1e-12)


def test_a_class_has_a_run_wherever_it_is_likelier_than_two_per_cent() -> None:
    probabilities = np.array([[0.97, 0.03], [0.5, 0.5], [0.98, 0.02], [0.0, 1.0]])
    segments, scores = class_runs(probabilities)
    assert segments.tolist() == [[1, 0, 2], [1, 3, 4]]
    assert scores == pytest.approx([0.265, 1.0])


def test_of_the_third_rule_a_class_has_a_run_wherever_it_is_likelier_than_a_quarter() -> None:
    probabilities = np.array([[0.7, 0.3], [0.5, 0.5], [0.75, 0.25], [0.0, 1.0]])
    segments, scores = RULES["C"](probabilities)
    assert segments.tolist() == [[1, 0, 2], [1, 3, 4]]
    assert scores == pytest.approx([0.4, 1.0])


def test_runs_of_several_classes_may_share_frames() -> None:
    segments, _ = class_runs(np.array([[0.2, 0.4, 0.4]] * 3))
    assert segments.tolist() == [[1, 0, 3], [2, 0, 3]]


def test_activity_is_one_run_of_one_class_even_where_the_class_changes() -> None:
    segments, _ = active_runs(one_hot([0] * 30 + [1] * 40 + [2] * 20 + [0] * 30))
    assert segments[:, 0].tolist() == [1]
    ((_, start, end),) = segments.tolist()
    assert abs(start - 30) <= 2
    assert abs(end - 90) <= 3


@pytest.mark.parametrize("rule", RULES.values())
@pytest.mark.parametrize("frames", [1, 2, 9, 11])
def test_recordings_of_few_frames_have_segments_too(rule, frames: int) -> None:
    segments, scores = rule(one_hot([1] * frames))
    assert segments.tolist() == [[1, 0, frames]]
    assert scores == pytest.approx([1.0])


@pytest.mark.parametrize("rule", RULES.values())
def test_mere_background_has_no_segments(rule) -> None:
    segments, scores = rule(one_hot([0] * 50))
    assert segments.shape == (0, 3)
    assert scores.shape == (0,)


def test_means_reach_ten_frames_back_and_nine_ahead_and_never_the_last() -> None:
    impulse = np.zeros((60, 1))
    impulse[30] = 1
    assert np.flatnonzero(smooth(impulse)[:, 0]).tolist() == list(range(21, 41))
    last = np.zeros((60, 1))
    last[59] = 1
    assert not smooth(last).any()
