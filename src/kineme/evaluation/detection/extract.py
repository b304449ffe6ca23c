"""Features of all frames of a store's recordings, computed once and cached."""

from __future__ import annotations

import copy
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np
from torch import Tensor

from kineme.clips.batches import resident
from kineme.clips.store import ClipStore
from kineme.encoders.base import COORDINATES, ClipShape, Encoder, Features
from kineme.errors import KinemeError
from kineme.evaluation.detection.frames import Windows, frame_features
from kineme.evaluation.features import cache_key, centred
from kineme.files import atomic_write
from kineme.model import Model
from kineme.progress import Progress, silent
from kineme.typing import Array

HALF = np.dtype(np.float16)
RAW_FRAMES = 16  # of a window of raw coordinates


class RawCoordinates(Encoder):
    """A window itself as its feature, first body's origin subtracted: what an encoder has to beat."""

    def __init__(self, shape: ClipShape) -> None:
        super().__init__()
        self.shape = ClipShape(shape.layout, RAW_FRAMES, shape.bodies, "joint")
        self.dim = COORDINATES * RAW_FRAMES * shape.layout.num_joints * shape.bodies

    def forward(self, clips: Tensor) -> Features:
        """(N, C, T, V, M) → clip (N, C·T·V·M)."""
        return Features(centred(clips, self.shape.layout).flatten(1))


def offsets_of(store: ClipStore, rows: Array) -> Array:
    """(R + 1,) where each recording's frames begin if they stand one after another, and the end."""
    return np.concatenate([[0], np.cumsum(store.index["frames"][rows], dtype=np.int64)])


def store_features(
    model: Model,
    store: ClipStore,
    rows: Array,
    windows: Windows,
    folder: Path,
    *,
    device: str,
    progress: Progress = silent,
) -> Array:
    """Features of all frames of some recordings, one after another.

    Args:
        model: the model.
        store: where the recordings are.
        rows: (R,) which of them.
        windows: how they are cut.
        folder: of the cache; file names depend on everything that features depend on.
        device: where the encoder runs.
        progress: called with the frames done and the frames in all.

    Returns:
        (F, D) float16, a memory map.

    Raises:
        KinemeError: features are not finite, or the disk is full.
    """
    kept = folder / f"{cache_key(model, store, rows, 'float16', windows=asdict(windows))}.npy"
    if kept.is_file():
        with suppress(OSError, ValueError, EOFError):  # damaged: it is computed and written again
            return _mapped(kept)
    encoder = copy.deepcopy(model.encoder).eval().to(device)
    clips = resident(store, rows, device)
    done, total = 0, int(offsets_of(store, rows)[-1])
    header = {"descr": HALF.str, "fortran_order": False, "shape": (total, encoder.dim)}
    with atomic_write(kept) as path, path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for row in range(len(rows)):
            for block in frame_features(encoder, clips[row : row + 1], windows):  # however long it is
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
    found: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    return found
