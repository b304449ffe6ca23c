"""What is in a store, in numbers that can be counted by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kineme.clips import tally
from kineme.clips.store import Clip, ClipStore, Manifest
from kineme.clips.summary import summarise
from kineme.clips.writer import StoreWriter
from kineme.layouts import Layout
from kineme.preprocessing import stored_preprocessing

STICK = Layout.from_names("stick", ["hip", "neck", "left_hand"], [None, "hip", "neck"])


def bodies(frames: int, many: int = 1) -> Any:
    xyz = np.zeros((frames, 2, 3, 3), dtype=np.float32)
    xyz[:, :many] = [[0.5, 0, 0], [0, 1, 0], [1, 1, 0]]
    return xyz


def store_of(
    path: Path, clips: list[Clip], *, preprocessing: str = "handmade", classes: tuple[str, ...] = ()
) -> ClipStore:
    manifest = Manifest(STICK, stored_preprocessing({"name": preprocessing}), "mine", classes, fps=20)
    told = clips[0].confidence is not None
    with StoreWriter(path, manifest, 2, confidence=told) as writer:
        for clip in clips:
            writer.add(clip)
    return ClipStore(path)


def test_clips_people_and_classes_are_counted(tmp_path: Path) -> None:
    clips = [
        Clip("a", bodies(10), label=2, subject="10", camera=1, splits={"xsub": True}),
        Clip("b", bodies(30, 2), label=2, subject="9", camera=3, splits={"xsub": False}),
        Clip("c", bodies(20), label=0, subject="ann", camera=3, splits={"xsub": True}),
        Clip("d", bodies(100), subject="9", camera=1),
    ]
    found = summarise(store_of(tmp_path / "s", clips, classes=("wave", "bow", "sit")))
    assert (found.clips, found.frames, found.hours) == (4, 160, 160 / 20 / 3600)
    assert (found.lengths.shortest, found.lengths.median, found.lengths.longest) == (10, 25.0, 100)
    assert (found.class_clips.tolist(), found.unlabelled) == ([1, 0, 2], 1)
    assert found.subjects == ["9", "10", "ann"]
    assert (found.cameras, found.setups, found.bodies) == ({1: 2, 3: 2}, {}, {1: 3, 2: 1})
    assert found.splits == {"xsub": (2, 1), "xview": (2, 2)}
    assert found.intervals is None


def test_what_is_known_goes_to_programs_as_it_is(tmp_path: Path) -> None:
    store = store_of(tmp_path / "s", [Clip("a", bodies(4), label=0)], classes=("wave",))
    data = json.loads(json.dumps(summarise(store).to_dict()))
    assert data["classes"] == {"wave": 1}
    assert data["layout"] == {"name": "stick", "joints": ["hip", "neck", "left_hand"]}
    assert data["lengths"] == {"shortest": 4, "median": 4.0, "longest": 4}
    assert (data["fingerprint"], data["preprocessing"]) == (store.manifest.fingerprint, "handmade")
    assert data["intervals"] is None
    assert data["missing"]["told_by"] == "zeros"


def test_joints_at_zero_are_missing_of_bodies_that_are_there(tmp_path: Path) -> None:
    """100 frames of one body: 20 hands are missing; the absent second body is not."""
    xyz = bodies(100)
    xyz[40:60, 0, 2] = 0
    missing = summarise(store_of(tmp_path / "s", [Clip("a", xyz)], preprocessing="handmade")).missing
    assert missing.by_joint.tolist() == [0, 0, 0.2]
    assert missing.share == 20 / 300
    assert (missing.by_confidence, missing.at_least) == (False, True)


def test_joints_of_the_second_body_are_missing_too(tmp_path: Path) -> None:
    xyz = bodies(100, 2)
    xyz[40:60, 1, 2] = 0
    missing = summarise(store_of(tmp_path / "s", [Clip("a", xyz)])).missing
    assert missing.by_joint.tolist() == [0, 0, 0.1]


def test_the_joint_that_the_preprocessing_brings_to_the_origin_is_not_missing(tmp_path: Path) -> None:
    xyz = bodies(10)
    xyz[:, :, 0] = 0
    xyz[:5, 0, 2] = 0
    missing = summarise(store_of(tmp_path / "s", [Clip("a", xyz)], preprocessing="plain")).missing
    np.testing.assert_array_equal(missing.by_joint, [np.nan, 0, 0.5])
    assert (missing.share, missing.at_least) == (5 / 20, True)


def test_where_there_is_confidence_it_tells(tmp_path: Path) -> None:
    confidence = np.zeros((10, 2, 3), dtype=np.float32)
    confidence[:, 0] = 0.5
    confidence[:4, 0, 0] = 0
    store = store_of(tmp_path / "s", [Clip("a", bodies(10), confidence=confidence)], preprocessing="plain")
    missing = summarise(store).missing
    np.testing.assert_allclose(missing.by_joint, [0.4, 0, 0])
    assert (missing.by_confidence, missing.at_least) == (True, False)


def test_intervals_of_recordings_are_counted_and_overlaps_count_once(tmp_path: Path) -> None:
    clips = [
        Clip("a", bodies(50), intervals=[(10, 20, 0), (15, 30, 1), (40, 50, 0)]),
        Clip("b", bodies(50), intervals=[(0, 5, 1)]),
    ]
    found = summarise(store_of(tmp_path / "s", clips, classes=("wave", "bow")))
    assert found.intervals is not None
    assert (found.intervals.count, found.intervals.labelled) == (4, 0.35)
    assert found.class_clips.tolist() == [2, 2]


def test_reading_in_pieces_changes_nothing_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    xyz = bodies(101, 2) * (rng.random((101, 2, 3, 1)) < 0.7)
    store = store_of(tmp_path / "s", [Clip("a", xyz)])
    whole = summarise(store).missing
    monkeypatch.setattr(tally, "PIECE", 25 * 2 * 3 * 3)  # 25 frames at a time
    told: list[tuple[int, int]] = []
    pieces = summarise(store, lambda *each: told.append(each)).missing
    np.testing.assert_array_equal(pieces.by_joint, whole.by_joint)
    assert told == [(25, 101), (50, 101), (75, 101), (100, 101), (101, 101)]
