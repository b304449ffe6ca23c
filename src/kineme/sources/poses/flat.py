"""Flat lists of x, y and confidence, a person each, as OpenPose and COCO-style estimators write them."""

from __future__ import annotations

from typing import Any

import numpy as np

from kineme.sources.poses.arrays import MAX_FRAMES, Detections, check_size, split_columns
from kineme.typing import Array


def detections(people: list[list[Any]], frame: Any, frames: int, program: str) -> Detections:
    """Flat numbers of each person: x, y, confidence of each joint."""
    width = 3
    if frames > MAX_FRAMES:
        raise ValueError(f"has {frames:,} frames; expected 1 to {MAX_FRAMES:,}")
    if not people:
        return Detections(np.zeros(0, dtype=np.int64), np.zeros((0, 2, 2), np.float32), None, frames, program)
    lengths = {len(person) for person in people}
    if len(lengths) > 1 or max(lengths) % width:
        found = " or ".join(map(str, sorted(lengths)[:2]))
        raise ValueError(f"its people have {found} numbers; expected {width} per joint")
    values = numbers(people, "the people's keypoints")
    if values.ndim != 2:
        raise ValueError(f"its people have nested lists; expected {width} numbers per joint")
    values = values.reshape(len(people), -1, width)
    check_size(1, 1, values.shape[1], width)
    points, confidence = split_columns(values, scores=True)
    return Detections(np.asarray(frame, dtype=np.int64), points, confidence, frames, program)


def numbers(nested: Any, what: str) -> Array:
    """Nested lists of numbers as an array, null as NaN."""
    try:
        return np.array(nested, dtype=np.float64)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{what}: has lists of unequal length, or values that are not numbers") from error
