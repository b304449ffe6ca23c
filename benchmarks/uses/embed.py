"""An hour of motion in six files → features of windows of 2 s every 0.5 s; the encoder of `usdrl-small`."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from benchmarks.uses import Figure, Options
from kineme.checkpoints import build_encoder, save_encoder
from kineme.encoders import ClipShape
from kineme.generate import generate_clips
from kineme.inference.embed import embed_table
from kineme.inference.tables import write_table
from kineme.layouts import get_layout
from kineme.loading import load_run
from kineme.packaged import find_recipe
from kineme.preprocessing import get_preprocessing
from kineme.runs import WEIGHTS
from kineme.settings import load_config

FPS, SECONDS, FILES = 30, 3600, 6
LAYOUT = get_layout("ntu25")


def measure(options: Options) -> Iterator[Figure]:
    """Seconds and memory, each in a process of its own."""
    untrained(options.folder / "run")
    seconds = SECONDS // 10 if options.small else SECONDS
    recordings = options.folder / "recordings"
    recordings.mkdir()
    for number, part in enumerate(np.array_split(motion(seconds * FPS), FILES)):
        np.save(recordings / f"{number}.npy", part)
    for precision in ("float32", "bfloat16"):
        with get_context("spawn").Pool(1) as process:  # peaks of memory are those of a process
            job = (options.folder / "run", recordings, precision)
            took, above, rows = process.apply(_embed, job)
        aim = None if options.small or precision != "float32" else 60
        yield Figure(f"{rows:,} windows of {seconds // 60} min, {precision}", took, "s", aim)
        aim = 300 if precision == "float32" else None
        yield Figure(f"peak memory above the encoder's own, {precision}", above, "MB", aim)


def untrained(run: Path) -> None:
    """A run with the encoder of `usdrl-small` as it is before training."""
    config = load_config(find_recipe("usdrl-small")).to_dict()
    torch.manual_seed(0)
    shape = ClipShape(LAYOUT, config["data"]["frames"], 2, config["data"]["stream"])
    encoder = build_encoder(config["encoder"], shape)
    run.mkdir()
    preprocessing = get_preprocessing("plain")
    save_encoder(run / WEIGHTS, encoder, preprocessing, config, 0, "metres")


def motion(frames: int) -> np.ndarray:
    """(T, V, 3): generated actions of one person, one after another, over and over."""
    clips = [clip.xyz[:, 0] for clip in generate_clips(subjects=1, repetitions=1, cameras=(1,), seed=0)]
    once = np.concatenate(clips)
    return np.resize(once, (frames, *once.shape[1:])).astype(np.float32)


def _embed(run: Path, recordings: Path, precision: str) -> tuple[float, float, int]:
    """Seconds, MB above what a first batch has needed, and rows."""
    model = load_run(run)
    start = np.load(recordings / "0.npy", mmap_mode="r")[: 2 * FPS]
    model.embed([np.array(start)] * 256, layout=LAYOUT.name, device="cpu", precision=precision)
    before = peak()
    began = time.perf_counter()
    blocks = embed_table(
        model,
        [recordings],
        window=2.0,
        step=0.5,
        layout=LAYOUT.name,
        fps=FPS,
        device="cpu",
        precision=precision,
    )
    rows = write_table(blocks, recordings.with_name(f"{precision}.npz"))
    return time.perf_counter() - began, peak() - before, rows


def peak() -> float:
    """MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
