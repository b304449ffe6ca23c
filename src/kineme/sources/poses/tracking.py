"""Tracking: detections → bodies with a fixed place each.

Where the file says who is who, that is what counts, unless it gives every detection a number of its own. If
no frame has more than one person, there is nothing to do. Otherwise each body is expected to move on at its
velocity, and a frame's people are assigned to bodies with the least sum of distances. A body that is not
found is kept for a second; whoever appears out of its reach, or later, is a new body.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kineme.sources.poses.arrays import MAX_PEOPLE, Detections, Poses, check_size
from kineme.sources.raw import RemediedError
from kineme.typing import Array

KEPT = 1.0  # seconds a lost body is kept
REACH = 0.5  # body sizes from the expected place within which a body is found; twice that after a second
_STEPS = 8  # over which velocity is averaged; fewer are too noisy where two people cross
_FAR = 1e9  # cost of a forbidden assignment


def tracked(found: Detections, fps: float, bodies: int) -> Poses:
    """The bodies that are seen most and move most, at most `bodies`, the highest ranked first.

    The rank is presence (confidence summed over frames and joints) times energy (standard deviation of the
    joints' positions, in body sizes): a poster on the wall is always there and never moves, a false detection
    moves and is hardly there.

    Raises:
        ValueError: nobody is in any frame, or there are too many frames, people or joints.
    """
    someone = np.isfinite(found.points[..., 0]).any(axis=1)
    if not someone.any():
        raise RemediedError("shows nobody in any frame", "remove it")
    if not someone.all():
        found = replace(
            found,
            frame=found.frame[someone],
            points=found.points[someone],
            confidence=None if found.confidence is None else found.confidence[someone],
            identity=None if found.identity is None else found.identity[someone],
            places=None if found.places is None else found.places[someone],
        )
    joints, coordinates = found.points.shape[1:]
    crowd = np.bincount(found.frame).max()
    if crowd > MAX_PEOPLE:
        raise ValueError(f"has {crowd:,} people in a frame; the limit is {MAX_PEOPLE}")
    if found.identity is not None and len(np.unique(found.identity)) < len(found.frame):
        body = _identified(found.frame, found.identity)
    else:
        body = _bodies(found, fps) if crowd > 1 else np.zeros(len(found.frame), dtype=np.int64)
    rank = _rank(found, body)
    order = np.argsort(-rank, kind="stable")[:bodies]
    slot = np.full(len(rank), -1)
    slot[order] = np.arange(len(order))
    slot = slot[body]
    kept = slot >= 0
    check_size(found.frames, len(order), joints, coordinates)
    shape, place = (found.frames, len(order), joints), (found.frame[kept], slot[kept])
    points = np.full((*shape, coordinates), np.nan, dtype=np.float32)
    points[place] = found.points[kept]
    confidence = None
    if found.confidence is not None:
        confidence = np.zeros(shape, dtype=np.float32)
        confidence[place] = found.confidence[kept]
    return as_poses(found, points, confidence)


def as_poses(found: Detections, points: Array, confidence: Array | None) -> Poses:
    """A clip (T, M, V, C) with all else that is known of detections."""
    return Poses(
        points, confidence, found.joints, found.program, found.parents, found.scale, found.axes, found.times
    )


def _identified(frame: Array, identity: Array) -> Array:
    """(D,) bodies as the file tells them apart. Raises ValueError."""
    _, body = np.unique(identity, return_inverse=True)
    pairs, counts = np.unique(np.stack([frame, body]), axis=1, return_counts=True)
    if (counts > 1).any():
        again = int(pairs[0, np.argmax(counts > 1)])
        raise ValueError(f"has the same person twice in frame {again}, counted from 0")
    return np.asarray(body, dtype=np.int64)


def strongest(poses: Poses, bodies: int) -> Poses:
    """Poses with at most `bodies` bodies: those ranked highest, see `tracked`, in the order of the file."""
    frames, count, joints, coordinates = poses.points.shape
    if count <= bodies:
        return poses
    points = poses.points.reshape(-1, joints, coordinates)
    confidence = None if poses.confidence is None else poses.confidence.reshape(-1, joints)
    body = np.tile(np.arange(count), frames)
    rank = _rank(Detections(body, points, confidence, frames, ""), body)
    kept = np.sort(np.argsort(-rank, kind="stable")[:bodies])
    return replace(
        poses,
        points=poses.points[:, kept],
        confidence=None if poses.confidence is None else poses.confidence[:, kept],
    )


def sizes(points: Array) -> Array:
    """(..., V, C) → (...) the longest side of the joints' bounding box; NaN if none is found."""
    longest: Array = np.max(np.fmax.reduce(points, axis=-2) - np.fmin.reduce(points, axis=-2), axis=-1)
    return longest


@dataclass
class _Body:
    """Where a body was last found, `points` (V, C), and its `velocity` (C,) per frame, over `steps`."""

    number: int
    frame: float
    points: Array
    size: float
    velocity: Any = 0.0
    steps: int = 0

    def expected(self, frame: float) -> Array:
        expected: Array = self.points + self.velocity * (frame - self.frame)
        return expected

    def found(self, frame: float, points: Array, size: float) -> None:
        """Updates the place. Joints that are missing now are moved along with the body."""
        step = points - self.points
        known = np.isfinite(step[:, 0])
        if known.any():
            shift = step[known].mean(axis=0) / (frame - self.frame)
            self.steps = min(self.steps + 1, _STEPS)
            self.velocity = self.velocity + (shift - self.velocity) / self.steps
        self.points = np.where(np.isfinite(points), points, self.expected(frame))
        self.frame, self.size = frame, size


class Tracker:
    """Finds the bodies of one frame among those of the frames before it.

    Bodies are numbered from 0 by appearance. Memory is bounded, however long the frames go on.

    Args:
        fps: frames per second, by which frame numbers are read.

    >>> walking = np.zeros((1, 2, 2)) + np.array([[[0, 0], [0, 1]]])  # one person of two joints, 1 tall
    >>> tracker = Tracker(fps=30)
    >>> [tracker(frame, walking + 0.1 * frame).tolist() for frame in range(3)]
    [[0], [0], [0]]
    >>> tracker(3, np.concatenate([walking + 5, walking + 0.3])).tolist()  # somebody else comes
    [1, 0]
    """

    def __init__(self, fps: float) -> None:
        self._kept = max(KEPT * fps, 1)
        self._open: list[_Body] = []
        self._count = 0

    def __call__(self, frame: float, points: Array) -> Array:
        """(people,) the body to which each of (people, V, C) belongs; frames must ascend."""
        from scipy.optimize import linear_sum_assignment

        size = np.nan_to_num(sizes(points))
        # The most recent first; bounded even if false detections flicker.
        self._open = [each for each in self._open if frame - each.frame <= self._kept][: 2 * MAX_PEOPLE]
        given: dict[int, _Body] = {}
        if self._open:
            cost = _costs(self._open, frame, points, size, self._kept)
            for row, column in zip(*linear_sum_assignment(cost), strict=True):
                if cost[row, column] < _FAR:
                    given[int(column)] = self._open[row]
        for column in range(len(points)):
            if column in given:
                given[column].found(frame, points[column], float(size[column]))
            else:
                given[column] = _Body(self._count, frame, points[column], float(size[column]))
                self._open.append(given[column])
                self._count += 1
        self._open.sort(key=lambda each: -each.frame)
        return np.array([given[column].number for column in range(len(points))], dtype=np.int64)


def _bodies(found: Detections, fps: float) -> Array:
    """(D,) the body to which each detection belongs, numbered by appearance."""
    tracker = Tracker(fps)
    starts = np.flatnonzero(np.diff(found.frame, prepend=-1))
    ends = np.append(starts[1:], len(found.frame))
    return np.concatenate(
        [
            tracker(int(found.frame[start]), found.where[start:end])
            for start, end in zip(starts, ends, strict=True)
        ]
    )


def _costs(bodies: list[_Body], frame: float, points: Array, size: Array, kept: float) -> Array:
    """(bodies, people) mean distance of the joints known in both, in body sizes; _FAR if out of reach."""
    expected = np.stack([body.expected(frame) for body in bodies])
    distance = np.sqrt(np.square(expected[:, None] - points).sum(axis=-1))
    known = np.isfinite(distance)
    common = known.sum(axis=-1)
    mean = np.where(known, distance, 0).sum(axis=-1) / np.maximum(common, 1)
    scale = np.maximum(np.array([body.size for body in bodies])[:, None], size)
    waited = np.array([frame - body.frame for body in bodies])[:, None] - 1
    cost = mean / np.maximum(scale, 1e-9)
    return np.where((common > 0) & (cost <= REACH * (1 + waited / kept)), cost, _FAR)


def _rank(found: Detections, body: Array) -> Array:
    """(bodies,) presence times energy, see `tracked`."""
    count, where = int(body.max()) + 1, found.where
    known = np.isfinite(where[..., 0])
    weight = known if found.confidence is None else np.where(known, found.confidence, 0)
    presence = np.bincount(body, weight.sum(axis=1), count)
    # Sums of a joint's coordinates over the frames of its body: (bodies, V) and (bodies, V, C).
    times = _summed(known.astype(np.float64), body, count)
    middle = np.median(where[known], axis=0) if known.any() else 0.0  # for numerical precision
    places = np.where(known[..., None], where - middle, 0).astype(np.float64)
    mean = _summed(places, body, count) / np.maximum(times, 1)[..., None]
    square = _summed(np.square(places), body, count) / np.maximum(times, 1)[..., None]
    spread = np.sqrt(np.maximum(square - np.square(mean), 0)).sum(axis=-1)
    spread = np.where(times > 0, spread, 0).sum(axis=1) / np.maximum((times > 0).sum(axis=1), 1)
    tall = np.bincount(body, np.nan_to_num(sizes(where)), count) / np.bincount(body, minlength=count)
    rank: Array = presence * spread / np.maximum(tall, 1e-9)
    return rank


def _summed(values: Array, body: Array, count: int) -> Array:
    """(D, ...) → (bodies, ...), by body."""
    order = np.argsort(body, kind="stable")
    starts = np.searchsorted(body[order], np.arange(count))
    summed: Array = np.add.reduceat(values[order], starts, axis=0)
    return summed
