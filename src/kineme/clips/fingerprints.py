"""Fingerprints of stores: SHA-256 of frames, confidences and index."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kineme.clips.columns import Columns, ZippedColumns

_READ = 1 << 22


def fingerprint(arrays: Sequence[Any], columns: Columns) -> str:
    """Of one shard.

    Args:
        arrays: the running SHA-256 of the data of frames.npy, and of confidence.npy if there is one.
        columns: of the index.
    """
    digest = arrays[0].copy()
    for array in arrays[1:]:
        digest.update(array.digest())
    for name in sorted(columns):
        digest.update(columns[name].tobytes())
    return str(digest.hexdigest())


def combined(fingerprints: Iterable[str]) -> str:
    """Of a store of shards with these fingerprints, in order."""
    return hashlib.sha256(" ".join(fingerprints).encode()).hexdigest()


def fingerprint_of(folder: Path) -> str:
    """Of one shard on disk, from its files; raises ValueError or OSError where they are damaged."""
    files = [folder / "frames.npy", folder / "confidence.npy"]
    arrays = [_of_data(file) for file in files if file.is_file()]
    return fingerprint(arrays, ZippedColumns(folder / "index.npz"))


def file_hash(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _of_data(path: Path) -> Any:
    """The running SHA-256 of an .npy file's data."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        while data := file.read(_READ):
            digest.update(data)
    return digest
