"""`python -m benchmarks.scale`: many clips, from recordings to search: time and memory of each command.

Made-up clips of five joints and 16 to 24 frames, in eight shards of 16-bit frames. Each part is a `kineme`
command in a process of its own, so that its peak of memory is its own; CPU seconds are of one thread. The
part `index` is `info` and opening of a store that is nothing but an index, so as to have ten million clips.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from kineme.clips.joining import join_stores
from kineme.clips.store import Clip, ClipStore
from kineme.clips.tally import Tally
from kineme.layouts import Layout
from kineme.preparing import prepare
from kineme.sources import Source
from kineme.typing import Array

SHARDS = 8
CLASSES, SUBJECTS = 12, 100
STICK = Layout.from_names("stick5", "hip neck head left_hand right_hand".split(), [None, 0, 1, 1, 1])
OPENING = "import sys, kineme; store = kineme.open_store(sys.argv[1]); print(store.names[-1])"
RECIPE = {
    "data": {"frames": 4, "split": "all"},
    "train": {
        "epochs": 2,
        "batch_size": 500,
        "lr": 1e-3,
        "optimizer": "adam",
        "device": "cpu",
        "knn_every": 0,
    },
    "method": {"name": "usdrl"},
    "encoder": {"name": "sttr", "hidden": 8},
}


@dataclass(frozen=True)
class Part:
    """What is measured, at one size; a size is a number of clips, and of frames in detection."""

    name: str
    clips: int
    frames: int | None  # of all clips; None where features stand for them
    seconds: float | None  # of wall time; None where it meant nothing, as on a busy machine
    cpu_seconds: float
    peak_mb: float  # of resident memory, mapped files included


class Names(Sequence[str]):
    """The names of so many clips, made when they are asked for."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, row: Any) -> Any:
        return f"clip{row:09}"

    def __iter__(self) -> Iterator[str]:
        return (f"clip{row:09}" for row in range(self._count))


def open_made(raw: Path) -> Source:
    """As many clips as a file says."""
    count = int(raw.read_text())
    classes = tuple(f"way {i}" for i in range(CLASSES))
    return Source("made", STICK, classes, 30.0, 1, Names(count), range(count), made, costly=True)


def made(row: int) -> Clip:
    """A clip that follows from its number: a path of its class, at a speed and size of its own."""
    frames, label = 16 + row % 9, row % CLASSES
    first = (row * 2654435761) % 64
    xyz = ways()[label, first : first + frames] * (0.8 + 0.4 * (row % 101) / 100)
    return Clip(f"clip{row:09}", xyz, label=label, subject=str(row // 7 % SUBJECTS), camera=row % 3)


@lru_cache
def ways() -> Array:
    """(classes, 88, 1, V, C) smooth paths of all joints."""
    rng = np.random.default_rng(0)
    at = np.linspace(0, 6, 88)[:, None, None]
    rest = rng.uniform(0.2, 1.2, (CLASSES, 1, STICK.num_joints, 3))
    size, rate, phase = (rng.uniform(low, high, rest.shape) for low, high in ((0, 0.4), (0.5, 3), (0, 6)))
    return (rest + size * np.sin(rate * at + phase)).astype(np.float32)[:, :, None]


def measure(clips: int, folder: Path, parts: Sequence[str]) -> Iterator[Part]:
    """All parts in turn."""
    raw, store, run = folder / "raw.txt", folder / "store", folder / "run"
    raw.write_text(str(clips))
    (folder / "tiny.yaml").write_text(json.dumps(RECIPE))
    source, shard = "benchmarks.scale.open_made", max(1, clips // SHARDS)
    search = "search", run, store, "--like", "clip000000007", "--neighbours", "exact", "--device", "cpu"
    commands: dict[str, tuple[Any, ...]] = {
        "prepare": ("prepare", source, raw, store, "--workers", 1, "--shard", shard, "--frames-as", "int16"),
        "info": ("info", store),
        "train": ("pretrain", folder / "tiny.yaml", "--store", store, "--out", run),
        "embed": ("embed", run, store, "--out", folder / "features.npz", "--device", "cpu"),
        "search: first": search,
        "search: again": search,
    }
    frames = sum(16 + row % 9 for row in range(clips))
    for name, command in commands.items():
        if name.partition(":")[0] in parts:
            yield Part(name, clips, frames, *timed(*map(str, command)))
    if "index" in parts:
        with get_context("spawn").Pool(1) as process:  # its memory would count as that of the command
            process.apply(hollow, (folder / "hollow", clips))
        yield Part("index alone", clips, 20 * clips, *timed("info", str(folder / "hollow")))
        yield Part("opening", clips, 20 * clips, *ended("-c", OPENING, str(folder / "hollow")))


def hollow(folder: Path, clips: int) -> None:
    """A store of so many clips of 20 frames whose frames are holes in the disk: `info` reads none."""
    size = min(clips, 1_000_000)
    (folder.parent / "one.txt").write_text("1000")
    prepare("benchmarks.scale.open_made", folder.parent / "one.txt", folder.parent / "one", workers=1)
    tally = replace(Tally.of(ClipStore(folder.parent / "one")), lengths=Counter({20: size}))
    tally = replace(tally, takes=Counter({take: size // len(tally.takes) for take in tally.takes}))
    manifest = json.loads((folder.parent / "one" / "manifest.json").read_text())
    one = np.full(size, 1)
    for number in range(clips // size):
        shard = folder / f"{number:05}"
        shard.mkdir(parents=True)
        with (shard / "frames.npy").open("wb") as file:
            header = {"descr": "<f4", "fortran_order": False, "shape": (20 * size, 1, STICK.num_joints, 3)}
            np.lib.format.write_array_header_1_0(file, header)
            file.truncate(file.tell() + 20 * size * STICK.num_joints * 12)
        columns: dict[str, Any] = dict.fromkeys(("bodies", "camera", "setup", "replication"), one)
        rows = np.arange(size)
        columns |= {
            "name": np.char.mod(f"{number:03}%09d", rows),
            "subject": np.char.mod("%d", rows % SUBJECTS),
        }
        columns |= {"label": rows % CLASSES, "frames": 20 * one, "offset": 20 * rows}
        none = np.empty(0, dtype=np.int64)
        columns |= {f"interval_{name}": none for name in ("clip", "label", "start", "end")}
        np.savez(shard / "index.npz", **columns)
        (shard / "manifest.json").write_text(json.dumps(manifest | {"fingerprint": f"{number:064}"}))
    join_stores(folder, tallies={f"{number:05}": tally for number in range(clips // size)})


def timed(*words: str) -> tuple[float, float, float]:
    """Wall and CPU seconds of a command, and its peak of resident memory in MB."""
    return ended("-m", "kineme", *words)


def ended(*words: str) -> tuple[float, float, float]:
    """As `timed`, of Python with these words."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(words)} failed")
    seconds = time.perf_counter() - began
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--clips", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--parts", nargs="+", default=["prepare", "info", "train", "embed", "search"])
    parser.add_argument("--folder", type=Path, help="where it works; by default a temporary one")
    parser.add_argument("--json", type=Path, help="write the figures here, added to those that are there")
    options = parser.parse_args()
    if options.folder:
        options.folder.mkdir(parents=True, exist_ok=True)
    for clips in options.clips:
        with TemporaryDirectory(prefix="kineme-", dir=options.folder) as folder:
            for part in measure(clips, Path(folder), options.parts):
                wall = "" if part.seconds is None else f"{part.seconds:8.1f} s "
                took = f"{wall}{part.cpu_seconds:8.1f} s of CPU {part.peak_mb:7.0f} MB"
                print(f"{part.clips:>11,} clips  {part.name:14} {took}", flush=True)
                if options.json:
                    add(options.json, part)


def add(path: Path, part: Part) -> None:
    """Writes a figure to a file, in place of an earlier one of the same part and size."""
    known = json.loads(path.read_text()) if path.exists() else []
    others = [each for each in known if (each["name"], each["clips"]) != (part.name, part.clips)]
    path.write_text(json.dumps([*others, asdict(part)], indent=1) + "\n")


if __name__ == "__main__":
    main()
