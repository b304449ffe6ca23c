"""`agcn`: the two most energetic bodies, aligned by frame 0 (SCD-Net, USDRL, after 2s-AGCN)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kineme.layouts import Layout
from kineme.preprocessing.base import MAX_BODIES, Preprocessing
from kineme.preprocessing.bodies import facing_joints, shoulder_line, spine_end
from kineme.typing import Array


@dataclass(frozen=True)
class AGCN(Preprocessing):
    """The input of SCD-Net and USDRL: two bodies, gaps at the end filled, aligned by the first's frame 0.

    A body that appears late is moved to frame 0 and looped to the end.

    Deviation: the authors loop every clip to 300 frames; here it keeps its own length.

    >>> import kineme
    >>> clip = np.random.default_rng(0).normal(size=(80, 1, 25, 3)).astype(np.float32)
    >>> xyz = AGCN()(clip, kineme.get_layout("ntu25"))
    >>> shoulders = xyz[0, 0, 8] - xyz[0, 0, 4]
    >>> abs(shoulders / np.linalg.norm(shoulders)).round(3).tolist()  # along x in frame 0
    [1.0, 0.0, 0.0]
    """

    up: ClassVar[tuple[float, float, float]] = (0.0, 0.0, 1.0)  # the spine is turned along z
    keeps_frames: ClassVar[bool] = False
    keeps_zeros: ClassVar[bool] = True

    def joint_at_zero(self, layout: Layout) -> int | None:
        """The upper end of the lowest spine segment, if it is one joint."""
        joints = spine_end(layout, "agcn") if layout.facing else []
        return joints[0] if len(joints) == 1 else None

    def turns_by(self, layout: Layout) -> Sequence[int]:
        """The shoulders and the lowest spine segment."""
        return [*facing_joints(layout, "agcn"), *spine_end(layout, "agcn"), *layout.origin]

    def apply(self, xyz: Array, layout: Layout) -> Array:
        """(T, M, V, C) → (T, M', V, C)."""
        xyz = xyz[:, :4]
        bodies = sorted(np.moveaxis(xyz, 1, 0), key=_energy, reverse=True)
        xyz = np.stack([_filled(body) for body in bodies[:MAX_BODIES]], axis=1)
        top = xyz[:, 0, spine_end(layout, "agcn")].mean(axis=1)
        up = top[0] - xyz[0, 0, layout.origin].mean(axis=0)
        xyz = np.where(xyz.any(axis=-1, keepdims=True), xyz - top[:, None, None], 0)
        xyz = xyz @ _rotation_to(up, np.array([0.0, 0.0, 1.0])).T
        across = shoulder_line(xyz[0, 0], layout, "agcn")
        return xyz @ _rotation_to(across, np.array([1.0, 0.0, 0.0])).T


def _energy(body: Array) -> float:
    """(T, V, C) → the standard deviation over present frames and joints, summed over x, y, z."""
    present = body[body.any(axis=(1, 2))]
    return float(present.std(axis=(0, 1), dtype=np.float64).sum()) if len(present) else 0.0


def _filled(body: Array) -> Array:
    """(T, V, C) from its first present frame on, trailing absent frames filled by looping the others.

    Gaps inside are closed if the body starts late, and kept if it does not, as in 2s-AGCN.
    """
    present = np.flatnonzero(body.any(axis=(1, 2)))
    if len(present) == 0:
        return body
    kept = body[present] if present[0] > 0 else body[: present[-1] + 1]
    return kept[np.arange(len(body)) % len(kept)]


def _rotation_to(vector: Array, target: Array) -> Array:
    """(3, 3) rotation of a vector into the direction of a unit vector, about their cross product.

    The identity if the axis is undefined: the vector is zero, parallel or antiparallel.
    """
    vector = vector.astype(np.float64)
    axis = np.cross(vector, target)
    length = np.linalg.norm(axis)
    if length < 1e-6:
        return np.eye(3)
    cos = np.clip(vector @ target / np.linalg.norm(vector), -1, 1)
    if np.arccos(cos) < 1e-6:
        return np.eye(3)
    x, y, z = axis / length
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    rotation: Array = np.eye(3) + np.sqrt(1 - cos**2) * cross + (1 - cos) * cross @ cross
    return rotation
