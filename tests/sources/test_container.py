"""The .npz container: clips by value, and refusals that name the array."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sources.fuzz import memory_below

from kineme import untrusted
from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS
from kineme.sources.container import label_runs, open_container

KINECT = LAYOUTS["kinect20"]


def arrays(**changes: Any) -> dict[str, Any]:
    """Two clips of 3 and 4 frames, joints in reverse order; joint j of frame f is at (f, j, 1)."""
    frame, joint = np.mgrid[:7, :20]
    data = {
        "xyz": np.stack([frame, joint, np.ones_like(frame)], axis=-1)[:, ::-1].astype(np.float32),
        "offsets": np.array([0, 3, 7]),
        "name": np.array(["first", "second"]),
        "label": np.array([1, 0], dtype=np.int32),
        "label_names": np.array(["wave", "kick"]),
        "subject": np.array(["03", "bd"]),
        "view": np.array([0, 2], dtype=np.int32),
        "joint_names": np.array(KINECT.joints[::-1]),
        "parents": np.array([-1 if p == -1 else 19 - p for p in KINECT.parents[::-1]]),
        "fps": np.float32(25),
    }
    return {name: array for name, array in (data | changes).items() if array is not None}


def written(folder: Path, **changes: Any) -> Path:
    path = folder / "recorded.npz"
    np.savez(path, **arrays(**changes))
    return path


def test_clips_come_in_the_layout_of_the_joint_names(tmp_path: Path) -> None:
    source = open_container(written(tmp_path))
    assert source.layout is KINECT
    assert (source.name, source.class_names, source.fps, source.bodies) == (
        "recorded",
        ("wave", "kick"),
        25.0,
        1,
    )
    assert list(source.names) == ["first", "second"]
    first, second = map(source.read, source.items)
    assert (first.name, first.label, first.subject, first.camera) == ("first", 1, "03", 0)
    assert (second.name, second.label, second.subject, second.camera) == ("second", 0, "bd", 2)
    assert first.xyz.shape == (3, 1, 20, 3)
    assert first.xyz.dtype == np.float32
    np.testing.assert_array_equal(second.xyz[1, 0, 7], [4, 7, 1])
    assert first.intervals == []


def test_labels_of_frames_become_intervals(tmp_path: Path) -> None:
    labels = np.array([0, 1, 1, 2, 2, 1, 0], dtype=np.int32)
    names = np.array(["background", "wave", "kick"])
    path = written(tmp_path, frame_label=labels, label=np.array([-1, -1]), label_names=names)
    first, second = map((source := open_container(path)).read, source.items)
    assert (first.label, second.label) == (-1, -1)
    assert first.intervals == [(1, 3, 1)]
    assert second.intervals == [(0, 2, 2), (2, 3, 1)]
    assert source.class_names == ("background", "wave", "kick")


@pytest.mark.parametrize(
    ("labels", "runs"),
    [([], []), ([0, 0], []), ([3, 3, 3], [(0, 3, 3)]), ([1, 2, 0, 2], [(0, 1, 1), (1, 2, 2), (3, 4, 2)])],
)
def test_runs_of_labels(labels: list[int], runs: list[tuple[int, int, int]]) -> None:
    assert label_runs(np.array(labels, dtype=np.int32)) == runs


def test_unknown_joints_make_a_layout_called_like_the_file(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        xyz=np.ones((7, 3, 3)),
        joint_names=np.array(["root", "lhand", "rhand"]),
        parents=np.array([-1, 0, 0]),
    )
    layout = open_container(path).layout
    assert (layout.name, layout.joints, layout.mirrored) == (
        "recorded",
        ("root", "lhand", "rhand"),
        ((1, 2),),
    )


NOT_FINITE = arrays()["xyz"].copy()
NOT_FINITE[4, 2, 0] = np.nan


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"offsets": None}, "lacks the array 'offsets'"),
        ({"xyz": np.ones((7, 20))}, "'xyz' is float64 of shape (7, 20); expected numbers, 3 axes"),
        ({"xyz": np.ones((7, 20, 2))}, "'xyz' has shape (7, 20, 2)"),
        ({"xyz": np.ones((7, 19, 3))}, "'joint_names' has 20 entries; expected 19"),
        ({"xyz": NOT_FINITE}, "'xyz' contains NaN or infinite values in clip 'second', frame 1"),
        ({"offsets": np.array([0, 3, 8])}, "'offsets' must increase from 0 to 7"),
        ({"offsets": np.array([0, 9, 7])}, "'offsets' must increase from 0 to 7"),
        ({"offsets": np.array([0, 0, 7])}, "'offsets' must increase from 0 to 7"),
        ({"offsets": np.array([0, 7])}, "'offsets' has 2 entries; expected 3"),
        ({"offsets": np.array([0.0, 3.0, 7.0])}, "'offsets' is float64 of shape (3,); expected integers"),
        ({"name": np.array(["same", "same"])}, "'name' contains duplicates"),
        ({"label": np.array([0, 2])}, "'label' is not in -1..1"),
        ({"label": np.array([-2, 0])}, "'label' is not in -1..1"),
        ({"label": np.array([0])}, "'label' has 1 entries; expected 2"),
        ({"subject": np.array([1, 2])}, "'subject' is int64 of shape (2,); expected text"),
        ({"subject": np.array(["a"])}, "'subject' has 1 entries; expected 2"),
        ({"frame_label": np.zeros(6, int)}, "'frame_label' has 6 entries; expected 7"),
        ({"frame_label": np.full(7, 2)}, "'frame_label' is not in 0..1"),
        ({"fps": np.float32(0)}, "'fps' is 0.0"),
        ({"parents": np.full(20, -1)}, "exactly one joint must be the root"),
        (
            {"name": np.array([{"a": "pickle"}, 1], dtype=object)},
            "name.npy holds object, not numbers or text",
        ),
        ({"name": np.array(["a", "\033[2J"])}, "the name '\\x1b[2J' has characters that act instead"),
        ({"label_names": np.array(["a", "\ud800"])}, "the name '\\ud800' has characters that act instead"),
    ],
)
def test_malformed_arrays_are_refused_by_name(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    if "parents" in changes:
        changes["joint_names"] = np.array([f"joint{j}" for j in range(20)])
    path = written(tmp_path, **changes)
    with pytest.raises(KinemeError) as refusal:
        list(map(open_container(path).read, range(2)))  # coordinates are read when they are needed
    assert str(refusal.value).startswith(str(path))
    assert reason in str(refusal.value)


@pytest.mark.parametrize(
    "data",
    [b"", b"PK\x03\x04 cut off", os.urandom(2000), b"\x93NUMPY"],
    ids=["empty", "cut", "binary", "npy"],
)
def test_other_files_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "clips.npz"
    path.write_bytes(data)
    with pytest.raises(KinemeError, match=r"not an \.npz container"):
        open_container(path)


def test_a_container_that_unfolds_is_refused_before_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(untrusted, "LARGEST_ARCHIVE", 1 << 20)
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, **arrays(subject=np.zeros(1 << 15, dtype="<U64")))
    assert path.stat().st_size < 1 << 15
    with memory_below(1 << 20), pytest.raises(KinemeError, match=r"bomb\.npz: .*expands to 8,\d+,\d+ bytes"):
        open_container(path)


def test_clips_are_read_one_at_a_time(tmp_path: Path) -> None:
    frames = 200_000
    big = arrays() | {"xyz": np.zeros((frames, 20, 3), np.float32), "offsets": np.array([0, 3, frames])}
    np.savez_compressed(tmp_path / "big.npz", **big)
    with memory_below(1 << 23):
        source = open_container(tmp_path / "big.npz")
        assert source.read(0).xyz.shape == (3, 1, 20, 3)


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_truncated_container_is_refused(tmp_path: Path, share: float) -> None:
    path = written(tmp_path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(KinemeError, match=r"recorded\.npz: (not an|array)"):
        open_container(path)


def test_a_missing_file_is_called_missing(tmp_path: Path) -> None:
    with pytest.raises(KinemeError, match=r"no such file; a container is one \.npz file"):
        open_container(tmp_path / "nowhere.npz")


def real(name: str) -> Path:
    folder = os.environ.get("KINEME_DATA")
    if not folder:
        pytest.skip("KINEME_DATA is not set: it names the folder of the recorded data sets")
    return Path(folder) / name


@pytest.mark.data
def test_recorded_clips_are_trimmed_and_labelled() -> None:
    source = open_container(real("utd_mhad.npz"))
    clips = [source.read(item) for item in source.items]
    assert source.layout is KINECT
    assert len(clips) == 861
    assert len({clip.label for clip in clips}) == 27
    assert {clip.subject for clip in clips} == set("12345678")
    heads = np.concatenate([clip.xyz[:, 0, 3, 1] - clip.xyz[:, 0, 15, 1] for clip in clips])
    assert (
        heads > 1
    ).mean() > 0.95  # the head is more than a metre above the foot: y is up, joints are in order


@pytest.mark.data
def test_recorded_sequences_are_untrimmed() -> None:
    source = open_container(real("precog.npz"))
    clips = [source.read(item) for item in source.items]
    assert source.layout is KINECT
    assert len(clips) == 70
    assert sum(len(clip.intervals) for clip in clips) == 353
    assert {label for clip in clips for _, _, label in clip.intervals} == set(range(1, 9))
