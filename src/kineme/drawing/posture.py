"""The viewpoint of drawings: bodies upright, seen from the front and half from their right; or from above."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kineme.layouts import Layout
from kineme.typing import Array

Y_UP = (0.0, 1.0, 0.0)
ASIDE = 35.0  # degrees from the front, towards the body's right


def present(clip: Array) -> Array:
    """(T, M, V, C) → (T, M), which bodies are present; absent ones are zero or NaN throughout."""
    there: Array = np.any(np.nan_to_num(clip), axis=(2, 3))
    return there


def without_absent(clip: Array) -> Array:
    """(T, M, V, C) → (T, M', V, C) without the last bodies that are never there; M' is at least 1."""
    seen = np.flatnonzero(present(clip).any(axis=0))
    kept: Array = clip[:, : seen.max(initial=0) + 1]
    return kept


def lies_flat(clip: Array, up: Sequence[float] = Y_UP) -> bool:
    """Whether all joints of a clip (T, M, V, 3) are on the floor."""
    return not np.any(np.nan_to_num(clip) @ np.asarray(up))


def view_axes(clip: Array, layout: Layout, up: Sequence[float] = Y_UP) -> Array:
    """(3, 3) axes of the viewpoint on a clip's first body: to the right, up, towards the viewer.

    `points @ view_axes(...).T` are the points as seen. The body is seen from its front, which its shoulders
    tell, whichever way it faces; where the layout has no shoulders, along the clip's own axes. What lies on
    the floor, as in images taken from above, is seen from there, as in the image.

    Args:
        clip: (T, M, V, C), C = 3; NaN where a joint was not seen.
        layout: its joints.
        up: unit vector of the clip's axis that points up.
    """
    rise = np.asarray(up, dtype=float)
    to_right = np.roll(rise, -1)
    if lies_flat(clip, up):
        return np.stack([to_right, np.cross(rise, to_right), rise])
    if layout.facing is not None:
        left, right = (clip[present(clip)[:, 0], 0, joint] for joint in layout.facing)
        line = np.nan_to_num(right - left).sum(axis=0, dtype=float)
        level = line - (line @ rise) * rise
        if np.any(level):
            to_right = level / np.linalg.norm(level)
    turn = np.radians(ASIDE)
    across = -np.cos(turn) * to_right + np.sin(turn) * np.cross(rise, to_right)
    return np.stack([across, rise, np.cross(across, rise)])
