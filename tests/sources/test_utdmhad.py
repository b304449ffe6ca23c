"""UTD-MHAD's own download: read by value, and refused with what is wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sources.fuzz import held, mutations, survives
from sources.writers import mat5, motion, packed, write_utdmhad

from kineme.__main__ import main
from kineme.clips.splits import split_rows
from kineme.clips.store import Clip, ClipStore
from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS
from kineme.sources.container import open_container
from kineme.sources.utdmhad import open_utdmhad, read_clip

SKELETON = motion(6, 20).transpose(1, 2, 0)  # (20, 3, T), as in the files
FILES_OF = [3, 2, 1, 0, *range(4, 20)]  # the file's joint of each of kinect20: the trunk from the head down


def read(raw: Path) -> list[Clip]:
    source = open_utdmhad(raw)
    return [source.read(item) for item in source.items]


def small_set(folder: Path) -> Path:
    write_utdmhad(folder, "a10_s2_t1", SKELETON[:, :, :4])
    write_utdmhad(folder, "a2_s1_t4", SKELETON, compressed=False)
    write_utdmhad(folder, "a2_s1_t3", SKELETON[:, :, 0])  # MATLAB drops a last axis of one
    return folder


def test_a_name_says_who_and_what(tmp_path: Path) -> None:
    source = open_utdmhad(small_set(tmp_path))
    assert source.layout is LAYOUTS["kinect20"]
    assert (len(source.class_names), source.class_names[1]) == (27, "swipe right")
    assert source.names == ["a2_s1_t3", "a2_s1_t4", "a10_s2_t1"]
    clips = [source.read(item) for item in source.items]
    assert [clip.name for clip in clips] == source.names
    assert [clip.label for clip in clips] == [1, 1, 9]
    assert [clip.subject for clip in clips] == ["1", "1", "2"]
    assert [clip.replication for clip in clips] == [3, 4, 1]
    assert [clip.xyz.shape for clip in clips] == [(1, 1, 20, 3), (6, 1, 20, 3), (4, 1, 20, 3)]


def test_joints_come_in_the_order_of_the_layout(tmp_path: Path) -> None:
    clip = read(small_set(tmp_path))[1]
    for joint, of_file in enumerate(FILES_OF):
        np.testing.assert_array_equal(clip.xyz[:, 0, joint], SKELETON[of_file].T.astype(np.float32))
    assert LAYOUTS["kinect20"].joints[3] == "head"


@pytest.mark.parametrize("zipped", [False, True])
def test_prepare_from_a_folder_and_from_a_zip(tmp_path: Path, zipped: bool) -> None:
    raw = small_set(tmp_path / "Skeleton")
    raw = packed(raw, tmp_path / "Skeleton.zip") if zipped else raw
    assert main(["prepare", "utdmhad", str(raw), str(tmp_path / "store")]) == 0
    store = ClipStore(tmp_path / "store")
    xyz = SKELETON.transpose(2, 0, 1)[:, FILES_OF]
    np.testing.assert_allclose(store.clip(1)[:, 0], xyz - xyz[:, :1], atol=1e-5)
    assert (store.manifest.source, store.manifest.preprocessing.id) == ("utdmhad", "plain")
    assert split_rows(store, "odd-even", "train").tolist() == [0, 1]
    assert split_rows(store, "odd-even", "test").tolist() == [2]


NOT_FINITE = SKELETON.copy()
NOT_FINITE[7, 1, 4] = np.nan


@pytest.mark.parametrize(
    ("skeleton", "reason"),
    [
        (SKELETON[:19], "'d_skel' has shape (19, 3, 6); expected (20, 3, frames)"),
        (SKELETON.transpose(2, 0, 1), "'d_skel' has shape (6, 20, 3)"),
        (SKELETON[:, :, :0], "'d_skel' has shape (20, 3, 0)"),
        (NOT_FINITE, "frame 4 of 'd_skel' contains invalid coordinates in metres"),
        (SKELETON * 1e5, "frame 0 of 'd_skel' contains invalid coordinates"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, skeleton: Any, reason: str) -> None:
    path = write_utdmhad(tmp_path, "a1_s1_t1", skeleton)
    with pytest.raises(KinemeError) as refusal:
        read(tmp_path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert reason in str(refusal.value)
    assert str(refusal.value).endswith("download the file again")


def test_other_files_and_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(KinemeError, match=r"contains no \.mat files such as a1_s1_t1_skeleton\.mat"):
        open_utdmhad(tmp_path)
    path = write_utdmhad(tmp_path, "a28_s1_t1", SKELETON)
    with pytest.raises(KinemeError, match="UTD-MHAD has the actions 1 to 27; remove this file"):
        open_utdmhad(tmp_path)
    path.rename(tmp_path / "a1_s1_t1_inertial.mat")
    with pytest.raises(KinemeError, match=r"inertial\.mat: expected a name such as a1_s1_t1_skeleton\.mat"):
        open_utdmhad(tmp_path)
    (tmp_path / "a1_s1_t1_inertial.mat").unlink()
    (tmp_path / "a1_s1_t1_skeleton.mat").write_bytes(mat5(d_depth=SKELETON))
    with pytest.raises(
        KinemeError, match=r"a1_s1_t1_skeleton\.mat: has no variable 'd_skel' of real numbers"
    ):
        read(tmp_path)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (
            b"",
            "cannot be read as a MATLAB file (is not a MATLAB file of the versions 5 to 7); download",
        ),
        (
            b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(400),
            "is a MATLAB file of version 7.3; save it by save(name, '-v7')",
        ),
        (mat5(d_skel=SKELETON)[:200], "cannot be read as a MATLAB file"),
        (mat5(d_skel=SKELETON + 1j), "has no variable 'd_skel' of real numbers"),
        (mat5(d_skel="text"), "has no variable 'd_skel' of real numbers"),
        (mat5(d_skel=[1, "a", {"b": 2}]), "has no variable 'd_skel' of real numbers"),
    ],
    ids=["empty", "7.3", "cut off", "complex", "text", "cells"],
)
def test_other_contents_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(KinemeError) as refusal:
        read_clip((held("a1_s1_t1_skeleton.mat", data), (1, 1, 1)))
    assert reason in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_damaged_files_are_refused_or_read() -> None:
    good = mat5(d_skel=SKELETON[:, :, :2])
    files = (held("a1_s1_t1_skeleton.mat", data) for data in mutations(good, 2000, seed=2))
    taken = [survives(lambda file=file: read_clip((file, (1, 1, 1)))) for file in files]
    assert 20 < sum(taken) < 1900


@pytest.mark.data
def test_joints_are_those_of_the_recordings(tmp_path: Path) -> None:
    """Recorded clips, written as the authors' files are, in the order of joints that the container tells."""
    folder = os.environ.get("KINEME_DATA")
    if not folder:
        pytest.skip("KINEME_DATA is not set: it names the folder of the recorded data sets")
    container = open_container(Path(folder) / "utd_mhad.npz")
    with np.load(Path(folder) / "utd_mhad.npz") as stored:
        xyz, offsets, names = stored["xyz"], stored["offsets"], stored["name"].tolist()
    for row in range(0, len(names), 100):
        write_utdmhad(
            tmp_path, names[row], xyz[offsets[row] : offsets[row + 1]].transpose(1, 2, 0).astype(float)
        )
    clips = {clip.name: clip for clip in read(tmp_path)}
    assert len(clips) == 9
    for row in range(0, len(names), 100):
        recorded, clip = container.read(row), clips[names[row]]
        np.testing.assert_array_equal(clip.xyz, recorded.xyz)
        assert (clip.label, clip.subject) == (recorded.label, recorded.subject)
