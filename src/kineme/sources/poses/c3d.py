"""C3D, the files of Vicon, Qualisys, OptiTrack, Motion Analysis and Theia3D: markers, or poses of segments.

Markers that a frame does not show (residual below 0) are gaps. Points that are no places are left out:
angles, forces, moments, powers and scalars by the type groups of POINT, and markers that have only a number.
People are told apart by the prefix of their labels, 'anna:LASI'. Poses of segments (Theia3D) give the place
where each segment begins, under its name without '_4X4'.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from kineme.sources.poses.arrays import Poses, check_size
from kineme.sources.poses.c3d_file import C3DFile, open_c3d
from kineme.sources.poses.markers import people
from kineme.sources.raw import RemediedError, shown
from kineme.typing import Array

MAX_C3D_BYTES = 1 << 32
_NO_PLACES = ("ANGLES", "FORCES", "MOMENTS", "POWERS", "SCALARS", "REACTIONS", "ROTATIONS")
_UNITS = {"mm": 0.001, "cm": 0.01, "dm": 0.1, "m": 1.0, "in": 0.0254, "meters": 1.0, "millimeters": 0.001}
_SEGMENT = re.compile(r"(.+?)_4x4", re.IGNORECASE)


def c3d_poses(buffer: Array) -> Poses:
    """The bytes of a C3D file, as an array or memory map → its clip.

    Raises:
        ValueError: they are no C3D file, it is damaged, or it has neither markers nor segments.
    """
    file = open_c3d(buffer)
    names, points = _markers(file)
    if not names:
        names, points = _segments(file)
    if not names:
        raise RemediedError("has no markers with names, and no poses of segments", "label its markers")
    return people(names, points, scale=_scale(file))


def c3d_notes(data: bytes) -> dict[str, Any]:
    """The frame rate. `data` may end anywhere after the parameters."""
    file = open_c3d(np.frombuffer(data, np.uint8))
    segments = file.texts("ROTATION", "LABELS") and not _labels(file)
    rate = file.number("ROTATION", "RATE", file.rate * file.ratio) if segments else file.rate
    return {"fps": round(rate, 3)} if rate > 0 else {}  # 59.94 and such stay, 69.9926147 is 69.993


def _labels(file: C3DFile) -> dict[int, str]:
    """Point → label, of those that are places and have a name."""
    others = {label for group in _NO_PLACES for label in file.texts("POINT", group)}
    others |= {label.rpartition(":")[2] for label in others}
    kept: dict[int, str] = {}
    for number, label in enumerate(file.texts("POINT", "LABELS")):
        bare = label.rpartition(":")[2]
        if bare and not bare.startswith("*") and not {label, bare} & others and label not in kept.values():
            kept[number] = label
    return kept


def _markers(file: C3DFile) -> tuple[list[str], Array]:
    labels = _labels(file)
    points, measured = file.points()
    chosen = [number for number in labels if number < points.shape[1]]
    if not chosen:
        return [], points
    check_size(len(points), 1, max(len(chosen), 2), 3)
    measured = measured[:, chosen]
    measured &= (points[:, chosen] != 0).any(axis=-1)
    places = np.where(measured[..., None], points[:, chosen], np.float32(np.nan))
    return [labels[number] for number in chosen], places


def _segments(file: C3DFile) -> tuple[list[str], Array]:
    poses = file.rotations()
    labels = file.texts("ROTATION", "LABELS")[: poses.shape[1]]
    if labels:
        check_size(len(poses), 1, max(len(labels), 2), 3)
    found = {
        match[1]: number
        for number, label in enumerate(labels)
        if (match := _SEGMENT.fullmatch(label.strip()))
    }
    found.pop("worldbody", None)
    return list(found), poses[..., :3, 3][:, list(found.values())]


def _scale(file: C3DFile) -> float:
    """Metres per unit."""
    units = (file.texts("POINT", "UNITS") or ["mm"])[0].lower() or "mm"
    if units not in _UNITS:
        raise ValueError(f"is in {shown(units)}; expected {', '.join(_UNITS)}")
    return _UNITS[units]
