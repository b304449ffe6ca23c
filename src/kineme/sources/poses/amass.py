"""AMASS and other motions of SMPL bodies: `.npz` with `poses`, `trans`, `betas` and `mocap_framerate`.

SMPL-X's have `root_orient` and `pose_body` beside the `poses`, or instead of them. Such a file has rotations
and no places: these need the body model, see `smpl.py`. AMASS has z up.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kineme.sources.poses.arrays import STANDING, Poses, check_size, load_npz, split_columns
from kineme.sources.poses.smpl import LAYOUT, read_body_model
from kineme.sources.raw import RemediedError
from kineme.typing import Array

_RATES = ("mocap_framerate", "mocap_frame_rate", "fps")
_PARTS = ("root_orient", "pose_body")  # what poses begin with
_NUMBERS = 3 * LAYOUT.num_joints  # of a frame's poses; what follows are hands and face


def is_amass(names: set[str]) -> bool:
    """Whether an .npz file with these arrays is one."""
    return {"poses", "trans"} <= names or {*_PARTS, "trans"} <= names


def amass_poses(data: bytes, body_model: Path | None) -> Poses:
    """The bytes of a file → its clip of 22 joints.

    Raises:
        ValueError: there is no body model, or the arrays are not those of a motion.
        KinemeError: the body model cannot be read.
    """
    if body_model is None:
        raise RemediedError(
            "holds rotations of an SMPL body (AMASS), and no joints",
            "download the body model from https://smpl.is.tue.mpg.de and name its file with `body_model`",
        )
    arrays = load_npz(data, ("poses", *_PARTS, "trans", "betas"))
    trans = _numbers(arrays.get("trans"), "trans", 2)
    given = ("poses",) if "poses" in arrays else _PARTS
    parts = [_numbers(arrays.get(name), name, 2) for name in given]
    if len({len(part) for part in parts}) > 1:
        raise ValueError(
            f"has {' and '.join(given)} of {' and '.join(str(len(part)) for part in parts)} frames"
        )
    poses = np.concatenate(parts, axis=1)
    betas = _numbers(arrays["betas"], "betas", 1) if "betas" in arrays else np.zeros(0)
    if poses.shape[1] < _NUMBERS or trans.shape != (len(poses), 3):
        raise ValueError(
            f"has poses of shape {poses.shape} and trans of {trans.shape}; expected (T, 66 or more)"
        )
    check_size(len(poses), 1, LAYOUT.num_joints, 3)
    rotations = poses[:, :_NUMBERS].reshape(len(poses), LAYOUT.num_joints, 3)
    points = read_body_model(body_model).places(rotations, trans, betas)
    placed, _ = split_columns(points[:, None], scores=False)
    axes = "z-up" if amass_notes(data) else STANDING
    return Poses(placed, None, LAYOUT.joints, scale=1.0, axes=axes)


def amass_notes(data: bytes) -> dict[str, Any]:
    """The frame rate, if the file has one."""
    found = load_npz(data, _RATES)
    rates = [float(array.item()) for array in found.values() if array.size == 1 and array.dtype.kind in "fiu"]
    return {"fps": rates[0]} if rates else {}


def _numbers(array: Array | None, name: str, dimensions: int) -> Array:
    if array is None or array.ndim != dimensions or array.dtype.kind not in "fiu":
        raise ValueError(f"its array {name!r} is not one of numbers with {dimensions} dimensions")
    values: Array = array.astype(np.float64)
    if not (np.abs(values) < 1e6).all():
        raise ValueError(f"its array {name!r} contains infinite or missing numbers")
    return values
