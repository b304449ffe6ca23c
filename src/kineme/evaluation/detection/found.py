"""Segments that a detector finds in unlabelled recordings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from kineme.clips.store import ClipStore
from kineme.evaluation.detection.detector import Detector
from kineme.evaluation.task import chosen_device
from kineme.progress import Progress, silent


@dataclass(frozen=True)
class Segment:
    """One detected action. Times are in seconds from the recording's beginning."""

    recording: str
    start: float
    end: float
    action: str
    score: float


def find(
    detector: Detector, store: ClipStore, *, device: str = "auto", progress: Progress = silent
) -> list[Segment]:
    """The segments of all recordings of a store, of each in order of start.

    Args:
        detector: what finds them.
        store: the recordings, of the encoder's layout.
        device: where to compute; `auto` picks the GPU if there is one.
        progress: called with the frames encoded and in total.

    Raises:
        KinemeError: a GPU is asked for and there is none.
    """
    place, rows = chosen_device(device), np.arange(len(store))
    with TemporaryDirectory() as folder:
        found = detector.find(store, rows, Path(folder), device=place, progress=progress)
    scored = zip(found.segments.tolist(), found.scores.tolist(), strict=True)
    fps = store.manifest.fps
    return [
        Segment(str(store.names[row]), start / fps, end / fps, detector.class_names[label], score)
        for (row, label, start, end), score in scored
    ]
