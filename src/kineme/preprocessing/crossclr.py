"""`crossclr`: 50 frames, each body centred and turned frame by frame (AimCLR, after CrossCLR)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kineme.errors import KinemeError
from kineme.layouts import Layout
from kineme.preprocessing.base import MAX_BODIES, Preprocessing
from kineme.preprocessing.bodies import facing_joints, shoulder_line, turned
from kineme.typing import Array


@dataclass(frozen=True)
class CrossCLR(Preprocessing):
    """AimCLR's input: 50 frames, each body centred and turned to the front frame by frame.

    As in the authors' arrays, absent frames at the start cost as many frames at the end, and the 1e-4 in the
    angle leaves the shoulders a little off the axis (25° on one NTU recording).

    >>> import kineme
    >>> clip = np.random.default_rng(0).normal(size=(80, 1, 25, 3)).astype(np.float32)
    >>> xyz = CrossCLR()(clip, kineme.get_layout("ntu25"))
    >>> xyz.shape, abs(xyz[:, 0, 20]).max().item()  # the centre is at the origin in every frame
    ((50, 1, 25, 3), 0.0)
    """

    keeps_frames: ClassVar[bool] = False

    def joint_at_zero(self, layout: Layout) -> int | None:
        """The centre, of every body."""
        return layout.centre

    def turns_by(self, layout: Layout) -> Sequence[int]:
        """The shoulders, and the centre about which they turn."""
        return [*facing_joints(layout, "crossclr"), layout.centre]

    def apply(self, xyz: Array, layout: Layout) -> Array:
        """(T, M, V, C) → (50, M', V, C)."""
        xyz = xyz[:, :MAX_BODIES]
        kept = int(xyz[:, 0].any(axis=(1, 2)).sum())
        if kept == 0:
            raise KinemeError("the first body is absent from every frame; leave the clip out")
        xyz = _resize((xyz - xyz[:, :, layout.centre, None])[:kept], 50)
        line = shoulder_line(xyz, layout, "crossclr")
        cos = line[..., 0] / (np.hypot(line[..., 0], line[..., 2]) + 1e-4)
        sin = np.sqrt(1 - cos**2) * np.where(line[..., 2].sum(axis=0) >= 0, -1, 1)
        return turned(xyz, cos[..., None], sin[..., None])


def _resize(xyz: Array, frames: int) -> Array:
    """Linear in time; half-pixel centres, edges clamped, no antialias."""
    at = np.clip((np.arange(frames) + 0.5) * len(xyz) / frames - 0.5, 0, len(xyz) - 1)
    below = at.astype(np.int64)
    above = np.minimum(below + 1, len(xyz) - 1)
    weight = (at - below)[:, None, None, None]
    return xyz[below] * (1 - weight) + xyz[above] * weight
