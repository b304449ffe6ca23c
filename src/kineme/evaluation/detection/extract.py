"""Features of all frames of a store's recordings, computed once and cached."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from kineme.clips.batches import resident
from kineme.clips.store import ClipStore
from kineme.encoders.base import COORDINATES, ClipShape, Encoder, Features
from kineme.errors import KinemeError
from kineme.evaluation.detection.frames import Windows, frame_features, played_frames, shown
from kineme.evaluation.features import cache_key, centred
from kineme.files import atomic_write
from kineme.model import Model
from kineme.progress import Progress, silent
from kineme.typing import Array
from kineme.untrusted import load_array

HALF = np.dtype(np.float16)
RAW_FRAMES = 16  # of a window of raw coordinates
USUAL_SPEED = (1.0,)


class RawCoordinates(Encoder):
    """A window itself as its feature, first body's origin subtracted: what an encoder has to beat."""

    def __init__(self, shape: ClipShape) -> None:
        super().__init__()
        self.shape = ClipShape(shape.layout, RAW_FRAMES, shape.bodies, "joint")
        self.dim = COORDINATES * RAW_FRAMES * shape.layout.num_joints * shape.bodies

    def forward(self, clips: Tensor) -> Features:
        """(N, C, T, V, M) → clip (N, C·T·V·M)."""
        return Features(centred(clips, self.shape.layout).flatten(1))


def offsets_of(store: ClipStore, rows: Array, speeds: Sequence[float] = USUAL_SPEED) -> Array:
    """(S·R + 1,) where each recording's frames begin if they stand one after another, and the end.

    All recordings at the first speed come first, then all at the second, and so on.
    """
    lengths = store.index["frames"][rows].tolist()
    played = [played_frames(length, speed) for speed in speeds for length in lengths]
    return np.concatenate([[0], np.cumsum(played, dtype=np.int64)])


def frames_shown(store: ClipStore, rows: Array, speeds: Sequence[float]) -> Array:
    """(F,) which of the recordings' frames, one after another, each frame shows that `offsets_of` counts."""
    first = offsets_of(store, rows)
    found = []
    for speed in speeds:
        for begin, end in pairwise(first.tolist()):
            at = torch.arange(played_frames(end - begin, speed))
            found.append(begin + shown(at, speed).round().clamp(0, end - begin - 1).long().numpy())
    return np.concatenate(found)


def store_features(
    model: Model,
    store: ClipStore,
    rows: Array,
    windows: Windows,
    folder: Path,
    *,
    device: str,
    speeds: Sequence[float] = USUAL_SPEED,
    progress: Progress = silent,
) -> Array:
    """Features of all frames of some recordings, one after another, as `offsets_of` counts them.

    Args:
        model: the model.
        store: where the recordings are.
        rows: (R,) which of them.
        windows: how they are cut.
        folder: of the cache; file names depend on everything that features depend on.
        device: where the encoder runs.
        speeds: at which the recordings are played.
        progress: called with the frames done and in total.

    Returns:
        (F, D) float16, a memory map.

    Raises:
        KinemeError: features are not finite, or the disk is full.
    """
    settings = {"windows": asdict(windows), "speeds": list(speeds)}
    kept = folder / f"{cache_key(model, store, rows, 'float16', **settings)}.npy"
    if kept.is_file():
        with suppress(OSError, ValueError, EOFError):  # damaged: it is computed and written again
            found = _mapped(kept)
            progress(len(found), len(found))
            return found
    encoder = copy.deepcopy(model.encoder).eval().to(device)
    clips = resident(store, rows, device)
    done, total = 0, int(offsets_of(store, rows, speeds)[-1])
    header = {"descr": HALF.str, "fortran_order": False, "shape": (total, encoder.dim)}
    with atomic_write(kept) as path, path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for speed, row in product(speeds, range(len(rows))):
            recording = clips[row : row + 1]  # however long it is
            for block in frame_features(encoder, recording, windows, speed=speed):
                half = block.numpy().astype(HALF)
                if not np.isfinite(half).all():
                    raise KinemeError(
                        f"{store.path}: the {model.method} encoder gives features of "
                        f"{store.names[rows[row]]} that are NaN or infinite; its training diverged: train it "
                        "again with a smaller learning rate"
                    )
                file.write(half.tobytes())  # `tofile` is silent on a full disk
                done += len(half)
                progress(done, total)
    return _mapped(kept)


def _mapped(path: Path) -> Array:
    return load_array(path, mapped=True)
