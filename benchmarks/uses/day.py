"""An hour and a day of motion in one file, through `kineme embed` and `kineme predict`: memory and CPU.

One person of 25 joints at 30 frames a second, in windows of 10 s, with a small encoder on one thread. The
motion of ten minutes is repeated.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import kineme
from benchmarks.uses import Figure, Options
from kineme.typing import Array

FPS, MINUTES, HOURS = 30, 10, (1, 24)
GROWTH = 100.0  # MB from an hour to a day


def measure(options: Options) -> Iterator[Figure]:
    """Of each format and command."""
    folder = options.folder
    store = kineme.generate_store(
        folder / "store", subjects=4, repetitions=1, cameras=[2], actions=["wave", "bow", "kick", "squat"]
    )
    short = {"train.epochs": 1, "train.batch_size": 8, "train.knn_every": 0, "encoder.hidden": 16}
    kineme.pretrain("usdrl-small", folder / "run", store=store.path, overrides=short)
    names = zip(store.names, store.labels, strict=True)
    rows = [f"{name},{store.manifest.class_names[label]}\n" for name, label in names]
    (folder / "labels.csv").write_text("name,label\n" + "".join(rows))
    _run(folder, "teach", "run", "labels.csv", "--store", "store", "--device", "cpu")

    poses = np.concatenate([store.clip(row)[:, 0] for row in range(len(store))])
    block = poses[np.arange(MINUTES * 60 * FPS) % len(poses)]
    window = ("--window", "10s", "--layout", "ntu25", "--fps", str(FPS), "--device", "cpu")
    for suffix, write in (("npy", _array), ("csv", _table)):
        for command in ("embed", "predict"):
            peaks = []
            for hours in (each / 10 if options.small else each for each in HOURS):
                file = folder / f"{hours:g}h.{suffix}"
                if not file.exists():
                    write(file, block, round(hours * 60 / MINUTES))
                seconds, peak = _run(folder, command, "run", file.name, *window)
                what = f"{command}, {hours:g} h in a .{suffix} of {file.stat().st_size / 1e6:,.0f} MB"
                yield Figure(f"{what}: CPU", seconds, "s", aim=hours * 3600)
                yield Figure(f"{what}: peak of memory", peak, "MB")
                peaks.append(peak)
            yield Figure(f"{command}, .{suffix}: growth", peaks[1] - peaks[0], "MB", aim=GROWTH)
        for left in folder.glob(f"*h.{suffix}"):
            left.unlink()


def _array(path: Path, block: Array, times: int) -> None:
    whole = np.lib.format.open_memmap(path, "w+", np.float32, (times * len(block), *block.shape[1:]))
    for number in range(times):
        whole[number * len(block) : (number + 1) * len(block)] = block
    whole.flush()


def _table(path: Path, block: Array, times: int) -> None:
    names = kineme.get_layout("ntu25").joints
    lines = [",".join(f"{value:.4f}" for value in row) for row in block.reshape(len(block), -1).tolist()]
    with path.open("w") as file:
        file.write("frame," + ",".join(f"{name}_{axis}" for name in names for axis in "xyz") + "\n")
        for number in range(times):
            first = number * len(block)
            file.writelines(f"{first + row},{line}\n" for row, line in enumerate(lines))


def _run(folder: Path, *words: str) -> tuple[float, float]:
    """CPU seconds of a command, and the peak of its memory in MB."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", _COMMAND, *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    seconds, peak = done.stdout.split()[-2:]
    return float(seconds), int(peak) / 1024


_COMMAND = """
import sys, time
from pathlib import Path
from kineme.__main__ import main
status = main(sys.argv[1:])
print(time.process_time(), Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
sys.exit(status)
"""
