"""A small library to explore: 24 clips of three ways to move, or recordings; an untrained model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from inference import models

from conftest import STICK
from kineme.clips.store import Clip, ClipStore, Manifest
from kineme.clips.writer import StoreWriter
from kineme.explore.labels import Labels
from kineme.explore.library import Library, open_library
from kineme.preprocessing import get_preprocessing


def library(folder: Path, store: Path | ClipStore, window: float | None = None) -> Library:
    opened = store if isinstance(store, ClipStore) else ClipStore(store)
    return open_library(models.model(folder / "run"), opened, window=window, device="cpu")


def labels(folder: Path, explored: Library) -> Labels:
    return Labels(folder / "mine.csv", explored.seconds)


def recordings(path: Path, count: int = 3, seconds: int = 12) -> ClipStore:
    """Of one person each, at 10 frames a second, with two labelled intervals."""
    manifest = Manifest(STICK, get_preprocessing("plain"), "test", ("rise", "swing"), fps=10.0)
    with StoreWriter(path, manifest, 2) as writer:
        for i in range(count):
            xyz = np.pad(models.motion(10 * seconds, seed=i), ((0, 0), (0, 1), (0, 0), (0, 0)))
            writer.add(Clip(f"take{i}", xyz, subject=f"p{i}", intervals=[(10, 30, 0), (50, 80, 1)]))
    return ClipStore(path)
