"""The columns of an index: read whole for a single shard, memory-mapped for many."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kineme.errors import KinemeError
from kineme.files import synchronise
from kineme.typing import Array
from kineme.untrusted import load_array

Columns = Mapping[str, Array]

CHUNK = 1 << 20  # rows that are looked at together
_PRIME = np.uint64(0x100000001B3)


class ZippedColumns(Columns):
    """The columns of an `index.npz`, each read whenever it is asked for."""

    def __init__(self, file: Path) -> None:
        self._file = file
        with np.load(file, allow_pickle=False) as stored:
            self._names = list(stored)

    def __getitem__(self, name: str) -> Array:
        with np.load(self._file, allow_pickle=False) as stored:
            return np.asarray(stored[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def mapped_columns(folder: Path, names: Sequence[str]) -> dict[str, Array]:
    """The columns of the files of a folder, memory-mapped."""
    return {name: _mapped(folder / f"{name}.npy") for name in names}


def _mapped(file: Path) -> Array:
    try:
        return load_array(file, mapped=True)
    except ValueError:  # an empty file cannot be mapped
        return load_array(file)


def write_merged(parts: Sequence[Columns], folder: Path) -> list[str]:
    """Writes the columns of several stores one after another, as a file each.

    First frames and numbers of clips count on from part to part. Where a part lacks a column that others
    have, it is filled: a published list names none of its clips, and no joint of it is missing.

    Returns:
        their names.
    """
    names = sorted({name for part in parts for name in part})
    clips = [len(part["frames"]) for part in parts]
    before = {
        "offset": np.cumsum([0, *(int(part["frames"].sum()) for part in parts)]),
        "interval_clip": np.cumsum([0, *clips]),
    }
    folder.mkdir()
    for name in names:
        there = [part[name] for part in parts if name in part]
        dtype = np.result_type(*(column.dtype for column in there))
        row = there[0].shape[1:]
        count = sum(
            len(part[name]) if name in part else each for part, each in zip(parts, clips, strict=True)
        )
        path = folder / f"{name}.npy"
        with path.open("wb") as file:
            header = {"descr": dtype.str, "fortran_order": False, "shape": (count, *row)}
            np.lib.format.write_array_header_1_0(file, header)
            for number, part in enumerate(parts):
                for rows in _pieces(part, name, (clips[number], *row), dtype):
                    shift = before[name][number] if name in before else 0
                    file.write((rows + shift if shift else rows).astype(dtype, copy=False).tobytes())
        synchronise(path)
    return names


def _pieces(part: Columns, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Iterator[Array]:
    """The rows of a column, a million at a time; those that a part lacks."""
    column = part.get(name)
    for first in range(0, shape[0] if column is None else len(column), CHUNK):
        if column is not None:
            yield np.asarray(column[first : first + CHUNK])
        else:
            fill = True if dtype.kind == "b" else -1
            yield np.full((min(CHUNK, shape[0] - first), *shape[1:]), fill, dtype=dtype)


def check_unique(names: Array) -> None:
    """Checks that no two clips have one name, see `repeated`.

    Raises:
        KinemeError: two have.

    >>> check_unique(np.array(["a", "b", "a"]))
    Traceback (most recent call last):
    kineme.errors.KinemeError: a: two clips have this name; names must be unique in a store
    """
    if (name := repeated(names)) is not None:
        raise KinemeError(f"{name}: two clips have this name; names must be unique in a store")


def repeated(names: Array) -> str | None:
    """The first name that an earlier clip has, found in 8 bytes a clip; None if there is none.

    >>> repeated(np.array(["a", "b", "a"])), repeated(np.array(["a", "b"]))
    ('a', None)
    """
    hashes = np.concatenate([_hashed(names[at : at + CHUNK]) for at in range(0, len(names), CHUNK)])
    order = np.sort(hashes)
    twice = np.unique(order[1:][order[1:] == order[:-1]])
    del order
    seen = set()
    for name in np.asarray(names[np.isin(hashes, twice)]).tolist() if len(twice) else ():
        if name in seen:
            return str(name)
        seen.add(name)
    return None


def _hashed(names: Array) -> Array:
    """(N,) uint64: FNV-1a of the characters, of whatever width the column is."""
    characters = np.asarray(names).view(np.uint32).reshape(len(names), -1)
    found = np.full(len(names), 0xCBF29CE484222325, dtype=np.uint64)
    for column in characters.T:
        found = np.where(column, (found ^ column) * _PRIME, found)
    return found


def row_of(names: Array, name: str) -> int | None:
    """The row of a name; None if it is not among them, in none of its `spellings`.

    >>> row_of(np.array(["walk", "day 1/wave"]), "day 1\\\\wave")
    1
    """
    for spelt in spellings(name):
        for first in range(0, len(names), CHUNK):
            found = np.flatnonzero(names[first : first + CHUNK] == spelt)
            if len(found):
                return first + int(found[0])
    return None


def spellings(name: str) -> list[str]:
    """A clip's name as written, then as another system writes it.

    macOS takes letters such as ö apart into a letter and its accent, which look the same; Windows separates
    folders by backslashes.

    >>> spellings("day 1\\\\wave")
    ['day 1\\\\wave', 'day 1/wave']
    """
    slashed = name.replace("\\", "/")
    forms = (unicodedata.normalize("NFC", slashed), unicodedata.normalize("NFD", slashed))
    return list(dict.fromkeys([name, slashed, *forms]))
