"""What preprocessings ask of bodies: which are there, where they face, where their spine ends."""

from __future__ import annotations

import numpy as np

from kineme.errors import KinemeError
from kineme.layouts import Layout
from kineme.preprocessing.base import MAX_BODIES
from kineme.typing import Array


def first_bodies(xyz: Array) -> Array:
    """The first two bodies of (T, M, V, C) that are present in any frame."""
    return np.flatnonzero(xyz.any(axis=(0, 2, 3)))[:MAX_BODIES]


def spine_end(layout: Layout, preprocessing: str) -> list[int]:
    """Joints whose mean is the upper end of the lowest spine segment (NTU's spine_mid).

    It is the first joint on the path from the origin to where the shoulders meet. If the origin is not a
    single joint (COCO: between the hips), or they meet in it, the spine ends between the shoulders.
    """
    left, right = facing_joints(layout, preprocessing)
    if len(layout.origin) == 1:
        (start,) = layout.origin
        meeting = next(joint for joint in _upwards(layout, left) if joint in _upwards(layout, right))
        path = _upwards(layout, meeting)
        if start not in path:
            return [layout.parents[start]]
        if start != meeting:
            return [path[path.index(start) - 1]]
    return [left, right]


def _upwards(layout: Layout, joint: int) -> list[int]:
    """A joint and its ancestors, up to the root."""
    path = [joint]
    while layout.parents[path[-1]] != -1:
        path.append(layout.parents[path[-1]])
    return path


def facing_joints(layout: Layout, preprocessing: str) -> tuple[int, int]:
    """The left and the right shoulder; raises KinemeError if the layout names none."""
    if layout.facing is None:
        raise KinemeError(
            f"preprocessing {preprocessing} turns bodies by their shoulders, but layout {layout.name!r} "
            "names none; add 'facing' joints to the layout, or use plain"
        )
    return layout.facing


def shoulder_line(bodies: Array, layout: Layout, preprocessing: str) -> Array:
    """(..., V, C) → (..., C), from the left shoulder to the right."""
    left, right = facing_joints(layout, preprocessing)
    return bodies[..., right, :] - bodies[..., left, :]


def turned(xyz: Array, cos: Array, sin: Array) -> Array:
    """About the vertical axis: x' = x cos θ - z sin θ, z' = x sin θ + z cos θ."""
    x, y, z = np.moveaxis(xyz, -1, 0)
    return np.stack([x * cos - z * sin, y, x * sin + z * cos], axis=-1)
