"""MATLAB files of one clip: an array of places, with or without names of joints; and Qualisys' exports.

MATLAB's order of axes is its users' choice. Usual are (frames, joints, 3); (joints, 3, frames), as UTD-MHAD
has it; and (3, joints, frames), as JHMDB has it. Which one a file has is told by the axis of three (or two)
coordinates and, as far as it is known, by the number of joints.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from kineme.layouts import Layout
from kineme.sources.matlab import is_hdf5, matlab_variables
from kineme.sources.poses.about import rate_said
from kineme.sources.poses.arrays import KEYS, Poses, array_poses
from kineme.sources.poses.hdf5 import matlab_arrays
from kineme.sources.poses.keypoints import by_name
from kineme.sources.poses.markers import people
from kineme.sources.raw import RemediedError, shown
from kineme.typing import Array

logger = logging.getLogger(__name__)

MAX_MAT_BYTES = 1 << 29
# Which axes of the file are frames, joints and coordinates: the usual orders, then the others.
_USUAL = ((0, 1, 2), (2, 0, 1), (2, 1, 0))
_OTHER = ((1, 0, 2), (0, 2, 1), (1, 2, 0))
_NAMES = "jointnames keypointnames landmarknames markernames joints labels names markers".split()
_Variables = Mapping[str, Any]


def mat_poses(data: bytes, scores: bool, layout: Layout | None) -> Poses:
    """The bytes of a MATLAB file → its clip.

    Raises:
        KinemeError: the file is of version 7.3, and h5py is not installed.
        ValueError: it is damaged, has no array of places or several, or its axes are not clear.
    """
    found = _variables(data)
    for value in found.values():
        if isinstance(value, Mapping) and "Trajectories" in value:
            return _qualisys(value)
    name, values = _places(found)
    joints = _joints(found, values)
    count = len(joints) if joints else layout.num_joints if layout else None
    if values.ndim == 3:
        values = _in_order(name, values, count)
    poses = array_poses(values, None, scores)
    return replace(poses, joints=joints if len(joints) == poses.points.shape[2] else ())


def mat_notes(data: bytes) -> dict[str, Any]:
    """Label, subject and fps, if given. Raises ValueError as `mat_poses`."""
    found = _variables(data)
    scalars = {name: _scalar(value) for name, value in found.items()}
    notes = {name: scalars[name] for name in ("label", "subject") if scalars.get(name) is not None}
    inside = [each for each in found.values() if isinstance(each, Mapping)]
    for each in (scalars, *({name: _scalar(value) for name, value in one.items()} for one in inside)):
        rate = rate_said(each)
        if rate is not None:
            return notes | {"fps": rate}
    return notes


def _variables(data: bytes) -> _Variables:
    return matlab_arrays(data) if is_hdf5(data) else matlab_variables(data, MAX_MAT_BYTES)


def _scalar(value: Any) -> Any:
    """A number or text; None of all else."""
    if isinstance(value, np.ndarray):
        return value.item() if value.size == 1 else None
    return value if isinstance(value, str) else None


def _walked(value: Any, name: str) -> Iterator[tuple[str, Array]]:
    """The arrays of numbers in a variable, by their names as MATLAB writes them."""
    if isinstance(value, Mapping):
        for field, inner in value.items():
            yield from _walked(inner, f"{name}.{field}" if name else field)
    elif isinstance(value, np.ndarray):
        yield name, value


def _places(found: _Variables) -> tuple[str, Array]:
    """The array of places: the only one of three axes or more, or the one that is called `xyz`."""
    arrays = dict(_walked(found, ""))
    fitting = {name: each for name, each in arrays.items() if each.ndim > 2 and each.dtype.kind in "fiu"}
    named = {name: each for name, each in fitting.items() if name.split(".")[-1].lower() in KEYS}
    chosen = named or fitting
    if len(chosen) == 1:
        return next(iter(chosen.items()))
    listed = ", ".join(f"{name} {each.shape}" for name, each in (chosen or arrays).items())[:200] or "none"
    listed = listed if listed.isprintable() else shown(listed)
    if not chosen:
        expected = "save the places as (frames, joints, 3)"
        raise RemediedError(f"has no array of three axes; its arrays are {listed}", expected)
    several = f"has {len(chosen)} arrays that may be places: {listed}"
    raise RemediedError(several, f"call that of the joints {KEYS[0]}, or save it alone")


def _joints(found: _Variables, values: Array) -> tuple[str, ...]:
    """Names of the joints, where a cell has as many texts as the array has on an axis."""
    told = by_name(found)
    for listed in (told[name] for name in _NAMES if name in told):
        texts = listed.splitlines() if isinstance(listed, str) else listed
        if isinstance(texts, list) and len(texts) > 1 and all(isinstance(each, str) for each in texts):
            names = tuple(each.strip() for each in texts)
            if len(names) in values.shape and len({*names} - {""}) == len(names):
                return names
    return ()


def _in_order(name: str, values: Array, joints: int | None) -> Array:
    """An array of three axes → (frames, joints, coordinates)."""
    for wanted in (3, 2, 4):
        for orders in (_USUAL, _OTHER):
            fitting = [
                order
                for order in orders
                if values.shape[order[2]] == wanted
                and joints in (None, values.shape[order[1]])
                and (wanted < 4 or order[2] == 2)  # only where they are last is a fourth a confidence
            ]
            if len(fitting) > 1:
                raise RemediedError(
                    f"{shown(name)} has shape {values.shape}; which axis is frames, joints and coordinates "
                    "is not clear",
                    "save it as (frames, joints, 3), or name the layout of its joints with `layout`",
                )
            if fitting:
                if fitting[0] != _USUAL[0]:
                    kinds = dict(zip(fitting[0], ("frames", "joints", "coordinates"), strict=True))
                    told = ", ".join(kinds[axis] for axis in range(3))
                    logger.info("%s is read as (%s)", name, told, extra={"once": True})
                return values.transpose(fitting[0])
    of = f" of {joints} joints" if joints else ""
    expected = "(frames, joints, 3), (joints, 3, frames) or (3, joints, frames)"
    raise RemediedError(
        f"{shown(name)} has shape {values.shape}; expected places{of} as {expected}", "save it so"
    )


def _qualisys(measured: _Variables) -> Poses:
    """What Qualisys' QTM exports: labelled markers in millimetres, (markers, x y z residual, frames)."""
    labeled = measured["Trajectories"]
    labeled = labeled.get("Labeled") if isinstance(labeled, Mapping) else None
    if not isinstance(labeled, Mapping):
        raise RemediedError("has no labelled trajectories", "label its markers in QTM")
    names, places = labeled.get("Labels"), labeled.get("Data")
    names = [names] if isinstance(names, str) else names
    if not isinstance(places, np.ndarray) or not isinstance(names, list):
        raise ValueError("has labelled trajectories without labels or places")
    places = places[..., None] if places.ndim == 2 else places  # MATLAB drops a last axis of one
    named = all(isinstance(name, str) for name in names)
    if not named or places.dtype.kind not in "fiu" or places.ndim != 3 or places.shape[:1] != (len(names),):
        raise ValueError(f"has {len(names)} labels, and places of shape {places.shape}")
    if places.shape[1] not in (3, 4):
        raise ValueError(f"has places of shape {places.shape}; expected (markers, x y z residual, frames)")
    return people(names, places[:, :3].transpose(2, 0, 1), scale=0.001)
