"""An untrained model of three joints, and recordings for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from conftest import STICK
from kineme.checkpoints import build_encoder, save_encoder
from kineme.clips.store import Clip, ClipStore, Manifest
from kineme.clips.writer import StoreWriter
from kineme.encoders import ClipShape
from kineme.layouts import Layout
from kineme.loading import load_run
from kineme.model import Model
from kineme.preprocessing import Preprocessing, get_preprocessing
from kineme.settings import config_from_dict
from kineme.typing import Array

PLAIN = get_preprocessing("plain")


def model(folder: Path, layout: Layout = STICK, preprocessing: Preprocessing = PLAIN) -> Model:
    """STTR of 16 channels that reads the middle 90 % of a clip in 8 frames; the run is `folder`."""
    config = config_from_dict(
        {
            "data": {"frames": 8},
            "method": {"name": "usdrl"},
            "encoder": {"name": "sttr", "hidden": 8, "depth": 1},
            "evaluate": {"crop": 0.9},
        },
        "test",
    ).to_dict()
    torch.manual_seed(0)
    encoder = build_encoder(config["encoder"], ClipShape(layout, 8, 2, "joint"))
    folder.mkdir(exist_ok=True)
    save_encoder(folder / "model.safetensors", encoder, preprocessing, config, 1, "metres")
    return load_run(folder)


def motion(frames: int, seed: int, joints: int = 3) -> Array:
    """(T, 1, V, 3): a pose that drifts at random."""
    rng = np.random.default_rng(seed)
    drift = 0.1 * rng.normal(size=(frames, 1, joints, 3)).cumsum(axis=0)
    return (rng.normal(size=(1, 1, joints, 3)) + drift).astype(np.float32)


def write(
    path: Path, clips: list[Clip], *, fps: float = 10.0, preprocessing: Preprocessing = PLAIN
) -> ClipStore:
    """A store of clips that are preprocessed already."""
    manifest = Manifest(STICK, preprocessing, "test", ("rise", "swing"), fps=fps)
    with StoreWriter(path, manifest, 2) as writer:
        for clip in clips:
            writer.add(clip)
    return ClipStore(path)
