"""The output of a detector for every test recording: the arrays of RUN/results/detect.npz.

    names           (R,) of the recordings
    offsets         (R + 1,) int64: the frames of recording r are offsets[r] .. offsets[r + 1] below
    probabilities   (F, K) float16, of each frame to show each class
    labels          (F,) int64, true class of each frame
    predicted       (F,) int64, class of each frame as the detector labels it
    truth           (n, 4) int64, true intervals: recording, class, start, end
    segments        (m, 4) int64, proposed ones, alike; of a recording in order of start, then class
    segment_scores  (m,) float64, confidence of each proposed segment

Classes are indices into the `class_names` of detect.json: 0 is the background, no interval. Recordings are
rows of `names`. Frames count from 0 in each recording, at the store's rate; `end` is exclusive.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from kineme.evaluation.results import reading
from kineme.files import atomic_write
from kineme.typing import Array
from kineme.untrusted import read_arrays


@dataclass(frozen=True)
class Detections:
    """A detector's output and the truth; the module's docstring describes each array."""

    names: Array
    offsets: Array
    probabilities: Array
    labels: Array
    predicted: Array
    truth: Array
    segments: Array
    segment_scores: Array

    def save(self, path: Path) -> None:
        """Writes them as arrays of one .npz file."""
        arrays: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        arrays["probabilities"] = self.probabilities.astype(np.float16)
        with atomic_write(path) as aside:
            np.savez(aside, **arrays)

    @classmethod
    def load(cls, path: Path) -> Detections:
        """Reads what `save` wrote.

        Raises:
            KinemeError: the file is missing or holds no detections.
        """
        with reading(path, "detections"):
            stored = read_arrays(path)
            if "predicted" not in stored:  # written by a version that did not label frames
                stored = {**stored, "predicted": stored["probabilities"].argmax(axis=1)}
            return cls(**{field.name: stored[field.name] for field in fields(cls)})
