"""DeepLabCut and Lightning Pose: tables whose header has three rows, or four with individuals.

    scorer,      DLC_resnet50, DLC_resnet50, DLC_resnet50, ...
    individuals, mouse1,       mouse1,       mouse1, ...        (several animals)
    bodyparts,   snout,        snout,        snout, ...
    coords,      x,            y,            likelihood, ...
    0,           101.5,        220.1,        0.998, ...

The first columns are the frame, or the image of a labelled frame. Individuals are people; likelihood is the
confidence. The tree of the joints is not in these files. The `.h5` of DeepLabCut holds the same table.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kineme.sources.poses.arrays import Poses, check_size, renumber, split_columns
from kineme.sources.poses.headers import AXES
from kineme.sources.poses.images import frames_of
from kineme.sources.poses.rows import rows_of
from kineme.sources.raw import RemediedError, shown
from kineme.typing import Array

_LEVELS = ("scorer", "individuals", "bodyparts", "coords")
_UNIQUE = "single"  # the individual of body parts that are no animal's
Column = tuple[str, ...]


def is_deeplabcut(head: bytes) -> bool:
    """Whether a CSV begins like a table of DeepLabCut's."""
    first = head[:200].decode("utf-8-sig", errors="replace").split("\n", 1)[0]
    return first.split(",", 1)[0].strip().strip('"').lower() in _LEVELS


def deeplabcut_csv(data: bytes) -> Poses:
    """The bytes of the CSV → its clip. Raises ValueError."""
    rows = rows_of(data)
    levels: dict[str, list[str]] = {}
    while len(levels) < len(rows) and (level := rows[len(levels)][1][0].strip().lower()) in _LEVELS:
        if level in levels:
            raise ValueError(f"line {rows[len(levels)][0]}: the header has a second row {level!r}")
        levels[level] = [name.strip() for name in rows[len(levels)][1]]
    body = rows[len(levels) :]
    if "bodyparts" not in levels or "coords" not in levels:
        raise ValueError("has DeepLabCut's header without the rows 'bodyparts' and 'coords'")
    if not body:
        raise RemediedError("has a header but no frames", "remove it")
    width = len(levels["coords"])
    rows.check_width(width, "the row 'coords'")
    first = next((at for at, axis in enumerate(levels["coords"]) if axis.lower() in AXES), width)
    names = levels.get("individuals", [""] * width)
    columns = list(zip(names, levels["bodyparts"], levels["coords"], strict=True))[first:]
    values = body.floats(range(first, width))
    index = [row[first - 1].strip() if first else str(at) for at, (_, row) in enumerate(body)]
    return deeplabcut_poses(columns, values, index)


def deeplabcut_poses(columns: Sequence[Column], values: Array, index: Sequence[str | int]) -> Poses:
    """Individual, part and axis of columns, their (rows, columns) numbers, and the rows' frames → clip."""
    place: dict[tuple[str, str, int], int] = {}
    others: dict[str, None] = {}  # such as the variances of an ensemble
    for at, (individual, part, axis) in enumerate(columns):
        if axis.lower() not in AXES:
            others[axis] = None
        elif place.setdefault((individual, part, AXES[axis.lower()]), at) != at:
            raise ValueError(f"has {axis} of {shown(part)} twice")
    individuals = list(dict.fromkeys(individual for individual, _, _ in place))
    animals = [each for each in individuals if each != _UNIQUE] or individuals
    parts = list(dict.fromkeys(part for individual, part, _ in place if individual in animals))
    axes = sorted({number for _, _, number in place})
    if not {0, 1} <= set(axes):
        raise ValueError("has no columns of x and y")
    frame, frames, times = _frames(index)
    check_size(frames, len(animals), len(parts), len(axes))
    if len(np.unique(frame)) < len(frame):
        raise ValueError("has a frame twice")
    full = np.full((frames, len(animals), len(parts), len(axes)), np.nan)
    for (individual, part, number), at in place.items():
        if individual in animals:
            full[frame, animals.index(individual), parts.index(part), axes.index(number)] = values[:, at]
    points, confidence = split_columns(full, scores=3 in axes)
    return Poses(points, confidence, tuple(parts), "deeplabcut", times=times, unread=tuple(others))


def _frames(index: Sequence[str | int]) -> tuple[Array, int, Array | None]:
    if all(str(each).isdecimal() and len(str(each)) < 18 for each in index):
        frame, count = renumber([int(each) for each in index])
        return frame, count, None
    return frames_of(list(index))
