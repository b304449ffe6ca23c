"""Gaps of poses: a place for every joint of a body that is there.

Gaps of up to half a second are interpolated linearly, of a joint or of a whole body. In longer ones a body is
absent, that is zero; a missing joint of a present body keeps its position relative to its parent, moving
evenly from the position before the gap to the one after. A joint that is never found lies on its parent, and
is absent. Filled joints have confidence 0.
"""

from __future__ import annotations

import numpy as np

from kineme.layouts import Layout
from kineme.sources.poses.arrays import Poses
from kineme.sources.raw import RemediedError
from kineme.typing import Array

BRIDGED = 0.5  # seconds, the longest gap that is interpolated
LEAST = 4  # a body with less than a quarter of its joints counts as absent


class NobodyError(RemediedError):
    """A clip shows nobody."""

    def __init__(self) -> None:
        super().__init__("has nobody in any frame", "remove it")


def filled(poses: Poses, layout: Layout, fps: float) -> tuple[Array, Array]:
    """Poses with gaps → points (T, M, V, C) without NaN, absent bodies zero, and confidence (T, M, V).

    If the file has no confidence, it is 1 for every joint that was found.

    Raises:
        NobodyError: nobody is there.
    """
    points = poses.points
    seen: Array = np.isfinite(points[..., 0])
    seen &= seen.sum(axis=-1, keepdims=True) >= max(layout.num_joints // LEAST, 1)
    confidence = np.where(seen, 1 if poses.confidence is None else poses.confidence, 0).astype(np.float32)
    present: Array = np.any(seen, axis=-1)
    if not seen.all():
        reach = int(BRIDGED * fps)
        present |= _gaps(present) <= reach
        bridged, known = _between(points, seen), seen | (_gaps(seen) <= reach)
        points = np.where(known[..., None], bridged, 0)
        if (present[..., None] & ~known).any():
            points = _completed(points, known, present, layout)
        points = np.where(present[..., None, None], points, 0)
    if not points.any():
        raise NobodyError
    return points.astype(np.float32), confidence


def ever_found(confidence: Array) -> Array | None:
    """(V,) bool, which joints were found in any frame (T, M, V); None if all were."""
    found: Array = np.any(confidence, axis=(0, 1))
    return None if found.all() else found


def _completed(points: Array, known: Array, present: Array, layout: Layout) -> Array:
    """Places unknown joints of present bodies relative to their parents, the root relative to the others."""
    points = points.copy()
    count = known.sum(axis=-1)
    # Unknown joints are still zero, so this is the sum of the known ones.
    middle = _between(points.sum(axis=-2) / np.maximum(count, 1)[..., None], count > 0)
    for joint in layout.topological:
        parent = layout.parents[joint]
        base = middle if parent == -1 else points[:, :, parent]
        mine = known[:, :, joint]
        offset = _between(points[:, :, joint] - base, mine & present)
        points[:, :, joint] = np.where((mine | ~present)[..., None], points[:, :, joint], base + offset)
    return points


def _around(known: Array) -> tuple[Array, Array]:
    """(T, ...) → the last known frame up to each, or -1; the first known frame from each on, or T."""
    clock = np.arange(len(known)).reshape(-1, *[1] * (known.ndim - 1))
    before = np.maximum.accumulate(np.where(known, clock, -1), axis=0)
    after = np.minimum.accumulate(np.where(known, clock, len(known))[::-1], axis=0)[::-1]
    return before, after


def _gaps(known: Array) -> Array:
    """(T, ...) → length of the gap around each frame: 0 where known, infinite at both ends of the clip."""
    before, after = _around(known)
    inside = (before >= 0) & (after < len(known))
    return np.where(known, 0, np.where(inside, after - before - 1, np.iinfo(np.int64).max))


def _between(values: Array, known: Array) -> Array:
    """(T, ..., C) values, linear between known frames (T, ...), constant at the ends; zero if never known."""
    before, after = _around(known)
    first = np.where(before < 0, after, before)
    last = np.where(after == len(known), before, after)
    never: Array = ~np.any(known, axis=0)
    clock = np.arange(len(known)).reshape(-1, *[1] * (known.ndim - 1))
    weight = np.where(last > first, (clock - first) / np.maximum(last - first, 1), 0)[..., None]
    first, last = (np.where(never, 0, each)[..., None] for each in (first, last))
    start, end = (np.take_along_axis(values, each, axis=0) for each in (first, last))
    result = start * (1 - weight) + end * weight
    return np.where(never[..., None], 0, result).astype(np.float32)
