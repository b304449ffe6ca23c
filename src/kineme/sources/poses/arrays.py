"""NumPy files of one clip: `.npy`, or `.npz` with `xyz` (or `keypoints`) and what else is known.

No array is built before its header was read: one that claims more numbers than the file has bytes, or than a
clip can have, is refused, and so is a pickle.
"""

from __future__ import annotations

import io
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from kineme.sources.poses.recorded import (
    MAX_NUMBERS,
    Poses,
    apart,
    as_confidence,
    check_size,
    shown,
    without_unseen,
)
from kineme.typing import Array

MAX_BYTES = 8 * MAX_NUMBERS + (1 << 16)
_BROKEN = (
    OSError, EOFError, NotImplementedError, RuntimeError, SyntaxError, TypeError, KeyError, OverflowError,
    MemoryError, zipfile.BadZipFile, zlib.error, tokenize.TokenError,
)  # fmt: skip
KEYS = ("xyz", "keypoints")
NOTES = ("label", "subject", "fps")


def npy_poses(data: bytes, scores: bool) -> Poses:
    """The bytes of a .npy file → its clip.

    Raises:
        ValueError: they are none, or the array is no clip; the message tells what it is.
    """
    return array_poses(load_npy(data), None, scores)


def npz_poses(data: bytes, scores: bool) -> Poses:
    """The bytes of an .npz file → its clip. Raises ValueError as `npy_poses`."""
    arrays = load_npz(data, (*KEYS, "confidence"))
    key = next((key for key in KEYS if key in arrays), None)
    if key is None:
        raise ValueError(f"lacks the array {KEYS[0]!r} (or {KEYS[1]!r})")
    return array_poses(arrays[key], arrays.get("confidence"), scores)


def npz_notes(data: bytes) -> dict[str, Any]:
    """Label, subject and fps of an .npz file, as far as it has them. Raises ValueError as `npy_poses`."""
    return {name: array.item() for name, array in load_npz(data, NOTES).items() if array.size == 1}


def array_poses(values: Array, confidence: Array | None, scores: bool) -> Poses:
    """(T, V, 2 to 4) or (T, M, V, 2 to 4) numbers → the clip.

    Raises:
        ValueError: another shape, no numbers, too many, or infinite ones.
    """
    if values.dtype.kind not in "fiu" or values.ndim not in (3, 4):
        raise ValueError(
            f"is {values.dtype.name} of shape {values.shape}; expected numbers, (frames, joints, 2 or 3) or "
            "(frames, people, joints, 2 or 3)"
        )
    values = values if values.ndim == 4 else values[:, None]
    check_size(*values.shape)
    points, last = apart(values, scores)
    if confidence is not None:
        if confidence.dtype.kind not in "fiub":
            raise ValueError(f"'confidence' is {confidence.dtype.name}; expected numbers")
        if confidence.size != points[..., 0].size or confidence.shape[0] != len(points):
            raise ValueError(
                f"'confidence' has shape {confidence.shape}; expected a number for each joint, "
                f"{points.shape[:-1]}"
            )
        last = as_confidence(confidence.reshape(points.shape[:-1]))
        points = without_unseen(points, last)
    return Poses(points, last)


def load_npz(data: bytes, names: tuple[str, ...]) -> Mapping[str, Array]:
    """Those of the named arrays that are there; of others not a byte is unpacked."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = set(archive.namelist())
            wanted = {name: f"{name}.npy" for name in names if f"{name}.npy" in members}
            found = {}
            for name, member in wanted.items():
                with archive.open(member) as entry:
                    found[name] = load_npy(entry.read(MAX_BYTES + 1))
            return found
    except _BROKEN as error:
        raise ValueError("is a damaged .npz file") from error


def load_npy(data: bytes) -> Array:
    """The array of a .npy file, if there are as many numbers as it claims; never a pickle."""
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what a damaged header says
            shape, fortran, dtype = read_header(file)
    except (*_BROKEN, ValueError) as error:
        raise ValueError("is no .npy array, or a damaged one") from error
    if dtype.hasobject:
        raise ValueError("holds Python objects, which are never loaded; save an array of numbers")
    count = 1
    for length in shape:
        count *= length
    if len(data) > MAX_BYTES or dtype.itemsize == 0 or min(shape, default=0) < 0:
        raise ValueError(f"claims the shape {shown(shape)}, which no clip has")
    if count * dtype.itemsize != len(data) - file.tell():
        raise ValueError(
            f"claims the shape {shown(shape)}, and has not as many numbers; it is cut off or damaged"
        )
    array = np.frombuffer(data, dtype, count, file.tell())
    return array.reshape(shape, order="F" if fortran else "C")
