"""Stores of sensors with different joints that see the same bodies."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kineme.clips.store import Clip, ClipStore, Manifest
from kineme.clips.writer import StoreWriter
from kineme.layouts import LAYOUTS
from kineme.layouts.body import BODY, body_places
from kineme.preprocessing import parse_preprocessing


def seen_by(
    path: Path,
    layout: str = "kinect20",
    *,
    clips: int = 4,
    frames: int = 5,
    bodies: int = 1,
    line: str = "plain(facing=True, scale=True)",
    units: str = "5 mean bones",
    flat: bool = False,
    fps: float = 30.0,
) -> ClipStore:
    """Clips of one pose that grows or shrinks, as a sensor sees it that has the joints of a layout.

    Every other clip is of another class. Two clips each are of a person; whose the fourth is, nobody knows.
    """
    pose = np.random.default_rng(0).normal(size=(BODY.num_joints, 3))
    xyz = pose[list(body_places(LAYOUTS[layout]))]  # type: ignore[index]
    moving = np.tile(xyz, (frames, bodies, 1, 1))
    moving[..., 2] *= not flat
    preprocessing = parse_preprocessing(line)
    manifest = Manifest(LAYOUTS[layout], preprocessing, "test", ("sit", "stand"), fps, units)
    with StoreWriter(path, manifest, bodies) as writer:
        for i in range(clips):
            size = np.linspace(1, 1.5 - i % 2, frames)[:, None, None, None]
            prepared = preprocessing((size * moving).astype(np.float32), LAYOUTS[layout])
            writer.add(Clip(f"clip{i}", prepared, label=i % 2, subject=str(1 + i // 2 % 2) if i != 3 else ""))
    return ClipStore(path)
