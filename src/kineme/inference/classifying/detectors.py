"""Trained detectors used as taught classifiers are: segments of recordings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from safetensors import SafetensorError, safe_open

from kineme.clips.folders import is_store
from kineme.clips.store import ClipStore
from kineme.errors import KinemeError
from kineme.evaluation.detection.detector import Detector
from kineme.evaluation.detection.found import find
from kineme.inference.classifying.prediction import PredictedSegment, Prediction
from kineme.progress import Progress, silent
from kineme.untrusted import MALFORMED


def is_detector(path: Path) -> bool:
    """Whether a file is one that `kineme evaluate detect` wrote."""
    with suppress(SafetensorError, *MALFORMED), safe_open(path, framework="np") as opened:
        return "rule" in json.loads((opened.metadata() or {})["kineme"])
    return False


def detect(
    detector: Detector,
    stores: Sequence[str | Path | ClipStore],
    *,
    allow_preprocessing: bool = False,
    device: str = "auto",
    progress: Progress = silent,
) -> Iterator[Prediction]:
    """What a detector finds in recordings, one by one; in some it is nothing.

    Args:
        detector: with its model.
        stores: of the recordings, in the model's layout.
        allow_preprocessing: accept stores of another preprocessing than the encoder's.
        device: where to compute; `auto` picks the GPU if there is one.
        progress: called with the frames encoded and in total, of each store.

    Raises:
        KinemeError: an input is no store, or does not fit the encoder; at once.
    """
    opened = []
    for each in stores:
        if not isinstance(each, ClipStore) and not is_store(each):
            raise KinemeError(f"{each}: a detector reads clip stores; prepare it with `kineme prepare`")
        opened.append(each if isinstance(each, ClipStore) else ClipStore(each))
        detector.model.check(opened[-1], allow_preprocessing=allow_preprocessing)
    return _found(detector, opened, device, progress)


def _found(
    detector: Detector, stores: Sequence[ClipStore], device: str, progress: Progress
) -> Iterator[Prediction]:
    for store in stores:
        found = find(detector, store, device=device, progress=progress)
        segments: dict[str, list[PredictedSegment]] = {name: [] for name in store.names.tolist()}
        for each in found:
            segments[each.recording].append(PredictedSegment(each.start, each.end, each.action, each.score))
        for name, mine in segments.items():
            yield Prediction(str(store.path), name, mine)
