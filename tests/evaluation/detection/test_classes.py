"""The background is class 0, whether a store names it or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from evaluation.detection.recordings import STICK, write_recordings

from kineme.clips.store import Clip, ClipStore, Manifest
from kineme.clips.writer import StoreWriter
from kineme.evaluation.detection.classes import detection_classes, frame_labels, true_intervals
from kineme.preprocessing import get_preprocessing


def test_stores_that_name_the_background_and_stores_that_do_not_have_the_same_classes(tmp_path: Path) -> None:
    named = ClipStore(write_recordings(tmp_path / "named", background=True))
    bare = ClipStore(write_recordings(tmp_path / "bare"))
    assert detection_classes(named) == ("Background", "rise", "swing")
    assert detection_classes(bare) == ("background", "rise", "swing")
    rows = np.array([1, 6])
    np.testing.assert_array_equal(true_intervals(named, rows), true_intervals(bare, rows))


def test_intervals_are_of_the_recordings_asked_for_in_their_order(tmp_path: Path) -> None:
    store = ClipStore(write_recordings(tmp_path / "store"))
    found = true_intervals(store, np.array([4, 1]))
    assert found[:, 0].tolist() == [0] * 4 + [1] * 4
    assert found[4:].tolist() == [
        [1, 2, 14, 26],  # the second recording begins with swing, one frame late
        [1, 1, 41, 53],
        [1, 2, 67, 80],
        [1, 1, 94, 106],
    ]


def test_an_interval_of_the_background_is_no_action(tmp_path: Path) -> None:
    names, xyz = ("background", "rise"), np.ones((9, 1, 3, 3), dtype=np.float32)
    with StoreWriter(
        tmp_path / "store", Manifest(STICK, get_preprocessing("plain"), "test", names), 1
    ) as writer:
        writer.add(Clip("recording", xyz, intervals=[(0, 2, 0), (2, 5, 1), (5, 9, 0)]))
    assert true_intervals(ClipStore(tmp_path / "store"), np.array([0])).tolist() == [[0, 1, 2, 5]]


def test_frames_outside_all_intervals_are_background() -> None:
    intervals = np.array([[0, 1, 1, 3], [1, 2, 0, 2], [1, 1, 1, 3]])
    assert frame_labels(intervals, np.array([0, 4, 8])).tolist() == [0, 1, 1, 0, 2, 1, 1, 0]
