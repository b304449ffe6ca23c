"""Watching a stream for motion like an example, with usdrl-small's encoder: frames a second, delay, memory.

The delay is measured from outside: from writing the frame that completes an event into the pipe of
`kineme watch` until the event's line is read from the other.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import kineme
from benchmarks.uses import Figure, Options
from kineme.inference import Watcher, like
from kineme.typing import Array

FPS = 30
WINDOW, STEP = 2.0, 0.25


def measure(options: Options) -> Iterator[Figure]:
    """Throughput of one person on this machine, the worst delay in real time, and growth of memory."""
    store = kineme.generate_store(
        options.folder / "store",
        subjects=4,
        repetitions=1,
        cameras=[2],
        actions=["wave", "bow", "kick", "squat"],
    )
    run = options.folder / "run"
    short = {"train.epochs": 1, "train.batch_size": 8, "train.knn_every": 0}
    model = kineme.pretrain("usdrl-small", run, store=store.path, overrides=short)
    poses = np.concatenate([store.clip(row)[:, 0] for row in range(len(store))])
    bow = str(store.names[store.manifest.class_names.index("bow")])

    # Half of all windows are like it, so that there are events enough.
    judge = like(model, {"bow": (bow, (0.0, WINDOW))}, library=store, window=WINDOW)
    scores = _similarities(model, judge.examples, poses)
    threshold = float(np.median(scores))
    judge = like(model, {"bow": (bow, (0.0, WINDOW))}, library=store, window=WINDOW, threshold=threshold)

    count = 3_000 if options.small else 30_000
    watcher = Watcher(model, judge, fps=FPS, step=STEP)
    begin = time.perf_counter()
    for row in range(count):
        watcher.push(poses[row % len(poses)])
    seconds = time.perf_counter() - begin
    what = f"frames of one person, a window of {WINDOW:g} s every {STEP:g} s, in this process"
    yield Figure(what, count / seconds, "frames/s", aim=200, smaller=False)

    words = [str(run), "--like", f"{bow}[0s:{WINDOW:g}s]", "--library", str(store.path)]
    words += ["--threshold", f"{threshold:.6f}", "--window", f"{WINDOW:g}s", "--step", f"{STEP:g}s"]
    delays, status = _paced(words, poses, 6 if options.small else 60)
    assert status == 0, status
    yield Figure(f"worst delay of {len(delays)} events at {FPS} frames/s, outside", max(delays), "s", aim=0.5)
    yield Figure("the same, median", float(np.median(delays)), "s")

    hours = 0.25 if options.small else 24.0
    seconds, growth = _day(Watcher(model, judge, fps=FPS, step=2.0), poses, hours)
    yield Figure(f"{hours:g} h of frames, a window every 2 s: CPU", seconds, "s", aim=hours * 3600)
    yield Figure("growth of memory over them", growth, "MB", aim=50)


def _similarities(model: kineme.Model, examples: Array, poses: Array) -> Array:
    frames = round(WINDOW * FPS)
    clips = [poses[first : first + frames] for first in range(0, len(poses) - frames, frames)]
    features = model.embed(clips)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    similarity: Array = unit @ examples[0]
    return similarity


def _paced(words: list[str], poses: Array, seconds: int) -> tuple[list[float], int]:
    """Delays of all events of a stream at the pace of a camera, and the status of the command.

    Events at the end of the stream are left out: no frame completes them.
    """
    command = [sys.executable, "-m", "kineme", "watch", *words]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    sent: dict[int, float] = {}
    read: list[tuple[int, float]] = []

    def listen() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            read.append((round(json.loads(line)["at"] * FPS), time.perf_counter()))

    listener = threading.Thread(target=listen)
    listener.start()
    header = json.dumps({"layout": "ntu25", "fps": FPS})
    process.stdin.write(header + "\n")
    process.stdin.flush()
    time.sleep(20)  # until it is loaded
    begin, count = time.perf_counter(), seconds * FPS
    for row in range(count):
        time.sleep(max(begin + row / FPS - time.perf_counter(), 0))
        line = json.dumps({"t": row / FPS, "joints": poses[row % len(poses)].tolist()})
        sent[row] = time.perf_counter()
        process.stdin.write(line + "\n")
        process.stdin.flush()
    time.sleep(2)
    last = time.perf_counter()
    process.stdin.close()
    status = process.wait()
    listener.join()
    return [when - sent[row] for row, when in read if when < last], status


def _day(watcher: Watcher, poses: Array, hours: float) -> tuple[float, float]:
    """CPU seconds of so many hours; MB by which the process grows, once a minute's frames have come.

    Somebody else comes every ten seconds.
    """
    before, begin = 0, time.process_time()
    for row in range(round(hours * 3600 * FPS)):
        watcher.push({f"person {row // 300}": poses[row % len(poses)]})
        if row == 60 * FPS:
            before = _resident()
    return time.process_time() - begin, (_resident() - before) / 1e6


def _resident() -> int:
    """Bytes of this process in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()
