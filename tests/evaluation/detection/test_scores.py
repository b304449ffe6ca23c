"""All figures under names that tell the metric, in per cent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kineme.evaluation.detection.predictions import Detections
from kineme.evaluation.detection.scores import HEADLINE, score
from kineme.metrics.framewise import label_segments

OFFSETS = np.array([0, 40, 80, 120])
LABELS = np.tile(np.repeat([0, 1, 0, 2], 10), 3)


def perfect() -> Detections:
    truth = label_segments(LABELS, OFFSETS)
    return Detections(
        names=np.array(["a", "b", "c"]),
        offsets=OFFSETS,
        probabilities=np.eye(3)[LABELS],
        labels=LABELS,
        predicted=LABELS,
        truth=truth,
        segments=truth,
        segment_scores=np.linspace(1, 0.5, len(truth)),
    )


def test_perfection_is_a_hundred_by_every_metric() -> None:
    scores = score(perfect(), 3)
    assert {name: each.value for name, each in scores.items()} == dict.fromkeys(scores, 100.0)
    assert scores[HEADLINE].interval == (100.0, 100.0)
    assert len(scores) == 27


def test_names_say_which_metric_and_which_threshold() -> None:
    names = score(perfect(), 3).keys()
    for threshold in ("0.1", "0.3", "0.5"):
        for figure in ("mAP_a", "mAP_v", "AP", "F1"):
            assert f"{figure}@{threshold} (PKU-MMD)" in names
        assert f"mAP@{threshold} (Pascal VOC)" in names
        assert f"mAP@{threshold} (ActivityNet)" in names
    for name in (
        "frame accuracy",
        "edit score",
        "F1@10 (segmentation)",
        "F1@25 (segmentation)",
        "F1@50 (segmentation)",
        "mAP_a@0.5:0.95 (PKU-MMD)",
        "mAP_v@0.5:0.95 (PKU-MMD)",
        "mAP@0.5:0.95 (Pascal VOC)",
        "mAP@0.5:0.95 (ActivityNet)",
    ):
        assert name in names


def test_a_recording_in_which_nothing_is_found_costs_a_third() -> None:
    whole = perfect()
    kept = whole.segments[:, 0] < 2
    predicted = np.where(np.arange(120) < 80, LABELS, 0)
    scores = score(
        replace(
            whole,
            predicted=predicted,
            segments=whole.segments[kept],
            segment_scores=whole.segment_scores[kept],
        ),
        3,
    )
    assert scores["frame accuracy"].value == pytest.approx(100 * 100 / 120)
    assert scores["edit score"].value == pytest.approx(200 / 3)
    assert scores[HEADLINE].value == pytest.approx(200 / 3)
    assert scores["mAP_v@0.5 (PKU-MMD)"].value == pytest.approx(200 / 3)
    low, high = scores[HEADLINE].interval or (0, 0)
    assert low < 200 / 3 < high == 100.0


def test_overlaps_of_four_fifths_count_in_seven_of_ten_thresholds() -> None:
    whole = perfect()
    scores = score(replace(whole, segments=whole.segments - [[0, 0, 0, 2]]), 3)  # 8 of 10 frames
    assert scores["mAP_a@0.5:0.95 (PKU-MMD)"].value == pytest.approx(70.0)  # 0.5 to 0.8
    assert scores["mAP@0.5:0.95 (ActivityNet)"].value == pytest.approx(70.0)
