"""Damaged files of NTU RGB+D, PKU-MMD and containers: a clean result or a KinemeError, never a traceback."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np
from golden_fill import GOLDEN
from sources.fuzz import mutations, survives

from kineme.layouts import LAYOUTS
from kineme.sources.container import open_container
from kineme.sources.ntu import open_ntu, read_skeleton
from kineme.sources.pkummd import open_pkummd, read_clip
from kineme.sources.pkummd_text import read_skeletons
from kineme.sources.raw import RawFile

COUNT = 2000
XSUB = b"Training videos:\n0002-L, 0002-M\n\nValidation videos:\n0003-L\n"


def fuzz(path: Path, good: bytes, read: Callable[[], object]) -> int:
    """How many of the damaged versions are taken."""
    taken = 0
    for data in mutations(good, COUNT, seed=0):
        path.write_bytes(data)
        taken += survives(read)
    path.write_bytes(good)
    assert survives(read)
    return taken


def first_frames(count: int) -> bytes:
    """Of a recording with one body."""
    lines = (GOLDEN / "ntu_raw" / "S001C001P001R001A001.skeleton").read_bytes().split(b"\n")
    return b"\n".join([str(count).encode(), *lines[1 : 1 + 28 * count], b""])


def checked(xyz: np.ndarray) -> None:
    """What is taken can be stored."""
    assert xyz.dtype == np.float32
    assert np.isfinite(xyz).all()
    assert xyz.shape[2:] == (25, 3)


def test_ntu(tmp_path: Path) -> None:
    path = tmp_path / "S001C001P001R001A001.skeleton"
    file = RawFile(PurePosixPath(path.name), path)
    taken = fuzz(path, first_frames(3), lambda: checked(read_skeleton(file)))
    assert taken > COUNT / 20  # a number that is not looked at, or another coordinate


def test_ntu_in_a_zip(tmp_path: Path) -> None:
    path = tmp_path / "clips.zip"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in (1, 2):
            archive.writestr(f"skeletons/S001C001P001R001A00{number}.skeleton", first_frames(2))

    def read() -> None:
        for item in open_ntu(path, 60).items:
            checked(read_skeleton(item))

    fuzz(path, packed.getvalue(), read)


def video(frames: int) -> bytes:
    xyz = np.random.default_rng(0).integers(-2000, 2000, (frames, 150)) / 1000
    return b"".join(b" ".join(b"%.3f" % value for value in row) + b"\n" for row in xyz)


def test_pkummd_skeletons(tmp_path: Path) -> None:
    path = tmp_path / "0002-L.txt"
    file = RawFile(PurePosixPath(path.name), path)
    taken = fuzz(path, video(6), lambda: checked(read_skeletons(file)))
    assert taken > COUNT / 20


def pkummd(folder: Path) -> Path:
    for name in ("0002-L", "0002-M", "0003-L"):
        for part, data in (("skeleton", video(8)), ("label", b"1,2,5,1\n34,6,8,2\n")):
            (folder / part).mkdir(parents=True, exist_ok=True)
            (folder / part / f"{name}.txt").write_bytes(data)
    for split in ("cross_subject", "cross_view"):
        (folder / f"{split}.txt").write_bytes(XSUB)
    return folder


def test_pkummd_labels(tmp_path: Path) -> None:
    raw = pkummd(tmp_path)

    def read() -> None:
        for untrimmed in (False, True):
            clip = read_clip(open_pkummd(raw, 1, untrimmed=untrimmed).items[0])
            checked(clip.xyz)
            assert all(0 <= start < end <= len(clip.xyz) for start, end, _ in clip.intervals)

    path = raw / "label" / "0002-L.txt"
    fuzz(path, path.read_bytes(), read)


def test_pkummd_splits(tmp_path: Path) -> None:
    raw = pkummd(tmp_path)
    fuzz(raw / "cross_subject.txt", XSUB, lambda: open_pkummd(raw, 1))


def test_containers(tmp_path: Path) -> None:
    layout = LAYOUTS["kinect20"]
    rng = np.random.default_rng(0)
    arrays = {
        "xyz": rng.normal(size=(5, 20, 3)).astype(np.float32), "offsets": [0, 2, 5], "name": ["a", "b"],
        "label": [1, 0], "label_names": ["wave", "kick"], "subject": ["1", "2"], "view": [0, 0],
        "joint_names": layout.joints, "parents": layout.parents, "fps": 30.0, "frame_label": [0, 1, 1, 0, 0],
    }  # fmt: skip
    path = tmp_path / "clips.npz"

    def read() -> None:
        source = open_container(path)
        for item in source.items:
            clip = source.read(item)
            assert np.isfinite(clip.xyz).all()
            assert clip.xyz.ndim == 4

    for save in (np.savez, np.savez_compressed):
        written = io.BytesIO()
        save(written, **arrays)
        fuzz(path, written.getvalue(), read)
