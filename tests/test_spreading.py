"""Shards written side by side: the same store whoever does the work, and whatever happens to them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import windows
from sources.writers import motion, write_nwucla

from kineme import spreading
from kineme.clips.store import Clip, ClipStore
from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS
from kineme.preparing import prepare
from kineme.sources import Source

JOINTS = LAYOUTS["kinect20"]


def read(path: Path) -> Clip:
    """A file says how many frames its clip has, or what happens when it is read."""
    text = path.read_text()
    if text == "damaged":
        raise KinemeError(f"{path}: is damaged; download the file again")
    if text == "deadly" or (text == "deadly once" and not path.with_suffix(".died").exists()):
        path.with_suffix(".died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    frames = int(text) if text.isdecimal() else 5
    return Clip(path.stem, np.full((frames, 1, 20, 3), frames / 10, dtype=np.float32), subject="1")


def open_toy(raw: Path) -> Source:
    files = sorted(raw.glob("*.txt"))
    names = [each.stem for each in files]
    return Source("toy", JOINTS, (), 30.0, 1, names, files, read, costly=True)


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten recordings."""
    folder = tmp_path / "raw"
    folder.mkdir()
    for number in range(10):
        (folder / f"clip{number}.txt").write_text(str(3 + number))
    return folder


TOY = "test_spreading.open_toy"


def contents(store: Path) -> dict[str, bytes]:
    return {str(path.relative_to(store)): path.read_bytes() for path in store.rglob("*") if path.is_file()}


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != "raw")


def test_shards_hold_what_one_store_holds(raw: Path, tmp_path: Path) -> None:
    store = prepare(TOY, raw, tmp_path / "many", shard=4, workers=1).store
    whole = prepare(TOY, raw, tmp_path / "one").store
    assert [each.clips for each in store.shards] == [4, 4, 2]
    assert store.names.tolist() == whole.names.tolist()
    np.testing.assert_array_equal(store.frames[:], whole.frames)
    assert left(tmp_path) == ["many", "one"]
    index = f"index-{store.manifest.fingerprint[:16]}"
    assert left(tmp_path / "many") == ["00000", "00001", "00002", index, "manifest.json"]


@windows.needs_proc
def test_shards_are_written_on_windows(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    windows.pretend(monkeypatch)
    store = prepare(TOY, raw, tmp_path / "many", shard=4, workers=1).store
    assert [each.clips for each in store.shards] == [4, 4, 2]


def test_processes_write_the_same_bytes(raw: Path, tmp_path: Path) -> None:
    prepare(TOY, raw, tmp_path / "here", shard=4, workers=1, frames_as="int16")
    prepare(TOY, raw, tmp_path / "processes", shard=4, workers=2, frames_as="int16")
    assert contents(tmp_path / "processes") == contents(tmp_path / "here")


def test_an_interruption_just_after_a_shard_leaves_nothing_in_the_store(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = spreading.atomic_write

    @contextmanager
    def interrupted(path: Path) -> Iterator[Path]:
        with original(path) as aside:
            yield aside
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(spreading, "atomic_write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            prepare(TOY, raw, tmp_path / "many", shard=4, workers=1)
    assert (tmp_path / ".many.partial" / ".00000.json").is_file()
    prepare(TOY, raw, tmp_path / "many", shard=4, workers=1)
    assert not [name for name in left(tmp_path / "many") if name.startswith(".")]


def test_finished_shards_outlast_an_interruption(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(TOY, raw, tmp_path / "whole", shard=4, workers=1)
    original, calls = spreading.write_shard, []

    def interrupted(job: spreading.Job) -> None:
        calls.append(job.number)
        if len(calls) == 2:
            raise KeyboardInterrupt
        original(job)

    monkeypatch.setattr(spreading, "write_shard", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare(TOY, raw, tmp_path / "store", shard=4, workers=1)
    assert not (tmp_path / "store").exists()
    (raw / "clip9.txt").write_text("11")  # a recording that changed is read again, others are not
    prepare(TOY, raw, tmp_path / "store", shard=4, workers=1)
    assert calls == [0, 1, 1, 2]
    assert ClipStore(tmp_path / "store").index["frames"].tolist() == [3, 4, 5, 6, 7, 8, 9, 10, 11, 11]
    (raw / "clip9.txt").write_text("12")
    again = prepare(TOY, raw, tmp_path / "store", shard=4, workers=1, overwrite=True).store
    assert again.manifest.fingerprint == ClipStore(tmp_path / "whole").manifest.fingerprint


def test_shards_that_were_read_in_another_way_are_made_again(tmp_path: Path) -> None:
    raw, out = tmp_path / "raw", tmp_path / "store"
    raw.mkdir()
    walk = np.random.default_rng(0).normal(size=(5, 20, 3))
    for name in "ab":
        np.save(raw / f"{name}.npy", walk)
    (raw / "c.npy").write_text("damaged")
    options: dict[str, Any] = {"layout": "kinect20", "fps": 30.0, "shard": 1, "workers": 1}
    with pytest.raises(KinemeError, match=r"c\.npy: .*, or set `skip_bad` to leave it out"):
        prepare("poses", raw, out, **options)
    np.save(raw / "c.npy", walk)
    prepare("poses", raw, out, axes="z-up", **options)
    store = ClipStore(out)
    np.testing.assert_array_equal(store.clip(0), store.clip(2))  # not one with y up and one with z up


def test_shards_whose_recordings_changed_are_made_again(tmp_path: Path) -> None:
    raw, out = tmp_path / "raw", tmp_path / "store"
    names = [f"a01_s01_e0{number}_v01" for number in range(3)]
    for name in names:
        write_nwucla(raw, name, motion(5, 20), 1)
    (raw / f"{names[2]}.json").write_text("damaged")
    with pytest.raises(KinemeError, match=names[2]):
        prepare("nwucla", raw, out, shard=1, workers=1)
    write_nwucla(raw, names[0], motion(9, 20), 1)
    write_nwucla(raw, names[2], motion(5, 20), 1)
    prepare("nwucla", raw, out, shard=1, workers=1)
    assert ClipStore(out).index["frames"].tolist() == [9, 5, 5]


def test_a_damaged_recording_stops_the_work_or_is_listed(raw: Path, tmp_path: Path) -> None:
    (raw / "clip5.txt").write_text("damaged")
    with pytest.raises(KinemeError, match=r"clip5\.txt: is damaged"):
        prepare(TOY, raw, tmp_path / "store", shard=4, workers=2)
    prepared = prepare(TOY, raw, tmp_path / "store", shard=4, workers=2, skip_bad=True)
    assert prepared.damaged == (f"{raw / 'clip5.txt'}: is damaged; download the file again",)
    assert len(prepared.store) == 9


def test_a_shard_whose_recordings_are_all_damaged_now_is_gone(raw: Path, tmp_path: Path) -> None:
    (raw / "clip9.txt").write_text("damaged")
    with pytest.raises(KinemeError, match=r"clip9\.txt: is damaged"):
        prepare(TOY, raw, tmp_path / "store", shard=5, workers=1)
    for number in range(5):
        (raw / f"clip{number}.txt").write_text("damaged")
    prepared = prepare(TOY, raw, tmp_path / "store", shard=5, workers=1, skip_bad=True)
    assert prepared.store.names.tolist() == ["clip5", "clip6", "clip7", "clip8"]


def test_a_worker_that_dies_is_replaced(raw: Path, tmp_path: Path) -> None:
    prepare(TOY, raw, tmp_path / "whole", shard=4, workers=1)
    (raw / "clip5.txt").write_text("deadly once")
    prepared = prepare(TOY, raw, tmp_path / "store", shard=4, workers=2)
    assert prepared.damaged == ()
    assert prepared.store.index["frames"].tolist() == [3, 4, 5, 6, 7, 5, 9, 10, 11, 12]


@pytest.mark.slow
def test_a_recording_that_kills_its_reader_is_found(raw: Path, tmp_path: Path) -> None:
    (raw / "clip6.txt").write_text("deadly")
    deadly = r"clip6\.txt: reading it killed the process 3 times"
    with pytest.raises(KinemeError, match=f"{deadly}; look at the file, or set `skip_bad`"):
        prepare(TOY, raw, tmp_path / "store", shard=4, workers=2)
    prepared = prepare(TOY, raw, tmp_path / "store", shard=4, workers=2, skip_bad=True)
    assert len(prepared.store) == 9
    (line,) = prepared.damaged
    assert "clip6.txt: reading it killed the process 3 times" in line


def test_recordings_that_are_all_damaged_make_no_store(raw: Path, tmp_path: Path) -> None:
    for path in raw.iterdir():
        path.write_text("damaged")
    with pytest.raises(KinemeError, match=r"clip0\.txt: is damaged"):
        prepare(TOY, raw, tmp_path / "store", shard=4, workers=1, skip_bad=True)
    assert not (tmp_path / "store").exists()


def test_shards_are_written_where_a_link_leads(raw: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "store")
    for shard in (4, 5):
        prepare(TOY, raw, tmp_path / "link", shard=shard, workers=1, overwrite=True)
    assert (tmp_path / "link").is_symlink()
    assert len(ClipStore(tmp_path / "disk" / "store").shards) == 2
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["store"]


def test_what_is_there_is_not_replaced_unless_told(raw: Path, tmp_path: Path) -> None:
    prepare(TOY, raw, tmp_path / "store")
    with pytest.raises(KinemeError, match="already exists"):
        prepare(TOY, raw, tmp_path / "store", shard=4, workers=1)
    store = prepare(TOY, raw, tmp_path / "store", shard=4, workers=1, overwrite=True).store
    assert len(store.shards) == 3
    assert len(prepare(TOY, raw, tmp_path / "store", overwrite=True).store.shards) == 0


def test_without_ray_the_option_says_what_to_install(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(KinemeError, match=r'pip install "kineme\[ray\]"'):
        prepare(TOY, raw, tmp_path / "store", ray=True)


@pytest.mark.slow
def test_a_cluster_writes_the_same_bytes_and_survives_deaths(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *sys.path]))
    prepare(TOY, raw, tmp_path / "here", shard=4, workers=1)
    prepare(TOY, raw, tmp_path / "cluster", shard=4, ray=True)
    assert contents(tmp_path / "cluster") == contents(tmp_path / "here")
    (raw / "clip5.txt").write_text("deadly once")
    (raw / "clip6.txt").write_text("deadly")
    (raw / "clip7.txt").write_text("damaged")
    prepared = prepare(TOY, raw, tmp_path / "store", shard=4, ray=True, skip_bad=True)
    assert len(prepared.store) == 8
    assert ["clip6" in line or "clip7" in line for line in prepared.damaged] == [True, True]
