"""HDF5 files of animal pose estimators: SLEAP's analyses (`.h5`) and projects (`.slp`), DeepLabCut's `.h5`;
and MATLAB's `.mat` of version 7.3.

They are read by h5py, which is an extra. Sizes are checked before anything is read.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np

from kineme.errors import KinemeError, one_line
from kineme.sources.poses import sleap
from kineme.sources.poses.arrays import Detections, Poses
from kineme.sources.poses.datasets import attribute, dataset, text
from kineme.sources.poses.deeplabcut import deeplabcut_poses
from kineme.sources.raw import RemediedError, shown
from kineme.sources.unpickle import unpickled
from kineme.typing import Array

MAX_HDF5_BYTES = 1 << 30
_SHOWN = 8  # names in a message
_MOST = 1000  # variables of a MATLAB file


def hdf5_poses(data: bytes) -> Poses | Detections:
    """The bytes of an HDF5 file → its clip.

    Raises:
        KinemeError: h5py is not installed.
        ValueError: the file is damaged, or nothing that is known.
    """
    with _opened(data) as file:
        if {"tracks", "node_names"} <= set(file):
            return sleap.analysis(file)
        if {"frames", "instances", "metadata"} <= set(file):
            return sleap.project(file)
        for group in file.values():
            if hasattr(group, "keys") and ("table" in group or "block0_values" in group):
                return _deeplabcut(group)
        some = ", ".join(islice(file, _SHOWN)) or "nothing"  # `visit` may never end in a damaged file
        holds = f"is none of SLEAP's or DeepLabCut's HDF5 files; it holds {shown(some)}"
        raise RemediedError(holds, "export an analysis, or a CSV file")


def matlab_arrays(data: bytes) -> dict[str, Any]:
    """The bytes of a MATLAB file of version 7.3 → its variables that are numbers, text, or structs of these.

    Cells are references to elsewhere, and are not followed.

    Raises:
        KinemeError: h5py is not installed.
        ValueError: the file is damaged.
    """
    with _opened(data) as file:
        structs = {name: _variables(each) for name, each in _some(file) if hasattr(each, "keys")}
        return _variables(file) | structs


def _variables(group: Any) -> dict[str, Array | str]:
    found: dict[str, Array | str] = {}
    for name, each in _some(group):
        if not hasattr(each, "keys") and each.dtype.kind in "fiu" and each.ndim <= 4:
            values = dataset(group, name).T  # MATLAB's first axis is HDF5's last
            letters = "MATLAB_class" in each.attrs and attribute(each, "MATLAB_class") == b"char"
            found[name] = values.astype("<u2").tobytes().decode("utf-16-le", "replace") if letters else values
    return found


def _some(holder: Any) -> list[tuple[str, Any]]:
    """Names and contents of a group; those that begin with # are MATLAB's own."""
    return [(name, holder[name]) for name in islice(holder, _MOST) if not name.startswith("#")]


@contextmanager
def _opened(data: bytes) -> Iterator[Any]:
    try:
        import h5py  # type: ignore[import-untyped]
    except ImportError as error:
        raise KinemeError(
            "HDF5 files (.h5, .slp, .mat of version 7.3) need h5py; pip install 'kineme[hdf5]'"
        ) from error
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            yield file
    except ValueError:
        raise
    except Exception as error:  # damaged files may raise anything
        raise ValueError(f"is not an HDF5 file, or is damaged ({one_line(error)})") from error


def _deeplabcut(group: Any) -> Poses:
    """A data frame as pandas writes it, as a table or in blocks."""
    if "table" in group:
        rows = dataset(group, "table")
        names = [name for name in rows.dtype.names or () if name.startswith("values_block_")]
        if not names:
            raise ValueError("has a table without values")
        values = np.concatenate([rows[name].reshape(len(rows), -1) for name in names], axis=1)
        kinds = [attribute(group["table"], f"{name}_kind") for name in names]
        columns = [column for kind in kinds for column in unpickled(bytes(kind))]
        index = rows["index"]
    else:
        values, columns = dataset(group, "block0_values"), _levels(group, "block0_items")
        if values.ndim != 2:
            raise ValueError(f"has values of {values.ndim} dimensions; expected frames and columns")
        index = dataset(group, "axis1") if "axis1" in group else np.arange(len(values))
    if values.dtype.kind != "f" or not all(
        isinstance(each, tuple) and len(each) in (3, 4) and all(isinstance(name, str) for name in each)
        for each in columns
    ):
        raise ValueError("is not a table of DeepLabCut: its columns are not scorer, body part and axis")
    if len(columns) != values.shape[1]:
        raise ValueError(f"names {len(columns)} columns and has {values.shape[1]}")
    parts = [(each[1] if len(each) == 4 else "", each[-2], each[-1]) for each in columns]
    return deeplabcut_poses(parts, values, [text(each) for each in index])


def _levels(group: Any, name: str) -> list[tuple[str, ...]]:
    """The columns of a data frame in blocks: levels and the codes into them."""
    found: list[list[str]] = []
    while f"{name}_level{len(found)}" in group:
        level = [text(each) for each in dataset(group, f"{name}_level{len(found)}").ravel().tolist()]
        codes = dataset(group, f"{name}_label{len(found)}")
        numbers = codes.ndim == 1 and codes.dtype.kind in "iu"
        if not numbers or (codes < 0).any() or (codes >= len(level)).any():
            raise ValueError("has damaged names of columns")
        found.append([level[code] for code in codes])
    return list(zip(*found, strict=True))
