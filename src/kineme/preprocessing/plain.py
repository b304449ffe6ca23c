"""`plain`: centred, optionally turned to the front and scaled; any layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kineme.errors import KinemeError
from kineme.layouts import Layout
from kineme.preprocessing.base import Preprocessing, check_clip
from kineme.preprocessing.bodies import facing_joints, first_bodies, shoulder_line, turned
from kineme.typing import Array

_MEAN_BONE = 0.2  # metres: mean bone length of an adult in a Kinect's skeleton


@dataclass(frozen=True)
class Plain(Preprocessing):
    """The first two bodies, relative to the origin of the first.

    Args:
        centre: take the origin from each "frame" (the body stays in place) or from the first frame of the
            "clip" (it moves about). A frame without the first body uses the last origin before it.
        facing: turn the clip about the vertical axis so that the first body's shoulder line, summed over its
            frames, lies along x. One angle per clip: turns within it are kept.
        scale: scale the first body's mean bone length, median over its frames, to 0.2 m.

    >>> from kineme.layouts import Layout
    >>> stick = Layout.from_names("stick", ["hip", "head"], [None, "hip"])
    >>> clip = np.array([[[[1, 1, 3], [1, 1.5, 3]]]], dtype=np.float32)  # one frame of one body
    >>> Plain()(clip, stick).tolist(), Plain(scale=True).id
    ([[[[0.0, 0.0, 0.0], [0.0, 0.5, 0.0]]]], 'plain(scale=True)')
    """

    centre: Literal["frame", "clip"] = "frame"
    facing: bool = False
    scale: bool = False

    def joint_at_zero(self, layout: Layout) -> int | None:
        """The origin, where it is one joint and taken from each frame."""
        return layout.origin[0] if self.centre == "frame" and len(layout.origin) == 1 else None

    def units(self, raw: str) -> str:
        """Scaled clips are in mean bone lengths."""
        return f"{1 / _MEAN_BONE:g} mean bones" if self.scale else raw

    def turns_by(self, layout: Layout) -> Sequence[int]:
        """The shoulders, if it turns bodies to the front."""
        return facing_joints(layout, "plain(facing=True)") if self.facing else ()

    def apply(self, xyz: Array, layout: Layout) -> Array:
        """(T, M, V, C) → (T, M', V, C)."""
        check_clip(xyz, layout)
        return self.apply_to_part(xyz, layout, np.ones(layout.num_joints, dtype=bool))

    def apply_to_part(self, xyz: Array, layout: Layout, present: Array) -> Array:
        """As `apply`; the mean bone is one of those that have both ends."""
        xyz = xyz[:, first_bodies(xyz)]
        there: Array = np.any(xyz, axis=(2, 3))
        frames = np.flatnonzero(there[:, 0])
        lead = xyz[frames, 0]
        origin = lead[:, layout.origin].mean(axis=1)
        clock = np.arange(len(xyz)) if self.centre == "frame" else np.zeros(1)
        origin = origin[np.maximum(np.searchsorted(frames, clock, side="right") - 1, 0)]
        xyz = np.where(there[..., None, None], xyz - origin[:, None, None], 0)
        if self.facing:
            line = shoulder_line(lead, layout, "plain(facing=True)").sum(axis=0, dtype=np.float64)
            length = np.hypot(line[0], line[2])
            if length > 1e-6:
                xyz = turned(xyz, line[0] / length, -line[2] / length)
        if self.scale:
            child, parent = (
                np.array([bone for bone in layout.bones if present[list(bone)].all()]).reshape(-1, 2).T
            )
            if not len(child):
                raise KinemeError(f"no bone has both of its ends, and preprocessing {self.id} scales by them")
            size = np.median(np.linalg.norm(lead[:, child] - lead[:, parent], axis=-1).mean(axis=1))
            if size > 0:
                xyz = xyz * (_MEAN_BONE / size)
        return xyz
