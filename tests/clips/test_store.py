"""The clip store: what goes in comes out, and nothing half-written ever stands under its name."""

from __future__ import annotations

import errno
import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kineme.clips.store import Clip, ClipStore, Manifest
from kineme.clips.writer import StoreWriter
from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS
from kineme.preprocessing import get_preprocessing

MANIFEST = Manifest(
    layout=LAYOUTS["kinect20"],
    preprocessing=get_preprocessing("plain", facing=True),
    source="handmade",
    class_names=("background", "wave", "kick"),
    fps=25.0,
)


def clip(name: str, frames: int = 4, bodies: int = 1, **rest: Any) -> Clip:
    seed = sum(map(ord, name))
    xyz = np.random.default_rng(seed).normal(size=(frames, bodies, 20, 3)).astype(np.float32)
    return Clip(name, xyz, **rest)


def write(path: Path, *clips: Clip, bodies: int = 2, overwrite: bool = False) -> ClipStore:
    with StoreWriter(path, MANIFEST, bodies, overwrite=overwrite) as writer:
        for each in clips:
            writer.add(each)
    return ClipStore(path)


def leftovers(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    one = clip("one", 5, 2, label=1, subject="7", camera=3, setup=2, replication=1)
    two = clip("two", 9, 1, intervals=[(6, 9, 1), (0, 4, 2)])
    store = write(tmp_path / "store", one, two)

    assert len(store) == 2
    assert store.bodies == 2
    np.testing.assert_array_equal(store.clip(0), one.xyz)
    np.testing.assert_array_equal(store.clip(1)[:, :1], two.xyz)
    assert store.names.tolist() == ["one", "two"]
    assert store.labels.tolist() == [1, -1]
    expected = {
        "offset": [0, 5], "frames": [5, 9], "bodies": [2, 1], "subject": ["7", ""], "camera": [3, -1],
        "setup": [2, -1], "replication": [1, -1],
    }  # fmt: skip
    assert {name: store.index[name].tolist() for name in expected} == expected
    assert store.clip_intervals(0) == []
    assert store.clip_intervals(1) == [(0, 4, 2), (6, 9, 1)]
    manifest = store.manifest
    assert (manifest.layout, manifest.preprocessing, manifest.source) == (
        MANIFEST.layout,
        MANIFEST.preprocessing,
        "handmade",
    )
    assert (manifest.class_names, manifest.fps, manifest.units) == (MANIFEST.class_names, 25.0, "metres")
    assert manifest.preprocessing.id == "plain(facing=True)"


def test_published_lists_travel_with_the_clips(tmp_path: Path) -> None:
    clips = [
        clip("one", splits={"xsub": True, "xview": False}),
        clip("two", splits={"xsub": False}),
        clip("three"),
    ]
    store = write(tmp_path / "store", *clips)
    assert {name: parts.tolist() for name, parts in store.splits.items()} == {
        "xsub": [1, 0, -1],
        "xview": [0, -1, -1],
    }
    bare = write(tmp_path / "bare", clip("one"), clip("two"), clip("three"))
    assert store.manifest.fingerprint != bare.manifest.fingerprint


def test_stores_without_lists_are_as_they_were(tmp_path: Path) -> None:
    store = write(tmp_path / "store", clip("one"), clip("two"))
    assert store.splits == {}
    with np.load(tmp_path / "store" / "index.npz") as stored:
        assert len(stored.files) == 9 + 4  # clips' and intervals' columns, as before there were lists


def test_frames_are_mapped_and_plain_numpy_reads_them(tmp_path: Path) -> None:
    store = write(tmp_path / "store", clip("one"), clip("two"))
    assert isinstance(store.frames, np.memmap)
    np.testing.assert_array_equal(np.load(tmp_path / "store" / "frames.npy"), store.frames)


def test_absent_bodies_are_zero(tmp_path: Path) -> None:
    store = write(tmp_path / "store", clip("alone", bodies=1), clip("pair", bodies=2))
    assert not store.clip(0)[:, 1].any()
    assert store.clip(1)[:, 1].all()
    assert store.index["bodies"].tolist() == [1, 2]


def test_the_fingerprint_is_of_frames_and_index(tmp_path: Path) -> None:
    first = write(tmp_path / "a", clip("one"), clip("two")).manifest.fingerprint
    assert write(tmp_path / "b", clip("one"), clip("two")).manifest.fingerprint == first
    assert write(tmp_path / "c", clip("two"), clip("one")).manifest.fingerprint != first
    assert write(tmp_path / "d", clip("one"), clip("two", label=1)).manifest.fingerprint != first


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (clip("three", bodies=3), "expected (frames, up to 2 bodies, 20 joints, 3)"),
        (Clip("flat", np.zeros((4, 20, 3))), "clip has shape (4, 20, 3)"),
        (Clip("ntu", np.zeros((4, 1, 25, 3))), "clip has shape (4, 1, 25, 3)"),
        (clip("none", frames=0), "clip has no frames"),
        (
            Clip("nan", np.where(np.arange(6)[:, None, None, None] == 4, np.nan, np.ones((6, 1, 20, 3)))),
            "frame 4",
        ),
        (clip("one"), "two clips have this name"),
        (clip("high", label=3), "label 3 has no class name (there are 3)"),
        (clip("low", label=-2), "label -2 has no class name"),
        (clip("long", intervals=[(2, 5, 1)]), "interval 2..5 lies outside its 4 frames"),
        (clip("still", intervals=[(2, 2, 1)]), "interval 2..2 lies outside its 4 frames"),
    ],
    ids=lambda value: value.name if isinstance(value, Clip) else "",
)
def test_a_bad_clip_is_refused_by_name_and_no_store_appears(tmp_path: Path, bad: Clip, reason: str) -> None:
    with pytest.raises(KinemeError) as refusal:
        write(tmp_path / "store", clip("one"), bad)
    assert str(refusal.value).startswith(f"{bad.name}: ")
    assert reason in str(refusal.value)
    assert leftovers(tmp_path) == []


def test_no_clips_make_no_store(tmp_path: Path) -> None:
    with pytest.raises(KinemeError, match="no clips to store"):
        write(tmp_path / "store")
    assert leftovers(tmp_path) == []


def test_a_store_is_not_overwritten_unless_told(tmp_path: Path) -> None:
    path = tmp_path / "store"
    write(path, clip("one"))
    with pytest.raises(KinemeError, match="already exists"):
        write(path, clip("two"))
    assert write(path, clip("two"), overwrite=True).names.tolist() == ["two"]
    assert leftovers(tmp_path) == ["store"]


def test_what_is_no_store_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("years of work")
    with pytest.raises(KinemeError, match="not a clip store, so it is not overwritten"):
        write(tmp_path / "thesis", clip("one"), overwrite=True)
    assert leftovers(tmp_path / "thesis") == ["chapter1.tex"]


def test_an_exception_while_writing_leaves_the_earlier_store_whole(tmp_path: Path) -> None:
    path = tmp_path / "store"
    before = write(path, clip("one")).manifest.fingerprint

    def interrupted() -> None:
        with StoreWriter(path, MANIFEST, 2, overwrite=True) as writer:
            writer.add(clip("two"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert ClipStore(path).manifest.fingerprint == before
    assert leftovers(tmp_path) == ["store"]


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Lets no file of this process grow beyond `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_takes_no_more_leaves_the_earlier_store_whole(tmp_path: Path) -> None:
    path = tmp_path / "store"
    before = write(path, clip("one")).manifest.fingerprint
    with files_up_to(50_000), pytest.raises(KinemeError, match="store: cannot be written"):
        write(path, clip("long", frames=1000), overwrite=True)
    assert ClipStore(path).manifest.fingerprint == before
    assert leftovers(tmp_path) == ["store"]


@pytest.mark.parametrize("moment", ["savez", "write_text"])
def test_a_full_disk_is_called_so_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    owner = np if moment == "savez" else Path
    monkeypatch.setattr(owner, moment, full)
    with pytest.raises(KinemeError, match="the disk is full; free some space"):
        write(tmp_path / "store", clip("one"))
    assert leftovers(tmp_path) == []


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(KinemeError, match="cannot be written"):
        write(tmp_path / "file" / "store", clip("one"))


def test_a_missing_store_is_called_missing(tmp_path: Path) -> None:
    with pytest.raises(KinemeError, match="nowhere: no such clip store; make one with `kineme prepare`"):
        ClipStore(tmp_path / "nowhere")
    with pytest.raises(KinemeError, match="not a clip store"):
        ClipStore(tmp_path)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def scribble(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[: len(data) // 2] = b"\x00" * (len(data) // 2)
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [cut, empty, scribble, Path.unlink])
@pytest.mark.parametrize("file", ["frames.npy", "index.npz", "manifest.json"])
def test_a_damaged_store_is_refused(tmp_path: Path, file: str, damage: Any) -> None:
    path = tmp_path / "store"
    write(path, *(clip(f"clip{i}", frames=20) for i in range(5)))
    damage(path / file)
    with pytest.raises(KinemeError, match=r"damaged clip store|not a clip store") as refusal:
        ClipStore(path)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("offset", [0, 3]),
        ("frames", [4, 5]),
        ("frames", [8, 0]),
        ("label", [0]),
        ("frames", [[4], [4]]),
        ("split_xsub", [1]),
    ],
)
def test_an_index_that_does_not_add_up_is_refused(tmp_path: Path, column: str, value: Any) -> None:
    path = tmp_path / "store"
    write(path, clip("one"), clip("two"))
    with np.load(path / "index.npz") as stored:
        columns = dict(stored)
    np.savez(path / "index.npz", **(columns | {column: np.array(value)}))
    with pytest.raises(KinemeError, match="damaged clip store"):
        ClipStore(path)


def test_pickles_in_a_store_are_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "store"
    write(path, clip("one"))
    np.save(path / "frames.npy", np.array([{"a": "pickle"}], dtype=object), allow_pickle=True)
    with pytest.raises(KinemeError, match="damaged clip store"):
        ClipStore(path)


def test_a_newer_format_asks_for_an_update(tmp_path: Path) -> None:
    path = tmp_path / "store"
    write(path, clip("one"))
    data = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps(data | {"format_version": 99}))
    with pytest.raises(KinemeError, match="newer than this Kineme reads"):
        ClipStore(path)
