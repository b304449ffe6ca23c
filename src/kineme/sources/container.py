"""Clips of any data set in one pickle-free .npz file.

    xyz           (F, V, 3) float, the frames of all clips concatenated, metres, y up
    offsets       (N + 1,) int: clip i is xyz[offsets[i]:offsets[i + 1]]
    name          (N,) unique names
    label         (N,) int: index into label_names, -1 if untrimmed
    label_names   (classes,)
    subject       (N,) free text
    view          (N,) int: the camera
    joint_names   (V,)
    parents       (V,) int, -1 for the root
    fps           number
    frame_label   (F,) int, only for untrimmed recordings: index into label_names, 0 = background

One body per clip. Joints named as in a built-in layout, in any order and spelling, are put in its order.
"""

from __future__ import annotations

import zipfile
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from kineme.clips.store import Clip
from kineme.errors import KinemeError, one_line
from kineme.layouts import match_layout
from kineme.sources import Source
from kineme.sources.npy import NpyRows
from kineme.sources.raw import BROKEN, RawFile
from kineme.typing import Array
from kineme.untrusted import bad_names, read_arrays

_MAX_FRAMES = 10_000_000  # of a clip: four days at 30 frames a second
# Key → (kinds of dtype, axes).
_KEYS: dict[str, tuple[str, int]] = {
    "xyz": ("f", 3),
    "offsets": ("iu", 1),
    "name": ("U", 1),
    "label": ("iu", 1),
    "label_names": ("U", 1),
    "subject": ("U", 1),
    "view": ("iu", 1),
    "joint_names": ("U", 1),
    "parents": ("iu", 1),
    "fps": ("fiu", 0),
}


def open_container(path: Path) -> Source:
    """The clips of a container.

    Raises:
        KinemeError: the file is missing or not a container, or an array in it is missing, misshapen or out of
            range; the message names the array.
    """
    arrays, xyz = _load(path)
    _check(path, arrays, xyz)
    try:
        layout, order = match_layout(arrays["joint_names"].tolist(), arrays["parents"].tolist(), path.stem)
    except KinemeError as error:
        raise KinemeError(f"{path}: 'joint_names' and 'parents' are not a tree: {error}") from error
    return Source(
        name=path.stem,
        layout=layout,
        class_names=tuple(arrays["label_names"].tolist()),
        fps=float(arrays["fps"]),
        bodies=1,
        names=arrays["name"].tolist(),
        items=range(len(arrays["name"])),
        read=partial(_clip, arrays, xyz, order),
        untrimmed="frame_label" in arrays,
    )


def is_container(path: Path) -> bool:
    """Whether a file is an .npz with the arrays of a container."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {f"{key}.npy" for key in ("xyz", "offsets", "joint_names")} <= set(archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def _clip(arrays: dict[str, Array], xyz: NpyRows, order: Array, row: int) -> Clip:
    """A clip, whose coordinates are read from the file now.

    Raises:
        KinemeError: they cannot be read, or are not finite.
    """
    start, end = arrays["offsets"][row : row + 2].tolist()
    labels = arrays["frame_label"][start:end] if "frame_label" in arrays else np.zeros(0, dtype=np.int64)
    name, found = str(arrays["name"][row]), xyz.read(start, end - start)
    finite = np.isfinite(found).all(axis=(1, 2))
    if not finite.all():
        reason = f"contains NaN or infinite values in clip {name!r}, frame {int(np.argmin(finite))}"
        raise KinemeError(f"{xyz.file.path}: 'xyz' {reason}")
    return Clip(
        name=name,
        xyz=found[:, None, order].astype(np.float32),
        label=int(arrays["label"][row]),
        subject=str(arrays["subject"][row]),
        camera=int(arrays["view"][row]),
        intervals=label_runs(labels),
    )


def label_runs(labels: Array) -> list[tuple[int, int, int]]:
    """(T,) frame labels → (start, end, label) of every run of a label other than 0, end exclusive."""
    change = np.flatnonzero(np.diff(labels)) + 1
    starts = np.concatenate([[0], change]) if len(labels) else np.zeros(0, dtype=np.int64)
    ends = np.append(starts[1:], len(labels))
    return [(int(s), int(e), int(labels[s])) for s, e in zip(starts, ends, strict=False) if labels[s] != 0]


def _load(path: Path) -> tuple[dict[str, Array], NpyRows]:
    """All arrays but the coordinates, and these to be read clip by clip."""
    if not path.is_file():
        raise KinemeError(f"{path}: no such file; a container is one .npz file")
    try:
        with zipfile.ZipFile(path) as archive:
            there = {name.removesuffix(".npy") for name in archive.namelist()}
        if missing := [name for name in _KEYS if name not in there]:
            known = f"a container has {', '.join(_KEYS)}"
            raise KinemeError(f"{path}: lacks the array {missing[0]!r}; {known}")
        arrays = read_arrays(path, {*_KEYS, "frame_label"} - {"xyz"})
    except KinemeError:
        raise
    except BROKEN as error:
        raise KinemeError(
            f"{path}: not an .npz container ({one_line(error)}); write it with numpy.savez, without pickles"
        ) from error
    return arrays, NpyRows(RawFile(PurePosixPath(path.name) / "xyz.npy", path, "xyz.npy"))


def _check(path: Path, arrays: dict[str, Array], xyz: NpyRows) -> None:
    kinds = _KEYS | ({"frame_label": ("iu", 1)} if "frame_label" in arrays else {})

    def refuse(name: str, reason: str) -> None:
        raise KinemeError(f"{path}: {name!r} {reason}")

    for name, (kind, axes) in kinds.items():
        array = arrays.get(name, xyz)
        if len(array.shape) != axes or array.dtype.kind not in kind:
            expected = {"U": "text", "iu": "integers"}.get(kind, "numbers")
            refuse(name, f"is {array.dtype} of shape {array.shape}; expected {expected}, {axes} axes")
    offsets = arrays["offsets"].astype(np.int64)
    frames, joints, coordinates = xyz.shape
    clips, classes = len(arrays["name"]), len(arrays["label_names"])
    if coordinates != 3:
        refuse("xyz", f"has shape {xyz.shape}; the last axis must be x, y, z")
    for name, length in {
        "offsets": clips + 1, "label": clips, "subject": clips, "view": clips, "joint_names": joints,
        "parents": joints, "frame_label": frames,
    }.items():  # fmt: skip
        if name in arrays and len(arrays[name]) != length:
            refuse(name, f"has {len(arrays[name])} entries; expected {length}")
    if clips == 0:
        refuse("name", "is empty: there are no clips")
    if offsets[0] != 0 or offsets[-1] != frames or (np.diff(offsets) <= 0).any():
        refuse("offsets", f"must increase from 0 to {frames}, the frames of 'xyz'")
    if len(set(arrays["name"].tolist())) != clips:
        refuse("name", "contains duplicates")
    for name, lowest in {"label": -1, "frame_label": 0}.items():
        if name in arrays and ((arrays[name] < lowest) | (arrays[name] >= classes)).any():
            refuse(name, f"is not in {lowest}..{classes - 1}, the classes of 'label_names'")
    if not 0 < arrays["fps"] < np.inf:
        refuse("fps", f"is {arrays['fps']}; expected a positive number")
    if (wrong := bad_names(arrays["name"])) or (wrong := bad_names(arrays["label_names"])):
        raise KinemeError(f"{path}: {wrong}")
    longest = int(np.diff(offsets).max())
    if longest > _MAX_FRAMES:
        refuse("offsets", f"has a clip of {longest:,} frames; cut it into clips of at most {_MAX_FRAMES:,}")
