"""Datasets of HDF5 files, read only if they are what they claim to be."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kineme.sources.poses.arrays import MAX_NUMBERS
from kineme.sources.raw import shown
from kineme.typing import Array

MAX_SMALL = 1 << 24  # bytes that a dataset may have however little of it is in the file
MAX_RATIO = 1100  # of a dataset's bytes to those in the file: gzip reaches 1,032


def dataset(group: Any, name: str) -> Array:
    """A dataset of an open file or group.

    Raises:
        ValueError: it is a group, too large for a clip, or of a damaged type.
    """
    data = group[name]
    size = data.size * data.dtype.itemsize if hasattr(data, "dtype") else math.inf
    if size > 8 * MAX_NUMBERS or data.ndim > 4:
        raise ValueError(f"has {shown(name)} of a size that no clip has")
    held = min(data.id.get_storage_size(), data.file.id.get_filesize())
    if size > max(MAX_SMALL, MAX_RATIO * held):
        raise ValueError(f"has {shown(name)} of {size:,} bytes, and holds {held:,}")
    check_type(data.dtype, name)
    return np.asarray(data[()])


def attribute(holder: Any, name: str) -> Any:
    """An attribute of an open group or dataset.

    Raises:
        ValueError: it is of a damaged type.
        KeyError: there is none.
    """
    check_type(holder.attrs.get_id(name).dtype, name)
    return holder.attrs[name]


def text(value: Any) -> str:
    """An element of a dataset of text."""
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


def check_type(dtype: np.dtype[Any], name: str) -> None:
    """Refuses records whose fields overlap.

    h5py takes a damaged field for a wider one, and makes an array for records of the length that the file
    says. HDF5 writes all fields one after another, so that it would write beyond that array.

    Raises:
        ValueError: they do.
    """
    from h5py import h5t  # type: ignore[import-untyped]

    if dtype.names is not None and h5t.py_create(dtype, logical=True).get_size() != dtype.itemsize:
        raise ValueError(f"has {shown(name)} of a damaged type")
