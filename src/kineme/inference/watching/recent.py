"""The last seconds of one person's motion, and windows of them at even times."""

from __future__ import annotations

import math

import numpy as np

from kineme.layouts import Layout
from kineme.sources.poses.arrays import split_columns
from kineme.sources.poses.gaps import LEAST
from kineme.sources.poses.lines import BadFrame
from kineme.typing import Array

NEAR = 0.05  # frames; poses this near to the time of a frame stand for it as they are
CLOSEST = 0.5 - NEAR  # frames between two poses


class Recent:
    """The latest poses of one person, as many as a window takes. Memory is taken once.

    Poses that come more than twice as often as `fps` are thinned out.

    Args:
        frames: of a window.
        fps: frames per second of windows.
        shape: (V, C) of a pose.

    >>> recent = Recent(frames=3, fps=10.0, shape=(1, 2))
    >>> for time, x in ((0.0, 0.0), (0.1, 1.0), (0.25, 4.0)):
    ...     recent.add(time, np.array([[x, 0.0]]))
    >>> recent.window().squeeze().tolist()  # at 0.05, 0.15 and 0.25 s
    [[0.5, 0.0], [2.0, 0.0], [4.0, 0.0]]
    """

    def __init__(self, frames: int, fps: float, shape: tuple[int, int]) -> None:
        self._fps = fps
        self._before = np.arange(1 - frames, 1) / fps  # when the frames of a window are, relative to its end
        self._kept = math.ceil((frames - 1) / CLOSEST) + 2  # reach back far enough at any rate
        self._times = np.empty(2 * self._kept)
        self._points = np.empty((2 * self._kept, *shape), dtype=np.float32)
        self._end = 0

    @property
    def latest(self) -> float:
        """Time of the last pose; -inf if there is none."""
        return float(self._times[self._end - 1]) if self._end else -math.inf

    def add(self, time: float, points: Array) -> None:
        """Adds a pose (V, C), later than the ones before."""
        if time - self.latest < CLOSEST / self._fps:
            return
        if self._end == len(self._times):  # once in a while, so that the poses of a window lie in a row
            self._times[: self._kept] = self._times[-self._kept :]
            self._points[: self._kept] = self._points[-self._kept :]
            self._end = self._kept
        self._times[self._end] = time
        self._points[self._end] = points
        self._end += 1

    def window(self) -> Array | None:
        """(T, V, C) up to the last pose, linear between poses; NaN where a joint is unknown in one of them.

        None while the poses do not reach back far enough.
        """
        first = max(self._end - self._kept, 0)
        times, points = self._times[first : self._end], self._points[first : self._end]
        near = NEAR / self._fps
        if not len(times) or times[0] > times[-1] + self._before[0] + near:
            return None
        at = times[-1] + self._before
        below = np.maximum(np.searchsorted(times, at + near, side="right") - 1, 0)
        above = np.minimum(below + 1, len(times) - 1)
        away = at - times[below]
        weight = np.where(away > near, away / np.where(above > below, times[above] - times[below], 1), 0)
        weight = weight.astype(np.float32)[:, None, None]
        low = points[below]
        result: Array = np.where(weight > 0, low + weight * (points[above] - low), low)
        return result


def checked_pose(given: Array, layout: Layout, columns: int | None) -> Array | None:
    """A pose as float32, NaN where a joint was not found; None with so few that nobody is there.

    Args:
        given: (V, C).
        layout: of the V joints.
        columns: C of the poses before; None: 2 or 3.

    Raises:
        BadFrame: it has another shape, or infinite coordinates.
    """
    points = np.asarray(given)
    allowed = (2, 3) if columns is None else (columns,)
    if points.ndim != 2 or points.shape[1] not in allowed or points.dtype.kind not in "fiu":
        wanted = " or ".join(map(str, allowed))
        before = "" if columns is None else " as in the frames before it"
        raise BadFrame(f"has joints of shape {points.shape}; expected (joints, {wanted}){before}")
    if len(points) != layout.num_joints:
        raise BadFrame(
            f"has {len(points)} joints, and layout {layout.name} has {layout.num_joints}; set the `layout` "
            "of the poses"
        )
    try:
        pose, _ = split_columns(points[None].astype(np.float64), False)
    except ValueError as error:
        raise BadFrame(str(error)) from error
    found = np.isfinite(pose[0, :, 0]).sum()
    return pose[0] if found >= max(len(points) // LEAST, 1) else None
