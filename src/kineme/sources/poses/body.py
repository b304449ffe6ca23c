"""What a body tells of its file: how tall it is, in which unit, which axis is up, and which side is left."""

from __future__ import annotations

import numpy as np

from kineme.layouts import Layout
from kineme.layouts.correspondence import anatomical_points
from kineme.sources.poses.tracking import sizes
from kineme.typing import Array

LOW, HIGH = 0.75, 2.6  # metres; who is smaller or taller has another unit, or is no grown person
_TALL = 1.7  # metres
_SPAN = 1.4  # the longest way through the skeleton of a rig, from a foot to a hand, per stature
# Metres of a unit, and its name. The CMU library's unit is an inch divided by 0.45.
_UNITS = {1.0: "m", 0.01: "cm", 0.001: "mm", 0.0254: "in", 0.0254 / 0.45: "0.0564 m (CMU)"}
_TOPS = ("head top", "head", "head base", "nose", "neck", "neck base", "shoulder")
_BOTTOMS = ("foot", "toes", "heel", "ankle", "knee", "hip", "pelvis")
_CLEAR = 0.5  # share of the way from feet to head that lies along one axis, at least
# What is in front of what, in every person.
_AHEAD = (
    *(
        (f"{side} {toes}", f"{side} ankle")
        for side in ("left", "right")
        for toes in ("toes", "big toe", "foot")
    ),
    ("nose", "left ear"),
    ("nose", "right ear"),
)
_AGREE = 0.9  # share of frames and pairs of joints that have to agree
_ENOUGH = 10  # frames that show them


def stature(points: Array, layout: Layout) -> float:
    """About how tall the bodies (T, M, V, C) of an animation rig are, in the units of the file; NaN if
    unseen.

    From the lengths of bones, so that it does not matter whether they stand or sit.
    """
    child, parent = np.array(layout.bones).T
    step = np.linalg.norm(points[:, :, child] - points[:, :, parent], axis=-1).reshape(-1, len(child))
    seen = np.isfinite(step).any(axis=0)
    lengths = np.zeros(len(child))
    lengths[seen] = np.nanmedian(step[:, seen], axis=0)
    bone = dict(zip(child.tolist(), lengths.tolist(), strict=True))
    longest = [0.0] * layout.num_joints  # way from each joint to its farthest leaf
    span = 0.0
    for joint in reversed(layout.topological):
        ways = sorted(
            (longest[below] + bone[below] for below, above in layout.bones if above == joint), reverse=True
        )
        longest[joint] = ways[0] if ways else 0.0
        span = max(span, sum(ways[:2]))
    return span / _SPAN if seen.any() else float("nan")


def tallest(points: Array) -> float | None:
    """The longest side of the box around a body (T, M, V, C), in all but the largest 5 % of frames."""
    found = sizes(points)
    found = found[np.isfinite(found) & (found > 0)]
    return float(np.percentile(found, 95)) if found.size else None


def guessed_scale(points: Array, layout: Layout) -> tuple[float, str]:
    """Metres of the unit in which the bodies are nearest to 1.7 m tall, and its name."""
    tall = stature(points, layout)
    if not tall > 0:
        return 1.0, "m"
    scale = min(_UNITS, key=lambda each: abs(np.log(tall * each / _TALL)))
    return scale, _UNITS[scale]


def upright(points: Array, layout: Layout) -> str | None:
    """Which way is up, as of `axes`, from where heads and feet are; None if that cannot be told."""
    places = anatomical_points(layout)
    kinds = [(point or "").removeprefix("left ").removeprefix("right ") for point in places]
    ends = []
    for wanted in (_TOPS, _BOTTOMS):
        kind = next((each for each in wanted if each in kinds), None)
        if kind is None:
            return None
        ends.append(points[:, :, [each == kind for each in kinds]].mean(axis=2))
    way = (ends[0] - ends[1]).reshape(-1, points.shape[-1])
    way = way[np.isfinite(way).all(axis=-1)]
    length = np.linalg.norm(way, axis=-1, keepdims=True)
    if not (length > 0).any():
        return None
    mean = np.mean(way[length[:, 0] > 0] / length[length[:, 0] > 0], axis=0)
    axis = int(np.argmax(np.abs(mean)))
    if abs(mean[axis]) < _CLEAR:
        return None
    return f"{'xyz'[axis]}-{'up' if mean[axis] > 0 else 'down'}"


def mirrored(points: Array, layout: Layout) -> bool | None:
    """Whether bodies (T, M, V, 3) are mirror images of people; None if that cannot be told.

    Whoever has their left at the viewer's right faces the viewer, and so do their toes and their nose. This
    holds however the coordinates are turned, and not in a mirror.
    """
    at = {point: points[:, :, joint] for joint, point in enumerate(anatomical_points(layout))}
    if not {f"{side} {part}" for side in ("left", "right") for part in ("hip", "shoulder")} <= {*at}:
        return None
    across = at["left hip"] - at["right hip"] + at["left shoulder"] - at["right shoulder"]
    up = at["left shoulder"] + at["right shoulder"] - at["left hip"] - at["right hip"]
    forwards = np.cross(across, up)
    ahead = [at[front] - at[back] for front, back in _AHEAD if front in at and back in at]
    along = np.array([(forwards * way).sum(axis=-1) for way in ahead])
    clear = np.isfinite(along) & (along != 0)
    if not ahead or clear.any(axis=(0, 2)).sum() < _ENOUGH:
        return None
    share = float(np.mean(along[clear] > 0))
    return None if 1 - _AGREE < share < _AGREE else share < _AGREE
