"""What encoders make of clips, computed once and kept.

A frozen encoder under a deterministic crop gives the same features every time, so they are stored as arrays
under the run directory and every protocol reads them from there.
"""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from rich.console import Console
from rich.progress import Progress
from torch import Tensor

from kineme import __version__
from kineme.augment import centre_window
from kineme.checkpoints import Pretrained
from kineme.clips.batches import Clips, resident
from kineme.clips.store import ClipStore
from kineme.encoders.base import ClipShape
from kineme.errors import KinemeError
from kineme.files import atomic_write
from kineme.streams import to_stream
from kineme.typing import Array

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
PROGRESS_FROM = 20  # batches; fewer are done before anyone wonders


def extract(
    pretrained: Pretrained,
    store: ClipStore,
    rows: npt.NDArray[np.int64],
    *,
    batch_size: int = 256,
    device: torch.device | str | None = None,
    precision: str = "float32",
    allow_preprocessing: bool = False,
    cache: Path | None = None,
) -> Array:
    """Clip features of a frozen encoder: the centre of each clip, resized, its stream taken, no augmentation.

    Args:
        pretrained: the encoder and how clips are shown to it.
        store: where the clips are.
        rows: (N,) which of them.
        batch_size: clips that pass the encoder together.
        device: where the encoder runs; by default an accelerator if there is one.
        precision: of the encoder's arithmetic, `float32` or `bfloat16`.
        allow_preprocessing: accept a store that was prepared by another preprocessing than the encoder's.
        cache: directory in which features are kept, under a name made from all they depend on; None: nowhere.

    Returns:
        (N, D) float32.

    Raises:
        KinemeError: the store's preprocessing, layout or bodies do not fit the encoder, or the encoder gives
            features that are not finite.
    """
    check_compatible(pretrained, store, allow_preprocessing=allow_preprocessing)
    kept = None if cache is None else cache / f"{cache_key(pretrained, store, rows, precision)}.npy"
    if kept is not None and kept.is_file():
        try:
            return np.asarray(np.load(kept, allow_pickle=False))
        except (OSError, ValueError, EOFError):
            pass  # damaged: it is computed and written again
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    encoder = copy.deepcopy(pretrained.encoder).eval().to(device)
    clips = resident(store, rows, device)
    features = np.empty((len(rows), encoder.dim), dtype=np.float32)
    starts = range(0, len(rows), batch_size)
    columns = Progress.get_default_columns()
    with (
        torch.inference_mode(),
        torch.autocast(device.type, PRECISIONS[precision], enabled=precision != "float32"),
        Progress(
            *columns, console=Console(stderr=True), transient=True, disable=len(starts) < PROGRESS_FROM
        ) as bar,
    ):
        for start in bar.track(starts, description="Encoding clips"):
            batch = clip_input(
                clips[start : start + batch_size], encoder.shape, pretrained.stream, pretrained.crop
            )
            features[start : start + batch_size] = encoder(batch).clip.float().cpu().numpy()
    if not np.isfinite(features).all():
        raise KinemeError(
            f"{store.path}: the {pretrained.method} encoder gives features that are NaN or infinite; its "
            "training diverged: train it again with a smaller learning rate"
        )
    if kept is not None:
        with atomic_write(kept) as path:
            np.save(path, features)
    return features


def clip_input(clips: Clips, shape: ClipShape, stream: str, crop: float) -> Tensor:
    """The middle `crop` of each clip as an encoder of this shape and stream takes it: (N, C, T, V, M).

    Bodies that the clips lack and the encoder expects are zero.
    """
    start, length = centre_window(clips.length, crop)
    joints = F.pad(clips.resize(shape.frames, start, length), (0, shape.bodies - clips.bodies))
    return to_stream(joints, stream, shape.layout)


def check_compatible(pretrained: Pretrained, store: ClipStore, *, allow_preprocessing: bool = False) -> None:
    """Refuses a store whose clips are not what the encoder was trained on.

    Raises:
        KinemeError: another layout, more bodies, or, unless allowed, another preprocessing.
    """
    shape = pretrained.encoder.shape
    if store.layout != shape.layout:
        same = (
            " (of the same name, but not the same joints)" if store.layout.name == shape.layout.name else ""
        )
        raise KinemeError(
            f"{store.path}: its layout is {store.layout.name}, the encoder's {shape.layout.name}{same}; "
            "pass --map-joints to find the encoder's joints among the store's by their names"
        )
    if store.bodies > shape.bodies:
        raise KinemeError(
            f"{store.path}: holds {store.bodies} bodies a frame, the encoder reads {shape.bodies}; prepare "
            "the store again with fewer bodies"
        )
    if store.manifest.preprocessing != pretrained.preprocessing and not allow_preprocessing:
        raise KinemeError(
            f"{store.path}: was prepared by {store.manifest.preprocessing.id}, the encoder was trained on "
            f"{pretrained.preprocessing.id}; prepare it alike, or pass --allow-preprocessing to go on"
        )


def raw_coordinates(store: ClipStore, rows: npt.NDArray[np.int64], frames: int = 32) -> Array:
    """The clips themselves as features, the baseline that a representation has to beat.

    Each clip is resampled to `frames` frames; the first body's origin (the layout's) is subtracted in each
    frame from every body that is present; all coordinates are flattened.

    Returns:
        (N, C·frames·V·M) float32.
    """
    clips, parts = resident(store, rows), []
    for first in range(0, len(clips), 1024):
        xyz = clips[first : first + 1024].resize(frames)
        origin = xyz[:, :, :, list(store.layout.origin), :1].mean(dim=3, keepdim=True)
        present = (xyz != 0).any(dim=3, keepdim=True).any(dim=1, keepdim=True)
        parts.append(torch.where(present, xyz - origin, 0).flatten(1).numpy())
    return np.concatenate(parts)


def cache_key(
    pretrained: Pretrained, store: ClipStore, rows: npt.NDArray[np.int64], precision: str, **more: Any
) -> str:
    """A file name that changes with everything the features depend on, `more` of it if there is.

    The encoder's settings are part of it because not all show in the weights (a number of heads does not),
    and the package's version because its code may change what an encoder computes.
    """
    parts = {
        **more,
        "weights": pretrained.weights,
        "method": pretrained.method,
        "encoder": pretrained.config.get("encoder"),
        "frames": pretrained.encoder.shape.frames,
        "bodies": pretrained.encoder.shape.bodies,
        "stream": pretrained.stream,
        "crop": pretrained.crop,
        "precision": precision,
        "store": store.manifest.fingerprint,
        "rows": hashlib.sha256(np.ascontiguousarray(rows).tobytes()).hexdigest(),
        "version": __version__,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]
