"""Untrimmed recordings of a stick that rises or swings now and then, as a store."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kineme.clips.store import Clip, Manifest
from kineme.clips.writer import StoreWriter
from kineme.layouts import Layout
from kineme.preprocessing import get_preprocessing

STICK = Layout.from_names("stick", ["hip", "neck", "hand"], [None, "hip", "neck"])
CLASSES = ("rise", "swing")
WAYS = {0: np.array([0, 1, 0]), 1: np.array([1, 0, 0])}


def write_recordings(
    path: Path, *, background: bool = False, intervals: bool = True, recordings: int = 8, frames: int = 120
) -> Path:
    """Recordings of four subjects. In each the hand goes out and back in four intervals, by turns.

    Args:
        path: of the store.
        background: name it among the classes, as the first.
        intervals: tell where the actions are.
        recordings: how many.
        frames: of each.
    """
    generator = np.random.default_rng(0)
    names = ("Background", *CLASSES) if background else CLASSES
    with StoreWriter(path, Manifest(STICK, get_preprocessing("plain"), "test", names, fps=10.0), 1) as writer:
        for i in range(recordings):
            xyz = np.tile([[0, 0, 0], [0, 1, 0], [0.3, 1, 0]], (frames, 1, 1, 1)).astype(float)
            actions = []
            for k in range(4):
                start, end = (frames * (2 * k + 1)) // 9 + i % 3, (frames * (2 * k + 2)) // 9
                way = np.sin(np.linspace(0, np.pi, end - start))[:, None] * WAYS[(i + k) % 2]
                xyz[start:end, 0, 2] += way
                actions.append((start, end, (i + k) % 2 + background))
            xyz += 0.01 * generator.standard_normal(xyz.shape)
            writer.add(
                Clip(
                    f"recording{i}",
                    xyz.astype(np.float32),
                    subject=str(1 + i % 4),
                    intervals=actions if intervals else (),
                )
            )
    return path
