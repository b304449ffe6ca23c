"""Writing a store: confidences, and work that goes on where an earlier process was cut off."""

from __future__ import annotations

import errno
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kineme.clips import writer as module
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
        for each in clips[writer.done :]:
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
        (np.ones((2, 3)), "one: confidences have shape (2, 3); expected (2, 1, 3), as the joints"),
        (np.full((2, 1, 3), 1.5), "one: confidences go beyond 0 to 1"),
        (np.full((2, 1, 3), -0.1), "one: confidences go beyond 0 to 1"),
        (np.full((2, 1, 3), np.nan), "one: confidences go beyond 0 to 1"),
    ],
)
def test_what_is_no_confidence_is_refused(tmp_path: Path, confidence: Any, reason: str) -> None:
    with pytest.raises(KinemeError) as refusal:
        write(tmp_path / "s", [Clip("one", np.ones((2, 1, 3, 3)), confidence=confidence)], confidence=True)
    assert str(refusal.value) == reason


# Work that goes on


@pytest.fixture
def every_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal has every clip at once."""
    monkeypatch.setattr(module, "COMMIT_SECONDS", 0)


def interrupted(path: Path, count: int, key: str = "key", **options: Any) -> Path:
    """The work of a process that came so far; its directory."""

    def work() -> None:
        with StoreWriter(path, MANIFEST, 2, key=key, **options) as writer:
            for each in CLIPS[writer.done : count]:
                writer.add(each)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert not path.exists()
    return path.with_name(f".{path.name}.partial")


@pytest.mark.parametrize("confidence", [False, True])
@pytest.mark.parametrize("count", [1, 7, 12])
def test_a_store_in_two_goes_is_the_store_in_one(tmp_path: Path, count: int, confidence: bool) -> None:
    write(tmp_path / "one", confidence=confidence)
    interrupted(tmp_path / "two", count, confidence=confidence)
    write(tmp_path / "two", key="key", confidence=confidence)
    assert contents(tmp_path / "two") == contents(tmp_path / "one")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_what_was_left_out_is_remembered(tmp_path: Path) -> None:
    def begin() -> None:
        with StoreWriter(tmp_path / "store", MANIFEST, 2, key="key") as writer:
            writer.add(CLIPS[0])
            writer.leave_out("clip01: cut off")
            raise KinemeError("full")

    with pytest.raises(KinemeError, match="full"):
        begin()
    with StoreWriter(tmp_path / "store", MANIFEST, 2, key="key") as writer:
        assert (writer.done, writer.left_out) == (2, ["clip01: cut off"])
        writer.add(CLIPS[2])
    assert ClipStore(tmp_path / "store").names.tolist() == ["clip00", "clip02"]


def test_names_that_were_there_before_are_still_taken(tmp_path: Path) -> None:
    interrupted(tmp_path / "store", 3)

    def again() -> None:
        with StoreWriter(tmp_path / "store", MANIFEST, 2, key="key") as writer:
            writer.add(CLIPS[1])

    with pytest.raises(KinemeError, match="clip01: two clips have this name"):
        again()


def test_another_key_begins_anew(tmp_path: Path) -> None:
    interrupted(tmp_path / "store", 9, key="one", confidence=True)
    with StoreWriter(tmp_path / "store", MANIFEST, 2, key="other") as writer:
        assert (writer.done, writer.replaced) == (0, True)
        writer.add(CLIPS[5])
    assert ClipStore(tmp_path / "store").names.tolist() == ["clip05"]
    assert not (tmp_path / "store" / "confidence.npy").exists()


def cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.usefixtures("every_clip")
@pytest.mark.parametrize("confidence", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_only_what_is_whole_on_the_disk_is_taken_up(tmp_path: Path, seed: int, confidence: bool) -> None:
    """A file that lacks its end, or holds a wrong bit, as after a power failure."""
    write(tmp_path / "one", confidence=confidence)
    work = interrupted(tmp_path / "two", 8, confidence=confidence)
    rng = np.random.default_rng(seed)
    name = rng.choice(["journal", "store/frames.npy", *(["store/confidence.npy"] if confidence else [])])
    size = (work / name).stat().st_size
    (cut if seed % 2 else flip)(work / name, int(rng.integers(0 if name == "journal" else 128, size)))
    with StoreWriter(tmp_path / "two", MANIFEST, 2, key="key", confidence=confidence) as writer:
        assert writer.done < 8
        for each in CLIPS[writer.done :]:
            writer.add(each)
    assert contents(tmp_path / "two") == contents(tmp_path / "one")


@pytest.mark.usefixtures("every_clip")
@pytest.mark.parametrize(
    "line",
    [None, [], {"entries": 3, "sha256": []}, {"entries": [[]]}, {"entries": ["clip"], "sha256": ["0"]}],
)
def test_a_strange_line_in_the_journal_ends_it(tmp_path: Path, line: Any) -> None:
    write(tmp_path / "one")
    journal = interrupted(tmp_path / "two", 4) / "journal"
    data = json.dumps(line, separators=(",", ":")).encode()
    with journal.open("ab") as file:
        file.write(b"%08x %s\n" % (zlib.crc32(data), data))
    with StoreWriter(tmp_path / "two", MANIFEST, 2, key="key") as writer:
        assert writer.done == 4
        for each in CLIPS[4:]:
            writer.add(each)
    assert contents(tmp_path / "two") == contents(tmp_path / "one")


def test_two_processes_do_not_make_one_store(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with StoreWriter(path, MANIFEST, 2, key="key") as writer:
        writer.add(CLIPS[0])
        with (
            pytest.raises(KinemeError, match="store: another process is making this store"),
            StoreWriter(path, MANIFEST, 2, key="key"),
        ):
            pass
        writer.add(CLIPS[1])
    assert ClipStore(path).names.tolist() == ["clip00", "clip01"]


def test_an_earlier_store_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "store"
    write(path, CLIPS[:3])
    before = contents(path)

    def begin() -> None:
        with StoreWriter(path, MANIFEST, 2, overwrite=True, key="key") as writer:
            writer.add(CLIPS[4])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        begin()
    assert contents(path) == before
    write(path, CLIPS[4:6], overwrite=True, key="key")
    assert ClipStore(path).names.tolist() == ["clip04", "clip05"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["store"]


def test_a_full_disk_keeps_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def full() -> Iterator[None]:
        def refuse(*_: Any, **__: Any) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(np, "savez", refuse)
            yield

    write(tmp_path / "one")
    with full(), pytest.raises(KinemeError, match="the disk is full; free some space"):
        write(tmp_path / "two", key="key")
    with StoreWriter(tmp_path / "two", MANIFEST, 2, key="key") as writer:
        assert writer.done == 12
    assert contents(tmp_path / "two") == contents(tmp_path / "one")


def test_work_without_a_clip_is_not_kept(tmp_path: Path) -> None:
    def begin() -> None:
        with StoreWriter(tmp_path / "store", MANIFEST, 2, key="key") as writer:
            writer.leave_out("clip00: cut off")
            raise KinemeError("all are bad")

    with pytest.raises(KinemeError, match="all are bad"):
        begin()
    assert list(tmp_path.iterdir()) == []
