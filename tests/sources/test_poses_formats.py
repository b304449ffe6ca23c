"""File formats of other packages, read wherever Kineme reads files of poses."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest

import kineme
from kineme.errors import KinemeError
from kineme.layouts import get_layout
from kineme.sources.poses.arrays import Poses
from kineme.sources.poses.formats import FORMATS, Format, format_of, suffixes
from kineme.sources.raw import RawFile
from kineme.sources.recordings import open_recordings

THEIRS = '''
import numpy as np
from kineme import FORMATS, Format, Poses, get_layout


def read_stick(file, told):
    """A line of 25 joints a frame, in centimetres."""
    points = np.array([line.split() for line in file.read(1 << 20).splitlines()], dtype=np.float32)
    joints = get_layout("ntu25").joints
    return Poses(points.reshape(-1, 1, 25, 3), None, joints=joints, scale=0.01, axes="y-up")


@FORMATS.register("sticks")
def sticks():
    return Format("sticks", ".stick", lambda *given: read_stick(*given), lambda head, told: {"fps": 50.0})
'''
MOTION = np.random.default_rng(0).normal(scale=50, size=(4, 25, 3)).astype(np.float32)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What is registered, for this test only."""
    formats: dict[str, Any] = {}
    monkeypatch.setattr(FORMATS, "_registered", formats)
    return formats


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of two recordings in the format of a module that is imported."""
    code, raw = tmp_path / "code", tmp_path / "raw"
    code.mkdir()
    raw.mkdir()
    (code / "their_sticks.py").write_text(THEIRS)
    monkeypatch.syspath_prepend(str(code))
    monkeypatch.setenv("PYTHONPATH", str(code), prepend=":")  # of the processes that read
    monkeypatch.delitem(sys.modules, "their_sticks", raising=False)
    __import__("their_sticks")
    for name in ("anna", "ben"):
        np.savetxt(raw / f"{name}.stick", MOTION.reshape(4, -1), fmt="%.4f")
    return raw


@pytest.mark.parametrize("workers", [1, 2])
def test_files_of_another_package_s_format_are_poses(theirs: Path, workers: int) -> None:
    """Other processes read them too, though its module was only imported here."""
    store = kineme.prepare("poses", theirs, theirs.parent / "store", workers=workers).store
    assert store.names.tolist() == ["anna", "ben"]
    assert (store.layout.name, store.manifest.fps, store.manifest.fps_status) == ("ntu25", 50.0, "known")
    relative = store.clip(0)[:, 0] - store.clip(0)[:, 0, :1]
    np.testing.assert_allclose(relative, (MOTION - MOTION[:, :1]) / 100, atol=1e-5)


def test_a_model_reads_them_too(theirs: Path) -> None:
    source = open_recordings(theirs / "ben.stick", {}, get_layout("ntu25"))
    np.testing.assert_allclose(source.read(source.items[0]).xyz[:, 0], MOTION / 100, atol=1e-5)


def test_what_is_wrong_in_such_a_file_is_said_with_its_name(theirs: Path) -> None:
    (theirs / "anna.stick").write_text("1 2 x\n")
    with pytest.raises(
        KinemeError, match=r"anna\.stick: could not convert string to float: b?'x'; fix the file"
    ):
        kineme.prepare("poses", theirs, theirs.parent / "store")


def test_a_shared_suffix_is_told_apart_by_contents(tmp_path: Path, registered: dict[str, Any]) -> None:
    def form() -> Format:
        return Format("sparse", ".csv", nothing, is_one=lambda file: file.read(9).startswith(b"SPARSE"))

    registered["sparse"] = form
    for name, text, expected in (("a.csv", "SPARSE\n", "sparse"), ("b.csv", "x0,y0\n", "CSV")):
        (tmp_path / name).write_text(text)
        assert format_of(RawFile(PurePosixPath(name), tmp_path / name)).name == expected
    assert suffixes().count(".csv") == 1


def test_a_suffix_that_kineme_does_not_read_may_be_taken(tmp_path: Path, registered: dict[str, Any]) -> None:
    (tmp_path / "a.fbx").write_bytes(b"")
    file = RawFile(PurePosixPath("a.fbx"), tmp_path / "a.fbx")
    with pytest.raises(ValueError, match="is an animated scene"):
        format_of(file)
    registered["scenes"] = lambda: Format("scenes", ".fbx", nothing)
    assert format_of(file).name == "scenes"


@pytest.mark.parametrize(
    ("make", "wrong"),
    [
        (lambda: "sticks", "format own: returns str; return a Format"),
        (lambda: Format("own", "stick", nothing), "format own: its suffix is 'stick'; write it in lower"),
        (lambda: Format("own", ".STICK", nothing), "format own: its suffix is '.STICK'; write it in lower"),
        (
            lambda: Format("own", ".csv", nothing),
            "format own: Kineme reads .csv files too; tell its own apart",
        ),
    ],
)
def test_what_is_no_format_is_named(
    tmp_path: Path, registered: dict[str, Any], make: Callable[[], Any], wrong: str
) -> None:
    registered["own"] = make
    with pytest.raises(KinemeError, match=wrong):
        kineme.prepare("poses", tmp_path, tmp_path / "store")


def nothing(file: RawFile, told: object) -> Poses:
    raise ValueError("holds nothing")
