"""What a recording shows over time: what is true, labelled and predicted, and its features as colours."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch

from kineme.clips.store import UNLABELLED
from kineme.evaluation.detection.frames import frame_features, windows_for
from kineme.explore.labels import Labels
from kineme.explore.library import Library
from kineme.inference.embed import pieces
from kineme.inference.windows import whole

SPAN = 1.0  # seconds that a feature of the strip is about
STEPS = 200  # windows that are encoded for a strip, at most
COLUMNS = 600  # of a strip, at most


def segments_of(library: Library, labels: Labels, row: int) -> dict[str, Any]:
    """A recording in numbers and names: its stretches in seconds, as [start, end, class]."""
    store, fps = library.store, library.store.manifest.fps
    name, names = str(store.names[row]), store.manifest.class_names
    true = [[start / fps, end / fps, names[label]] for start, end, label in store.clip_intervals(row)]
    label = int(store.labels[row])
    if not true and label != UNLABELLED:
        true = [[0.0, library.seconds[name], names[label]]]
    mine = [[*part.seconds, label] for part, label in sorted(labels.parts().items()) if part.name == name]
    return {
        "name": name,
        "person": str(store.index["subject"][row]),
        "seconds": library.seconds[name],
        "fps": fps,
        "true": true,
        "labels": mine,
    }


@lru_cache(maxsize=64)
def strip(library: Library, row: int) -> list[str]:
    """Colours of equal stretches of a recording, `#rrggbb`, from features of the second around each."""
    store, device = library.index.store, library.index.device
    ((_, clip),) = library.recordings.alone(row).clips(0)
    total = len(clip.xyz)
    frames = max(min(round(SPAN * store.manifest.fps), total), 2)
    step = max(frames // 8, -(-total // STEPS), 1)
    encoder = library.model.encoder
    windows = windows_for(encoder, "centred", frames, min(step, frames))
    recording = pieces([clip], [whole(total, store.manifest.fps)], device)
    features = torch.cat(list(frame_features(encoder, recording, windows))).numpy()
    features = features[np.linspace(0, len(features) - 1, min(len(features), COLUMNS)).round().astype(int)]
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in library.tint(unit).tolist()]
