"""Stores of many shards: what is in them is what is in one store of the same clips."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kineme.clips import disk, remote
from kineme.clips.batches import resident
from kineme.clips.disk import EXACT
from kineme.clips.joining import join_stores
from kineme.clips.splits import split_rows
from kineme.clips.store import Clip, ClipStore, Manifest
from kineme.clips.summary import summarise
from kineme.clips.writer import StoreWriter
from kineme.errors import KinemeError
from kineme.layouts import Layout
from kineme.preprocessing import get_preprocessing

STICK = Layout.from_names("stick", ["hip", "neck", "hand"], [None, "hip", "neck"])
MANIFEST = Manifest(STICK, get_preprocessing("plain"), "handmade", ("wave", "kick"))


def clip(number: int) -> Clip:
    """Of unlike length, bodies, people and cameras; some untrimmed, some on a published list."""
    rng = np.random.default_rng(number)
    xyz = rng.normal(size=(3 + number % 5, 1 + number % 2, 3, 3)).astype(np.float32)
    return Clip(
        f"clip{number:0{1 + number % 3}}",
        xyz,
        label=number % 2,
        subject="" if number == 4 else str(number % 3),
        camera=number % 4,
        intervals=[(0, 2, 1)] if number % 3 == 0 else [],
        splits={"xsub": number % 4 == 0} if number < 5 else {},
    )


CLIPS = [clip(number) for number in range(12)]


def write(path: Path, clips: Sequence[Clip], **options: Any) -> ClipStore:
    with StoreWriter(path, MANIFEST, 2, **options) as writer:
        for each in clips:
            writer.add(each)
    return ClipStore(path)


def sharded(path: Path, sizes: Sequence[int] = (5, 4, 3), **options: Any) -> ClipStore:
    ends = np.cumsum(sizes)
    for number, (end, size) in enumerate(zip(ends, sizes, strict=True)):
        write(path / f"{number:05}", CLIPS[end - size : end], **options)
    return join_stores(path)


def assert_same(store: ClipStore, whole: ClipStore) -> None:
    assert len(store) == len(whole)
    for found, expected in ((store.index, whole.index), (store.intervals, whole.intervals)):
        assert {name: column.tolist() for name, column in found.items()} == {
            name: column.tolist() for name, column in expected.items()
        }
    assert {name: part.tolist() for name, part in store.splits.items()} == {
        name: part.tolist() for name, part in whole.splits.items()
    }
    for row in range(len(whole)):
        np.testing.assert_array_equal(store.clip(row), whole.clip(row))
        assert store.clip_intervals(row) == whole.clip_intervals(row)


def test_shards_are_read_as_one_store(tmp_path: Path) -> None:
    store, whole = (
        sharded(tmp_path / "many", confidence=True),
        write(tmp_path / "one", CLIPS, confidence=True),
    )
    assert_same(store, whole)
    assert isinstance(store.labels, np.memmap)
    assert isinstance(store.names, np.memmap)
    assert store.confidence is not None
    assert whole.confidence is not None
    assert store.confidence[3:30].dtype == np.float16
    np.testing.assert_array_equal(store.confidence[:], whole.confidence)
    assert [store.row(name) for name in ("clip0", "clip011", "clip012")] == [0, 11, None]
    np.testing.assert_array_equal(split_rows(store, "xsub", "train"), split_rows(whole, "xsub", "train"))


def test_every_shard_is_a_store_of_its_own(tmp_path: Path) -> None:
    store = sharded(tmp_path / "many")
    assert [each.clips for each in store.shards] == [5, 4, 3]
    np.testing.assert_array_equal(ClipStore(store.path / "00001").clip(2), store.clip(7))


def test_batches_are_the_same_whatever_the_shards(tmp_path: Path) -> None:
    rows = np.array([11, 0, 7, 4])
    many, one = resident(sharded(tmp_path / "many"), rows), resident(write(tmp_path / "one", CLIPS), rows)
    assert many.resize(8).equal(one.resize(8))


def test_what_info_says_is_added_up(tmp_path: Path) -> None:
    store, whole = sharded(tmp_path / "many"), write(tmp_path / "one", CLIPS)
    found, expected = summarise(store).to_dict(), summarise(whole).to_dict()
    assert found.pop("fingerprint") != expected.pop("fingerprint")
    assert found == expected
    for each in store.shards:  # nothing but the manifest and the index is read
        (store.path / each.path / "frames.npy").unlink()
    assert summarise(ClipStore(store.path)).frames == len(whole.frames)


def test_stores_of_shards_can_be_joined_again(tmp_path: Path) -> None:
    week = tmp_path / "week"
    sharded(week / "monday", (2, 3))
    write(week / "tuesday", CLIPS[5:])
    store = join_stores(week)
    assert [each.path for each in store.shards] == ["monday/00000", "monday/00001", "tuesday"]
    assert_same(store, write(tmp_path / "one", CLIPS))


def test_a_store_takes_in_shards_that_come_later(tmp_path: Path) -> None:
    path = tmp_path / "many"
    first = sharded(path, (5, 4))
    write(path / "00002", CLIPS[9:])
    assert len(ClipStore(path)) == 9  # until it is joined again
    store = join_stores(path)
    assert_same(store, write(tmp_path / "one", CLIPS))
    assert store.manifest.fingerprint != first.manifest.fingerprint
    assert len(list(path.glob("index-*"))) == 1


def test_stores_that_differ_are_not_joined(tmp_path: Path) -> None:
    write(tmp_path / "many" / "a", CLIPS[:3])
    with StoreWriter(tmp_path / "many" / "b", Manifest(STICK, MANIFEST.preprocessing, "other"), 1) as writer:
        writer.add(Clip("x", np.ones((2, 1, 3, 3))))
    write(tmp_path / "rates" / "a", CLIPS[:1])
    with StoreWriter(tmp_path / "rates" / "b", replace(MANIFEST, fps=15.0), 2) as writer:
        writer.add(CLIPS[1])
    with pytest.raises(KinemeError, match="b: differs from a in frame rate; prepare it again"):
        join_stores(tmp_path / "rates")
    with pytest.raises(KinemeError, match="b: differs from a in classes and bodies"):
        join_stores(tmp_path / "many")
    with pytest.raises(KinemeError, match="has no stores in it"):
        join_stores(tmp_path)


def test_two_shards_with_a_clip_of_one_name_are_not_joined(tmp_path: Path) -> None:
    write(tmp_path / "many" / "a", CLIPS[:3])
    write(tmp_path / "many" / "b", CLIPS[2:5])
    with pytest.raises(KinemeError, match="clip002: two clips have this name"):
        join_stores(tmp_path / "many")
    assert sorted(each.name for each in (tmp_path / "many").iterdir()) == ["a", "b"]


def test_a_damaged_shard_is_refused_when_it_is_read(tmp_path: Path) -> None:
    store = sharded(tmp_path / "many")
    frames = store.path / "00001" / "frames.npy"
    frames.write_bytes(frames.read_bytes()[:200])
    store = ClipStore(store.path)
    store.clip(0)
    with pytest.raises(KinemeError, match=r"00001/frames\.npy: damaged clip store"):
        store.clip(6)


@pytest.mark.parametrize("damage", ["clips", "column"])
def test_an_index_that_does_not_fit_its_shards_is_refused(tmp_path: Path, damage: str) -> None:
    store = sharded(tmp_path / "many")
    manifest = store.path / "manifest.json"
    data = json.loads(manifest.read_text())
    if damage == "clips":
        data["shards"].pop()
        manifest.write_text(json.dumps(data))
    else:
        next(store.path.glob("index-*/label.npy")).unlink()
    with pytest.raises(KinemeError, match="damaged clip store"):
        ClipStore(store.path)


# Frames in 16 bits


def test_frames_in_fixed_point_are_exact_to_a_tenth_of_a_millimetre(tmp_path: Path) -> None:
    exact, store = write(tmp_path / "exact", CLIPS), write(tmp_path / "small", CLIPS, frames_as="int16")
    size = (tmp_path / "small" / "frames.npy").stat().st_size
    assert size < 0.6 * (tmp_path / "exact" / "frames.npy").stat().st_size
    assert np.abs(store.frames[:] - exact.frames).max() <= 1.01 * EXACT
    assert np.abs(store.frames[:] - exact.frames).max() > 0.9 * EXACT  # it is not float32
    assert store.frames.dtype == np.float32
    assert not store.clip(0)[:, 1].any()  # absent bodies stay at zero
    close = (resident(store).resize(8) - resident(exact).resize(8)).abs().max()
    assert close <= 1.01 * EXACT
    assert_same(sharded(tmp_path / "many", frames_as="int16"), store)


@pytest.mark.parametrize(
    ("frames_as", "far", "remedy"),
    [
        ("int16", 6.6, "are exact to 0.0001 up to 6.553; set `frames_as` to float32"),
        ("float16", 0.4, "are exact to 0.0001 up to 0.25; set `frames_as` to int16 or float32"),
    ],
)
def test_coordinates_out_of_range_are_refused(
    tmp_path: Path, frames_as: Any, far: float, remedy: str
) -> None:
    near = Clip("near", np.full((2, 1, 3, 3), 0.2))
    out = np.full((2, 1, 3, 3), 0.2)
    out[1, 0, 2, 0] = far + 0.0001
    with pytest.raises(KinemeError) as refusal:
        write(tmp_path / "s", [near, Clip("far", out)], frames_as=frames_as)
    assert str(refusal.value).startswith(f"far: a coordinate of {far:g}")
    assert str(refusal.value).endswith(remedy)
    store = write(tmp_path / "s", [near], frames_as=frames_as)
    assert np.abs(store.frames[:, 0] - 0.2).max() <= 1.01 * EXACT


def test_pages_are_given_back_while_reading_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "HELD", 1)
    assert_same(sharded(tmp_path / "many"), write(tmp_path / "one", CLIPS))


# Object storage


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is reached by its address, and a cache that makes no room, however full the disk is."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(remote, "FREE", 0)
    return tmp_path / "bucket"


def test_a_store_behind_an_address_is_read_as_if_it_were_here(bucket: Path, tmp_path: Path) -> None:
    sharded(bucket / "many")
    store = ClipStore(f"file://{bucket}/many")
    assert store.path.is_relative_to(tmp_path / "cache")
    assert not (store.path / "shards").exists()  # no frames are needed yet
    store.clip(6)
    assert len(list((store.path / "shards").iterdir())) == 1
    assert_same(store, write(tmp_path / "one", CLIPS))
    assert_same(ClipStore(Path(f"file://{bucket}/many")), store)  # a path has two strokes less
    shutil.rmtree(bucket / "many" / "00000")
    ClipStore(f"file://{bucket}/many").clip(0)  # from the cache


def test_object_storage_serves_stores_of_one_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fsspec = pytest.importorskip("fsspec")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    whole = write(tmp_path / "one", CLIPS, confidence=True)
    fsspec.filesystem("memory").put(str(whole.path), "/bucket/one", recursive=True)
    assert_same(ClipStore("memory://bucket/one"), whole)
    assert_same(ClipStore(Path("memory://bucket/one")), whole)  # a path has one stroke less


@pytest.mark.parametrize("file", ["00001/frames.npy", "index-*/label.npy"])
def test_what_is_not_as_the_manifest_says_is_refused(bucket: Path, file: str) -> None:
    sharded(bucket / "many")
    (damaged,) = (bucket / "many").glob(file)
    data = bytearray(damaged.read_bytes())
    data[-1] ^= 1
    damaged.write_bytes(data)
    with pytest.raises(KinemeError, match="is not what the manifest says"):
        ClipStore(f"file://{bucket}/many").clip(6)
    cached = bucket.parent / "cache" / "kineme" / "stores"
    assert not list(cached.glob("**/shards/*" if "frames" in file else "**/label.npy"))


def test_a_full_disk_makes_room_by_the_shards_unused_for_longest(
    bucket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sharded(bucket / "many")
    store = ClipStore(f"file://{bucket}/many")
    monkeypatch.setattr(remote, "FREE", 1 << 60)
    for row in (0, 6, 10):
        store.clip(row)
    (kept,) = (store.path / "shards").iterdir()
    assert kept.name == store.shards[2].fingerprint


def test_processes_that_read_the_same_shard_fetch_it_once(
    bucket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sharded(bucket / "many")
    fetch, fetched = remote.RemoteFolder._fetch_shard, list[str]()

    def slow(folder: remote.RemoteFolder, name: str, fingerprint: str, to: Path) -> None:
        fetched.append(name)
        time.sleep(0.2)
        fetch(folder, name, fingerprint, to)

    monkeypatch.setattr(remote.RemoteFolder, "_fetch_shard", slow)
    stores = [ClipStore(f"file://{bucket}/many") for _ in range(2)]
    with ThreadPoolExecutor() as pool:  # locks are of open files, so threads are like processes
        one, other = pool.map(lambda store: store.clip(0), stores)
    np.testing.assert_array_equal(one, other)
    assert fetched == ["00000"]


def test_an_address_without_a_store_is_refused(bucket: Path) -> None:
    with pytest.raises(KinemeError, match="not a clip store"):
        ClipStore(f"file://{bucket}/nothing")
    with pytest.raises(KinemeError, match="cannot be"):
        ClipStore("nowhere://bucket/many")
