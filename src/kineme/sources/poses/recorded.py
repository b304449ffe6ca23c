"""What files of poses hold before anything is made of it, and how much of it there may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kineme.errors import KinemeError
from kineme.layouts import MAX_JOINTS
from kineme.typing import Array

MAX_FRAMES = 100_000  # most of an hour; a file that claims more is damaged
MAX_PEOPLE = 100  # in a frame
MAX_NUMBERS = 1 << 25  # coordinates of one clip: 100,000 frames of two bodies with 33 joints take 20 million
MAX_COORDINATE = 1e6
_FAR_APART = f"numbers its frames far apart; between the first and the last {MAX_FRAMES:,} are possible"
REMEDY = "mend the file, or leave it out (--ignore, --skip-bad)"


@dataclass(frozen=True)
class Poses:
    """People who keep their places: what clip files hold, and what tracking gives.

    Attributes:
        points: (T, M, V, C) float32, C 2 or 3, NaN where a joint was not found.
        confidence: (T, M, V) float32, 0 to 1; None where the file tells nothing.
        joints: names in the order of V; empty where the file has none.
        program: what such files come from, `openpose`, `coco` or `mediapipe`; empty for anything else.
    """

    points: Array
    confidence: Array | None
    joints: tuple[str, ...] = ()
    program: str = ""


@dataclass(frozen=True)
class Detections:
    """People found in each frame, without knowing who is who from one frame to the next.

    Attributes:
        frame: (D,) int64, in rising order, the frame of each detection, from 0.
        points: (D, V, C) float32, NaN where a joint was not found.
        confidence: (D, V) float32, 0 to 1; None where the file tells nothing.
        frames: T, how many there are, with or without people.
        program: as in `Poses`.
    """

    frame: Array
    points: Array
    confidence: Array | None
    frames: int
    program: str


def apart(values: Array, scores: bool) -> tuple[Array, Array | None]:
    """(..., V, 2 to 4) numbers as files have them → (..., V, C) points and (..., V) confidences.

    Four columns are x, y, z and a confidence; of three the last is a confidence where `scores` is set. A
    joint of confidence 0 was not found. Nor was one at (0, 0) in two dimensions, or any joint of a body that
    is zero throughout. What is not found becomes NaN.

    Raises:
        ValueError: coordinates are infinite or beyond a million; the message says so.
    """
    columns = values.shape[-1]
    last = columns == 4 or (columns == 3 and scores)
    points = values[..., : columns - last]
    confidence = as_confidence(values[..., -1]) if last else None
    return without_unseen(points, confidence), confidence


def without_unseen(points: Array, confidence: Array | None) -> Array:
    """(..., V, C) points with NaN for joints that were not found, see `apart`."""
    if ((points > MAX_COORDINATE) | (points < -MAX_COORDINATE)).any():  # NaN is neither
        raise ValueError(f"holds infinite coordinates, or some beyond {MAX_COORDINATE:,.0f}")
    known: Array = np.all(np.isfinite(points), axis=-1)
    zero: Array = np.all(points == 0, axis=-1)
    absent: Array = zero if points.shape[-1] == 2 else np.all(zero, axis=-1, keepdims=True)
    known &= ~absent
    if confidence is not None:
        known &= confidence > 0
    return np.where(known[..., None], points, np.float32(np.nan)).astype(np.float32)


def as_confidence(values: Array) -> Array:
    """Scores of any estimator → 0 to 1, float32; COCO's flags 0, 1, 2 (not there, hidden, visible) halved."""
    values = np.nan_to_num(np.clip(values, 0, 2).astype(np.float32))
    if values.size and values.max() == 2 and np.isin(values, (0, 1, 2)).all():
        values = values / 2
    return np.clip(values, 0, 1)


def check_size(frames: int, bodies: int, joints: int, coordinates: int) -> None:
    """Refuses what a clip cannot be, before memory is asked for.

    Raises:
        ValueError: with the reason.
    """
    if not 1 <= frames <= MAX_FRAMES:
        raise ValueError(f"has {frames:,} frames; between 1 and {MAX_FRAMES:,} are possible")
    if not 1 <= bodies <= MAX_PEOPLE:
        raise ValueError(f"has {bodies:,} people; between 1 and {MAX_PEOPLE} are possible")
    if not 2 <= joints <= MAX_JOINTS:
        raise ValueError(f"has {joints:,} joints; between 2 and {MAX_JOINTS:,} are possible")
    if not 2 <= coordinates <= 4:
        raise ValueError(f"has {coordinates:,} numbers a joint; expected x y, x y z or x y z confidence")
    if frames * bodies * joints * coordinates > MAX_NUMBERS:
        raise ValueError(f"has more than {MAX_NUMBERS:,} coordinates; cut it into shorter clips")


def renumbered(numbers: Sequence[int]) -> tuple[Array, int]:
    """Numbers of frames as files have them → (D,) from 0 in steps of one, and how many frames that makes.

    Where only every k-th frame of a video was looked at, these are the frames.

    Raises:
        ValueError: they are too far apart.
    """
    first, last = min(numbers), max(numbers)
    if last - first > MAX_NUMBERS:
        raise ValueError(_FAR_APART)
    offset = np.array([number - first for number in numbers], dtype=np.int64)
    step = max(int(np.gcd.reduce(offset)), 1)
    frames = (last - first) // step + 1
    if frames > MAX_FRAMES:
        raise ValueError(_FAR_APART)
    return offset // step, frames


def shown(value: object) -> str:
    """What a file holds, as a message quotes it."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


def bad_file(file: object, reason: object) -> KinemeError:
    """What a file is refused with."""
    return KinemeError(f"{file}: {reason}; {REMEDY}")
