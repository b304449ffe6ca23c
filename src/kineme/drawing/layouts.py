"""Layouts as pictures: a standing figure of each, seen from the front."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from kineme.drawing.style import INK, LEFT, MIDDLE, RIGHT, new_figure, save
from kineme.layouts import Layout
from kineme.layouts.correspondence import anatomical_points
from kineme.typing import Array

COLUMNS = 5
# Where points of the body are, in metres; those of the left side, which the reader sees on the right.
_MIDDLE = {
    "pelvis": 0.95, "lumbar": 0.97, "lower spine": 1.07, "middle spine": 1.18, "chest": 1.32,
    "neck base": 1.44,
    "neck": 1.51, "head base": 1.55, "nose": 1.60, "head": 1.64, "head top": 1.76,
}  # fmt: skip
_LEFT = {
    "inner eye": (0.015, 1.635), "eye": (0.035, 1.64), "outer eye": (0.055, 1.635), "ear": (0.08, 1.62),
    "mouth": (0.025, 1.56), "collar": (0.06, 1.41), "shoulder": (0.18, 1.40), "elbow": (0.37, 1.19),
    "forearm": (0.44, 1.11), "wrist": (0.55, 1.0), "hand": (0.61, 0.93), "index": (0.64, 0.92),
    "pinky": (0.60, 0.88), "thumb": (0.60, 0.98), "hand tip": (0.67, 0.86), "hip bone": (0.03, 0.94),
    "hip": (0.10, 0.90), "knee": (0.13, 0.50), "ankle": (0.15, 0.10), "heel": (0.14, 0.03),
    "foot": (0.19, 0.05),
    "toes": (0.22, 0.03), "big toe": (0.21, 0.0), "small toe": (0.26, 0.01),
}  # fmt: skip
_STEP = 0.03  # from a joint to one that is no point of the body, such as a finger's
_FACE = 0.11  # radius of the ring on which many of them are drawn


def layout_figure(layouts: Sequence[Layout], path: Path) -> None:
    """Draws layouts side by side; one alone is drawn large, with the names of its joints.

    Args:
        layouts: which.
        path: of the PNG or SVG.
    """
    columns = min(len(layouts), COLUMNS)
    rows = -(-len(layouts) // columns)
    alone = len(layouts) == 1
    figure = new_figure(9 if alone else 2.4 * columns, 9 if alone else 3.3 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, layout in zip(panels, layouts, strict=False):
        _draw(axes, layout, names=alone)
    for axes in panels[len(layouts) :]:
        axes.set_axis_off()
    save(figure, path)


def standing(layout: Layout) -> Array:
    """(V, 2) places of a layout's joints in a standing figure, x to the reader's right, y up, in metres."""
    places = np.full((layout.num_joints, 2), np.nan)
    for joint, point in enumerate(anatomical_points(layout)):
        side, _, name = (point or "").partition(" ")
        if point in _MIDDLE:
            places[joint] = 0, _MIDDLE[point]
        elif side in ("left", "right") and name in _LEFT:
            x, y = _LEFT[name]
            places[joint] = x if side == "left" else -x, y
    if np.isnan(places[layout.root]).any():
        places[layout.root] = 0, _MIDDLE["pelvis"]
    for joint in layout.topological:
        parent = layout.parents[joint]
        if np.isnan(places[joint]).any():
            places[joint] = _beyond(layout, places, joint, parent)
    return places


def _beyond(layout: Layout, places: Array, joint: int, parent: int) -> Array:
    """A place near the parent's: on a ring, in a fan, or straight on."""
    siblings = [child for child, above in layout.bones if above == parent]
    place = siblings.index(joint)
    if len(siblings) > 12:
        angle = 2 * np.pi * place / len(siblings)
        ring: Array = places[parent] + _FACE * np.array([np.cos(angle), np.sin(angle)])
        return ring
    above = layout.parents[parent]
    way = places[parent] - places[above] if above != -1 else np.array([0.0, 1.0])
    way = way / max(float(np.linalg.norm(way)), 1e-6)
    side = -1 if places[parent][0] < 0 else 1
    turn = side * np.radians(22) * (place - (len(siblings) - 1) / 2)
    cos, sin = np.cos(turn), np.sin(turn)
    step: Array = _STEP * np.array([cos * way[0] - sin * way[1], sin * way[0] + cos * way[1]])
    return np.asarray(places[parent] + step)


def _draw(axes: Axes, layout: Layout, *, names: bool) -> None:
    places = standing(layout)
    colours = [MIDDLE] * layout.num_joints
    for left, right in layout.mirrored:
        colours[left], colours[right] = LEFT, RIGHT
    for child, parent in layout.bones:
        axes.plot(*places[[child, parent]].T, color=colours[child], linewidth=1.5, zorder=1)
    axes.scatter(places[:, 0], places[:, 1], s=9, c=colours, linewidths=0, zorder=2)
    if names and layout.num_joints <= 40:
        for joint, (x, y) in enumerate(places):
            side = "right" if x < 0 else "left"
            axes.annotate(
                layout.joints[joint], (x, y), (-6 if x < 0 else 6, 0), textcoords="offset points",
                ha=side, va="center", fontsize=7, color=INK,
            )  # fmt: skip
    axes.set_title(f"{layout.name} ({layout.num_joints})", fontsize=10, color=INK)
    axes.set_aspect("equal")
    axes.set_xlim(-0.85, 0.85)
    axes.set_axis_off()
