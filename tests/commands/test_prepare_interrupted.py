"""`kineme prepare` in processes of its own, that are killed, interrupted, or held to little memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from golden_fill import GOLDEN
from spawning import heed_interrupts

from kineme.clips.store import ClipStore
from kineme.preparing import prepare

FILES = sorted((GOLDEN / "ntu_raw").iterdir())


def names(clips: int) -> Iterator[str]:
    """So many names of NTU RGB+D 120."""
    for i in range(clips):
        place, action = divmod(i, 120)
        setup, camera, performer = 1 + place % 32, 1 + place // 32 % 3, 1 + place // 96
        yield f"S{setup:03}C{camera:03}P{performer:03}R001A{1 + action:03}.skeleton"


def raw_set(folder: Path, clips: int) -> Path:
    """A folder of so many clips; the contents of five take turns."""
    folder.mkdir()
    for i, name in enumerate(names(clips)):
        os.link(FILES[i % len(FILES)], folder / name)
    return folder


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return raw_set(tmp_path_factory.mktemp("set") / "raw", 300)


@pytest.fixture(scope="module")
def whole(raw: Path) -> dict[str, bytes]:
    """The files of a store that was made without interruption."""
    out = raw.parent / "whole"
    prepare("ntu120", raw, out)
    return contents(out)


def contents(store: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in store.iterdir()}


def start(raw: Path, out: Path, *options: str) -> subprocess.Popen[str]:
    """A process with a group of its own, as a terminal gives it."""
    command = [sys.executable, "-m", "kineme", "prepare", "ntu120", str(raw), str(out), *options]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heed_interrupts,
    )


def wait_until(happened: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


def has_begun(out: Path) -> bool:
    """Whether a dozen clips are written."""
    frames = out.with_name(f".{out.name}.partial") / "frames.npy"
    return frames.exists() and frames.stat().st_size > 300_000


def kill(process: subprocess.Popen[str], out: Path) -> None:
    """As the system does when it runs out of memory, in the middle of the work."""
    wait_until(lambda: has_begun(out))
    process.kill()
    process.communicate()
    wait_until(lambda: not group(process.pid))  # its readers do not stay behind


def group(leader: int) -> list[int]:
    """Processes of a group that live."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, members = entry.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue  # it ended meanwhile
        if int(members) == leader and state != "Z":
            found.append(int(entry.parent.name))
    return found


@pytest.mark.parametrize("workers", [pytest.param("1", marks=pytest.mark.slow), "2"])
def test_after_a_kill_the_same_command_makes_the_same_store(
    raw: Path, whole: dict[str, bytes], tmp_path: Path, workers: str
) -> None:
    out = tmp_path / "store"
    prepare("ntu120", GOLDEN / "ntu_raw", out)
    earlier = contents(out)
    command = "--workers", workers, "--overwrite"
    kill(start(raw, out, *command), out)
    assert contents(out) == earlier
    process = start(raw, out, *command)
    process.communicate()
    assert process.returncode == 0
    assert contents(out) == whole
    assert [entry.name for entry in tmp_path.iterdir()] == ["store"]


@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_an_interrupt_leaves_nothing(raw: Path, tmp_path: Path, workers: str) -> None:
    process = start(raw, tmp_path / "store", "--workers", workers)
    wait_until(lambda: has_begun(tmp_path / "store"))
    os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does
    _, told = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in told
    assert list(tmp_path.iterdir()) == []


PEAK = """
import resource, sys
from pathlib import Path
from kineme.__main__ import main
status = main(["prepare", *sys.argv[1:]])
largest_child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0], largest_child)
sys.exit(status)
"""


def peak(raw: Path, out: Path, workers: int) -> float:
    """MiB that a preparation and its readers held at their peaks, all told."""
    command = [sys.executable, "-c", PEAK, "ntu120", str(raw), str(out), "--workers", str(workers)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    parent, largest_child = map(int, ended.stdout.splitlines()[-1].split())
    return (parent + workers * largest_child) / 1024


@pytest.mark.slow
def test_memory_does_not_grow_with_the_store(tmp_path: Path) -> None:
    """20,000 clips make a store of 535 MB; NTU RGB+D 120, six times as many, has to fit a laptop."""
    raw = raw_set(tmp_path / "raw", 20_000)
    assert peak(raw, tmp_path / "store", workers=2) < 400
    store = ClipStore(tmp_path / "store")
    assert len(store) == 20_000
    prepare("ntu120", GOLDEN / "ntu_raw", tmp_path / "five")
    five = ClipStore(tmp_path / "five")
    numbers = {name.removesuffix(".skeleton"): i for i, name in enumerate(names(20_000))}
    for row in (0, 1, 2, 9_999, 19_998, 19_999):
        content = numbers[str(store.names[row])] % len(FILES)  # files and clips are both in order of name
        np.testing.assert_array_equal(store.clip(row), five.clip(content))


@pytest.mark.slow
def test_a_zip_of_many_clips_is_listed_in_little_memory(tmp_path: Path) -> None:
    text = FILES[0].read_text().split("\n")
    with zipfile.ZipFile(tmp_path / "clips.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names(20_000):
            archive.writestr(f"nturgb+d_skeletons/{name}", "\n".join(["2", *text[1:57]]))
    assert peak(tmp_path / "clips.zip", tmp_path / "store", workers=2) < 400
    assert len(ClipStore(tmp_path / "store")) == 20_000
