"""Clip features of frozen encoders, computed once and cached.

A frozen encoder under a deterministic crop gives the same features every time, so they are stored as arrays
under the run directory and every protocol reads them from there.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from kineme import __version__
from kineme.augment import filled
from kineme.augment.temporal import first_frames
from kineme.clips.batches import Clips, resident
from kineme.clips.store import ClipStore
from kineme.errors import KinemeError
from kineme.files import atomic_write, optional
from kineme.layouts import Layout
from kineme.model import Model, device_of
from kineme.progress import Progress, silent
from kineme.typing import Array
from kineme.untrusted import load_array

RAW_FRAMES = 32  # of a clip as a feature


def extract(
    model: Model,
    store: ClipStore,
    rows: npt.NDArray[np.int64],
    *,
    batch_size: int = 256,
    device: torch.device | str | None = None,
    precision: str = "float32",
    allow_preprocessing: bool = False,
    seen: int | None = None,
    cache: Path | None = None,
    progress: Progress = silent,
) -> Array:
    """Clip features of a frozen encoder: the centre of each clip, resized, its stream taken, no augmentation.

    Args:
        model: the encoder and how clips are shown to it.
        store: where the clips are.
        rows: (N,) which of them.
        batch_size: clips that pass the encoder together.
        device: where the encoder runs; by default an accelerator if there is one.
        precision: of the encoder's arithmetic, `float32` or `bfloat16`.
        allow_preprocessing: accept a store that was prepared by another preprocessing than the model's.
        seen: per cent of each clip's frames, from its first, that are shown instead of its centre.
        cache: where they are cached, under names made from all that they depend on; None: nowhere.
        progress: called with the clips done and in total.

    Returns:
        (N, D) float32.

    Raises:
        KinemeError: the store's preprocessing, layout or bodies do not fit the encoder, or the encoder gives
            features that are not finite.
    """
    model.check(store, allow_preprocessing=allow_preprocessing)
    more = {} if seen is None else {"seen": seen}
    kept = None if cache is None else cache / f"{cache_key(model, store, rows, precision, **more)}.npy"
    if kept is not None and kept.is_file():
        try:
            return load_array(kept)
        except (OSError, ValueError, EOFError):
            pass  # damaged: it is computed and written again
    place = device_of(device)
    clips = beginnings(resident(store, rows, place), seen)
    try:
        features = model.encode(
            clips,
            batch_size=batch_size,
            device=place,
            precision=precision,
            crop=None if seen is None else 1.0,
            progress=progress,
        )
    except KinemeError as error:
        raise KinemeError(f"{store.path}: {error}") from error
    if kept is not None:
        with optional("features"), atomic_write(kept) as path:
            np.save(path, features)
    return features


def beginnings(clips: Clips, seen: int | None) -> Clips:
    """Clips cut after a share of their frames in per cent; None: as they are."""
    return clips if seen is None else clips.first(first_frames(clips.length, seen))


def raw_coordinates(
    store: ClipStore, rows: npt.NDArray[np.int64], frames: int = RAW_FRAMES, *, seen: int | None = None
) -> Array:
    """The clips themselves as features, the baseline that a representation has to beat.

    Each clip is resampled to `frames` frames and centred on the first body; all coordinates are flattened.
    With `seen`, of the beginning of each clip only, as in `extract`.

    Returns:
        (N, C·frames·V·M) float32.
    """
    clips, parts = beginnings(resident(store, rows), seen), []
    for first in range(0, len(clips), 1024):
        parts.append(raw_of(clips[first : first + 1024], store.layout, frames))
    return np.concatenate(parts)


def raw_of(clips: Clips, layout: Layout, frames: int = RAW_FRAMES) -> Array:
    """The same of clips in memory; joints that they lack are where their neighbours are.

    Raises:
        KinemeError: a coordinate is not finite, as no command writes it.
    """
    xyz = clips.resize(frames)
    if clips.present is not None:
        xyz = filled(xyz, clips.present, layout)
    features = np.asarray(centred(xyz, layout).flatten(1).cpu().numpy())
    if not np.isfinite(features).all():
        raise KinemeError("the clip store is damaged (a coordinate is not finite); prepare it again")
    return features


def centred(xyz: Tensor, layout: Layout) -> Tensor:
    """(N, C, T, V, M) with the first body's origin subtracted from every body that is present."""
    origin = xyz[:, :, :, list(layout.origin), :1].mean(dim=3, keepdim=True)
    present = (xyz != 0).any(dim=3, keepdim=True).any(dim=1, keepdim=True)
    return torch.where(present, xyz - origin, 0)


def cache_key(
    model: Model, store: ClipStore, rows: npt.NDArray[np.int64], precision: str, **more: Any
) -> str:
    """A file name that changes with everything the features depend on, `more` of it if there is."""
    parts = {
        **more,
        **identity(model, precision),
        "store": store.manifest.fingerprint,
        "rows": hashlib.sha256(np.ascontiguousarray(rows).tobytes()).hexdigest(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]


def identity(model: Model, precision: str) -> dict[str, Any]:
    """What features of preprocessed clips depend on, apart from the clips.

    The encoder's settings are part of it because not all show in the weights (a number of heads does not),
    and the package's version because its code may change what an encoder computes.
    """
    return {
        "weights": model.weights,
        "method": model.method,
        "encoder": model.config.get("encoder"),
        "frames": model.encoder.shape.frames,
        "bodies": model.encoder.shape.bodies,
        "stream": model.stream,
        "crop": model.crop,
        "precision": precision,
        "version": __version__,
    }
