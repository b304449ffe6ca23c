"""Frame rates: instants that are uneven → even ones, one rate → another."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np

from kineme.sources.poses.arrays import MAX_FRAMES, Poses
from kineme.sources.poses.gaps import BRIDGED
from kineme.sources.raw import RemediedError
from kineme.typing import Array

logger = logging.getLogger(__name__)

EVEN = 0.25  # share of a frame by which an instant may be off without being resampled


def evenly(points: Array, times: Array, fps: float) -> Array:
    """(T, ...) values at `times` (T,) → (T', ...) at 0, 1/fps, 2/fps, ... from the first instant.

    They stay as they are where no instant is a quarter of a frame away from its place, or no times are given.
    Otherwise they are interpolated linearly; where one of the two neighbours is missing (NaN), or they are
    farther apart than `reach_of` says, so is the result.

    Raises:
        ValueError: times do not ascend, or last longer than a clip may.
    """
    clock = clock_of(times, fps)
    if clock is None:
        return points
    if clock[-1] >= MAX_FRAMES:
        span = f"its times span {clock[-1]:,.0f} frames at {fps:g} fps; expected up to {MAX_FRAMES:,}"
        raise RemediedError(span, "cut it into shorter clips, or set a lower `fps`")
    return _at(points, clock, np.arange(frames_of(clock)), reach_of(clock, fps))


def clock_of(times: Array, fps: float) -> Array | None:
    """(T,) times in seconds → instants in frames from the first, if frames have to be moved, see `evenly`.

    Raises:
        ValueError: times do not ascend.
    """
    if len(times) < 2 or not np.isfinite(times).all():
        return None
    clock: Array = (times - times[0]) * fps
    if np.abs(clock - np.arange(len(times))).max() <= EVEN:
        return None
    if (np.diff(clock) <= 0).any():
        late = int(np.flatnonzero(np.diff(clock) <= 0)[0]) + 1
        raise ValueError(f"its times do not ascend: frame {late + 1} is not later than frame {late}")
    moving = "frames at another rate or at uneven times are resampled to %g a second"
    logger.info(moving, fps, extra={"once": True})  # whatever the number of files
    return clock


def timed(poses: Poses, times: Array, fps: float) -> Poses:
    """A clip whose frames are at `times` (T,) → at `fps`, see `evenly`; raises ValueError."""
    confidence = poses.confidence
    return replace(
        poses,
        points=evenly(poses.points, times, fps),
        confidence=None if confidence is None else evenly(confidence, times, fps),
    )


def resampled(poses: Poses, given: float, fps: float) -> Poses:
    """A clip of `given` frames a second → `fps`, by linear interpolation.

    Raises:
        ValueError: it would have more frames than a clip may.
    """
    clock = np.arange(len(poses.points)) * fps / given
    if clock[-1] >= MAX_FRAMES:
        long = f"has {clock[-1]:,.0f} frames at {fps:g} fps; expected up to {MAX_FRAMES:,}"
        raise RemediedError(long, "cut it into shorter clips, or set a lower `fps`")
    return moved(poses, clock, np.arange(frames_of(clock)), reach_of(clock, fps))


def moved(poses: Poses, clock: Array, wanted: Array, reach: float) -> Poses:
    """A clip whose frames are at ascending instants (T,), in frames → at those that are wanted (T',)."""
    confidence = None if poses.confidence is None else _at(poses.confidence, clock, wanted, reach)
    return replace(poses, points=_at(poses.points, clock, wanted, reach), confidence=confidence)


def reach_of(clock: Array, fps: float) -> float:
    """How far apart instants (T,), in frames, may be for what lies between them to be no gap.

    It is half a second, or twice the usual step where that is longer.
    """
    usual = float(np.median(np.diff(clock))) if len(clock) > 1 else 0.0
    return max(BRIDGED * fps, 2 * usual)


def frames_of(clock: Array) -> int:
    """How many even frames there are up to the last of (T,) ascending instants."""
    return int(np.floor(clock[-1] + 1e-6)) + 1


def _at(values: Array, clock: Array, wanted: Array, reach: float) -> Array:
    """(T, ...) values at ascending instants (T,), in frames → at those that are wanted (T',)."""
    if len(values) < 2:
        return values
    after = np.clip(np.searchsorted(clock, wanted, side="right"), 1, len(clock) - 1)
    before = after - 1
    across = (-1, *[1] * (values.ndim - 1))
    step = clock[after] - clock[before]
    share = ((wanted - clock[before]) / step).reshape(across)
    left, right = values[before], values[after]
    with np.errstate(invalid="ignore"):  # infinite coordinates are refused later
        mixed = np.where((step > reach).reshape(across), np.nan, left * (1 - share) + right * share)
    # Beside a gap an instant of its own is still known.
    found: Array = np.where(share < 1e-6, left, np.where(share > 1 - 1e-6, right, mixed))
    return found.astype(values.dtype)
