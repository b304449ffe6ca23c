"""A network learns where actions begin and end, and found segments are moved there."""

from __future__ import annotations

import numpy as np
import pytest

from kineme.evaluation.detection.boundaries import (
    boundaries_settings,
    distances,
    fit_boundaries,
    moved,
    moved_labels,
    short_windows,
)
from kineme.evaluation.detection.classifier import ClassifierSettings
from kineme.evaluation.detection.detector import moved_segments
from kineme.evaluation.detection.frames import Windows

SHORT = Windows("centred", 16, 4)


def towards(start: int, end: int, frames: int) -> np.ndarray:
    """What a network without error says of one action."""
    at = np.arange(frames)
    return np.stack([start - at, end - at], axis=1).astype(float)


def test_windows_are_a_quarter_as_long_and_overlap() -> None:
    assert short_windows(Windows("centred", 64, 4)) == SHORT
    assert short_windows(Windows("tokens", 64, 32)) == Windows("tokens", 16, 16)
    assert short_windows(Windows("centred", 4, 1)) == Windows("centred", 2, 1)


def test_a_result_tells_what_is_read() -> None:
    assert boundaries_settings(Windows("centred", 64, 4), 4) == {
        "windows": {"kind": "centred", "frames": 16, "step": 4},
        "context": {"neighbours": 4, "spacing": 4, "smoothing": 0.0},
        "reach": 10,
        "moves": 2,
    }


def test_distances_stay_in_their_recording() -> None:
    """The first begins with an action and has one end; the second ends with an action; the third is bare."""
    labels = np.array([1, 1, 0, 0, 0, 2, 2, 0, 0])
    found = distances(labels, np.array([0, 4, 7, 9]))
    assert np.isinf(found[:4, 0]).all()
    assert found[:4, 1].tolist() == [2, 1, 0, -1]
    assert found[4:7, 0].tolist() == [1, 0, -1]
    assert np.isinf(found[4:7, 1]).all()
    assert np.isinf(found[7:]).all()


def test_adjoining_actions_have_an_end_and_a_start_in_the_same_frame() -> None:
    found = distances(np.array([0, 1, 1, 2, 2, 0]), np.array([0, 6]))
    assert found[3].tolist() == [0, 0]
    assert found[2].tolist() == [-1, 1]  # two starts are as near: the earlier


@pytest.mark.parametrize("segment", [(8, 22), (14, 26), (10, 20)])
def test_boundaries_are_moved_to_where_the_network_sees_them(segment: tuple[int, int]) -> None:
    assert moved(np.array([segment]), towards(10, 20, 30)).tolist() == [[10, 20]]


def test_a_boundary_is_moved_again_from_where_it_got_to() -> None:
    """From afar the network says half of the way."""
    assert moved(np.array([[2, 28]]), 0.5 * towards(10, 20, 30)).tolist() == [[8, 22]]


def test_no_segment_leaves_its_recording_or_vanishes() -> None:
    assert moved(np.array([[2, 8]]), towards(-5, 50, 10)).tolist() == [[0, 10]]
    assert moved(np.array([[2, 8]]), towards(6, 6, 10)).tolist() == [[2, 8]]
    assert moved(np.zeros((0, 2), dtype=np.int64), towards(2, 8, 10)).shape == (0, 2)


def test_labels_are_moved_in_each_recording_apart() -> None:
    labels = np.array([0, 1, 1, 0, 0, 0, 0, 2, 2, 0])
    found = moved_labels(labels, np.array([0, 5, 10]), [towards(0, 3, 5), towards(1, 4, 5)])
    assert found.tolist() == [1, 1, 1, 0, 0, 0, 2, 2, 2, 0]


def test_a_gap_opens_between_actions_and_where_they_would_overlap_the_later_is_seen() -> None:
    labels, offsets, still = np.array([1, 1, 1, 2, 2, 2]), np.array([0, 6]), np.zeros((6, 2))
    apart, over = still.copy(), still.copy()
    apart[3] = (
        1,
        -1,
    )  # the first ends a frame earlier, and the second starts a frame later; where both go, all is still
    over[3] = -1, 1
    assert moved_labels(labels, offsets, [apart]).tolist() == [1, 1, 0, 0, 2, 2]
    assert moved_labels(labels, offsets, [over]).tolist() == [1, 1, 2, 2, 2, 2]
    assert moved_labels(np.zeros(6, dtype=np.int64), offsets, [apart]).tolist() == [0] * 6


def test_moved_proposals_are_in_order_of_start_and_then_of_class() -> None:
    segments, scores = np.array([[0, 2, 2, 6], [0, 1, 3, 7], [1, 2, 1, 5]]), np.array([0.9, 0.8, 0.7])
    found, scored = moved_segments(segments, scores, [towards(1, 5, 8), towards(2, 6, 8)])
    assert found.tolist() == [[0, 1, 1, 5], [0, 2, 1, 5], [1, 2, 2, 6]]
    assert scored.tolist() == [0.8, 0.9, 0.7]


def test_the_network_learns_distances_from_features() -> None:
    """A hundred actions of 20 frames, 20 frames apart; each feature rises for ten frames about a boundary."""
    generator = np.random.default_rng(0)
    labels = np.tile(np.repeat([0, 1], 20), 100)
    phase = np.arange(4000) % 40
    ramps = [np.clip((phase - middle) / 10, -1, 1) for middle in (20, 0)]
    ramps[1] = np.clip(((phase + 20) % 40 - 20) / 10, -1, 1)
    features = (np.stack(ramps, axis=1) + 0.02 * generator.standard_normal((4000, 2))).astype(np.float16)
    offsets = np.array([0, 4000])
    settings = ClassifierSettings(hidden=16, lr=1e-2)
    boundaries = fit_boundaries(features, offsets, labels, SHORT, 0, settings)
    told, true = boundaries.moves(features), distances(labels, offsets)
    for column in range(2):
        near = np.abs(true[:, column]) <= 10
        assert np.abs(told[near, column] - true[near, column]).mean() < 1.5
