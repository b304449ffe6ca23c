"""Writing a store: confidences, one writer at a time, and all or nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kineme.clips.store import Clip, ClipStore, Manifest
from kineme.clips.writer import StoreWriter
from kineme.errors import KinemeError
from kineme.layouts import Layout
from kineme.preprocessing import get_preprocessing

STICK = Layout.from_names("stick", ["hip", "neck", "hand"], [None, "hip", "neck"])
MANIFEST = Manifest(STICK, get_preprocessing("plain"), "handmade", ("wave", "kick"))


def clip(number: int, **rest: Any) -> Clip:
    rng = np.random.default_rng(number)
    xyz = rng.normal(size=(3 + number % 4, 1 + number % 2, 3, 3)).astype(np.float32)
    intervals = [(0, 2, 1)] if number % 3 == 0 else []
    return Clip(
        f"clip{number:02}", xyz, label=number % 2, subject="7", camera=2, intervals=intervals,
        splits={"xsub": number % 2 == 0}, **rest,
    )  # fmt: skip


CLIPS = [clip(number) for number in range(12)]


def contents(store: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in store.iterdir()}


def write(path: Path, clips: list[Clip] = CLIPS, **options: Any) -> ClipStore:
    with StoreWriter(path, MANIFEST, 2, **options) as writer:
        for each in clips:
            writer.add(each)
    return ClipStore(path)


# Confidences


def test_confidences_lie_beside_the_frames(tmp_path: Path) -> None:
    sure = np.array([[[0, 0.5, 1]], [[0.25, 1, 1]], [[1, 1, 0.75]]])
    alone = Clip("alone", np.ones((3, 1, 3, 3)), confidence=sure)
    untold = Clip("untold", np.ones((2, 2, 3, 3)) * np.array([[1, 0], [1, 1]])[..., None, None])
    store = write(tmp_path / "store", [alone, untold], confidence=True)
    assert store.confidence is not None
    assert (store.confidence.dtype, store.confidence.shape) == (np.float16, (5, 2, 3))
    np.testing.assert_array_equal(store.confidence[:3, 0], sure[:, 0])
    assert not store.confidence[:3, 1].any()  # a body that is not there
    assert store.confidence[3:, 0].min() == 1
    assert store.confidence[3:, 1].tolist() == [[0] * 3, [1] * 3]


def test_confidences_are_part_of_the_fingerprint(tmp_path: Path) -> None:
    def fingerprint(name: str, value: float | None, **options: Any) -> str:
        confidence = None if value is None else np.full((2, 1, 3), value)
        clips = [Clip("one", np.ones((2, 1, 3, 3)), confidence=confidence)]
        return write(tmp_path / name, clips, **options).manifest.fingerprint

    half, full = (fingerprint(str(value), value, confidence=True) for value in (0.5, 1.0))
    without = fingerprint("without", 0.5)
    assert len({half, full, without}) == 3
    assert fingerprint("none", None) == without
    assert fingerprint("sure", None, confidence=True) == full
    assert not (tmp_path / "without" / "confidence.npy").exists()


@pytest.mark.parametrize(
    ("confidence", "reason"),
    [
        (np.ones((2, 3)), "one: confidences have shape (2, 3); expected (2, 1, 3), like the joints"),
        (np.full((2, 1, 3), 1.5), "one: confidences must lie between 0 and 1"),
        (np.full((2, 1, 3), -0.1), "one: confidences must lie between 0 and 1"),
        (np.full((2, 1, 3), np.nan), "one: confidences must lie between 0 and 1"),
    ],
)
def test_what_is_no_confidence_is_refused(tmp_path: Path, confidence: Any, reason: str) -> None:
    with pytest.raises(KinemeError) as refusal:
        write(tmp_path / "s", [Clip("one", np.ones((2, 1, 3, 3)), confidence=confidence)], confidence=True)
    assert str(refusal.value) == reason


# One writer at a time, all or nothing

KILLED = """
import os, signal, sys
from clips.test_writer import CLIPS, MANIFEST
from kineme.clips.writer import StoreWriter
with StoreWriter(sys.argv[1], MANIFEST, 2, overwrite=True) as writer:
    writer.add(CLIPS[0])
    os.kill(os.getpid(), getattr(signal, sys.argv[2]))
"""


def start(path: Path, signal_name: str) -> subprocess.Popen[str]:
    """A process that begins the store `path`, adds a clip and sends itself a signal."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen([sys.executable, "-c", KILLED, str(path), signal_name], env=environment)


def test_what_a_killed_writer_leaves_is_removed_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "store"
    write(path, CLIPS[:3])
    before = contents(path)
    assert start(path, "SIGKILL").wait() == -signal.SIGKILL
    assert {entry.name for entry in tmp_path.iterdir()} == {"store", ".store.partial", ".store.lock"}
    assert contents(path) == before
    write(path, CLIPS[4:6], overwrite=True)
    assert ClipStore(path).names.tolist() == ["clip04", "clip05"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["store"]


def test_a_second_writer_is_told_who_holds_the_store(tmp_path: Path) -> None:
    path = tmp_path / "store"
    first = start(path, "SIGSTOP")
    try:
        stopped = Path(f"/proc/{first.pid}/stat")
        end = time.monotonic() + 60
        while stopped.read_text().rpartition(")")[2].split()[0] != "T":
            assert time.monotonic() < end, "it did not stop in time"
            time.sleep(0.01)
        with pytest.raises(KinemeError) as refusal:
            write(path)
        reason = f"this store is being written by another process (pid {first.pid}); wait for it or choose"
        assert str(refusal.value) == f"{path}: {reason} another name"
    finally:
        first.send_signal(signal.SIGCONT)
        assert first.wait() == 0
    assert ClipStore(path).names.tolist() == ["clip00"]


def test_a_store_that_another_writer_has_just_finished_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "store"
    later = StoreWriter(path, MANIFEST, 2)
    write(path, CLIPS[:2])
    with (
        pytest.raises(KinemeError, match="already exists; set `overwrite` to replace it, or choose"),
        later,
    ):
        pass
    assert len(ClipStore(path)) == 2


FOREIGN = {
    "a web page": '{"name": "years of work", "icons": []}',
    "a format version": '{"format_version": 2, "layout": "tabloid"}',
    "no JSON": "years of work",
}


@pytest.mark.parametrize("text", FOREIGN.values(), ids=list(FOREIGN))
def test_a_folder_with_another_program_s_manifest_is_never_overwritten(tmp_path: Path, text: str) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "manifest.json").write_text(text)
    with pytest.raises(KinemeError, match="site: exists and is not a clip store, so it is not overwritten"):
        write(site, overwrite=True)
    assert contents(site) == {"manifest.json": text.encode()}


@pytest.mark.parametrize("place", ["store", ".store.old", ".store.partial"])
def test_somebody_s_notes_in_a_store_survive(tmp_path: Path, place: str) -> None:
    write(tmp_path / "store")
    (tmp_path / place).mkdir(exist_ok=True)
    (tmp_path / place / "notes.txt").write_text("years of work")
    before = contents(tmp_path / "store")
    with pytest.raises(
        KinemeError, match=r"store: (holds notes\.txt, which|cannot be written)|\.store\.old: holds"
    ):
        write(tmp_path / "store", CLIPS[:2], overwrite=True)
    assert (tmp_path / place / "notes.txt").read_text() == "years of work"
    assert contents(tmp_path / "store") == before


def test_a_store_is_written_where_a_link_leads(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "store")
    for clips in (CLIPS, CLIPS[:2]):
        write(tmp_path / "link", clips, overwrite=True)
        assert (tmp_path / "link").is_symlink()
        assert len(ClipStore(tmp_path / "disk" / "store")) == len(clips)
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["store"]
