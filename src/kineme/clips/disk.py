"""Arrays on disk that are larger than memory: rows of one or several .npy files, decoded as they are read."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from kineme.errors import KinemeError, one_line
from kineme.system import drop_pages
from kineme.typing import Array
from kineme.untrusted import read_header

FramesAs = Literal["float32", "float16", "int16"]
STORED: dict[FramesAs, str] = {"float32": "<f4", "float16": "<f2", "int16": "<i2"}
STEP = 2e-4  # of a coordinate in 16-bit fixed point, in units of the store
EXACT = 1e-4  # what a coordinate in 16 bits is off by at most: a tenth of a millimetre
LIMITS: dict[FramesAs, float] = {"int16": 32767 * STEP, "float16": 0.25, "float32": np.inf}  # to be exact
OPEN = 64  # files that are open at once
HELD = 1 << 26  # bytes that are read before their pages are given back


def encoded(xyz: Array, frames_as: FramesAs) -> Array:
    """Coordinates as they are stored.

    Raises:
        KinemeError: one of them would be off by more than `EXACT`.

    >>> encoded(np.array([0.5, -1.25]), "int16")
    array([ 2500, -6250], dtype=int16)
    >>> decoded(encoded(np.array([0.5, -1.25]), "int16"), STEP)
    array([ 0.5 , -1.25], dtype=float32)
    """
    far = float(np.abs(xyz).max(initial=0))
    if far > LIMITS[frames_as]:
        others = [name for name, limit in LIMITS.items() if far <= limit]
        raise KinemeError(
            f"a coordinate of {far:.4g} is too far out for frames as {frames_as}, which are exact to "
            f"{EXACT:g} up to {LIMITS[frames_as]:.4g}; set `frames_as` to {' or '.join(others)}"
        )
    return np.asarray(in_steps(xyz) if frames_as == "int16" else xyz, dtype=STORED[frames_as])


def in_steps(xyz: Array) -> Array:
    """Coordinates as whole numbers of `STEP`; those that were decoded from int16 are these integers again.

    >>> in_steps(decoded(encoded(np.array([0.50007]), "int16"), STEP)), in_steps(np.array([0.50007]))
    (array([2500.], dtype=float32), array([2500.]))
    """
    steps: Array = np.rint(xyz / STEP)
    return steps


def decoded(values: Array, step: float) -> Array:
    """Stored coordinates as float32; those of 16 bits are multiples of `step`, or float16."""
    if values.dtype.kind == "i":
        return np.multiply(values, np.float32(step), dtype=np.float32)
    return np.asarray(values, dtype=np.float32)


class DiskArray:
    """(F, ...) rows of one or several .npy files, indexed by slices and arrays of row numbers.

    Files are opened when a row of them is asked for. Pages that were read are given back to the system now
    and then, so a process that reads a terabyte in turn holds a few hundred MB of it.

    Attributes:
        shape: (F, ...).
        starts: (files,) int64, the first row of each.

    >>> paths = [example_folder / "first.npy", example_folder / "second.npy"]
    >>> for path, rows in zip(paths, (3, 2)):
    ...     np.save(path, np.full((rows, 1), rows, dtype=np.float32))
    >>> array = DiskArray(paths.__getitem__, counts=(3, 2), row=(1,))
    >>> array.shape, array[2:4].tolist(), array[np.array([4, 0])].tolist()
    ((5, 1), [[3.0], [2.0]], [[2.0], [3.0]])
    """

    def __init__(
        self,
        path_of: Callable[[int], Path],
        counts: Sequence[int],
        row: tuple[int, ...],
        *,
        dtype: npt.DTypeLike = np.float32,
        step: float = STEP,
    ) -> None:
        """Opens nothing yet.

        Args:
            path_of: number of a file → where it is.
            counts: rows of each file.
            row: shape of a row.
            dtype: of what is read: float32 is decoded, other types are as they are stored.
            step: see `decoded`.
        """
        ends = np.cumsum(np.asarray(counts, dtype=np.int64))
        self.starts = ends - counts
        self.shape = (int(ends[-1]), *row)
        self.dtype = np.dtype(dtype)
        self._ends, self._path_of, self._step = ends, path_of, step
        self._held = 0
        self._maps: list[mmap.mmap] = []
        self._file = lru_cache(OPEN)(self._opened)

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def row_bytes(self) -> int:
        """Bytes of a row of the first file."""
        first = self._file(0)
        return first.dtype.itemsize * int(np.prod(self.shape[1:]))

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        return np.asarray(self[:], dtype=dtype)

    def __getitem__(self, key: slice | Array | tuple[Any, ...]) -> Array:
        if isinstance(key, tuple):
            return np.asarray(self[key[0]][(slice(None), *key[1:])])
        if not isinstance(key, slice):
            return self._take(np.asarray(key))
        first, end, stride = key.indices(len(self))
        if stride != 1:
            return self._take(np.arange(first, end, stride))
        if end <= first:
            return np.empty((0, *self.shape[1:]), dtype=self.dtype)
        files = range(int(self._number(first)), int(self._number(end - 1)) + 1)
        parts = [
            self._decoded(self._file(i)[max(first - at, 0) : end - at])
            for i, at in zip(files, self.starts[files.start : files.stop].tolist(), strict=True)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _take(self, rows: Array) -> Array:
        numbers = self._number(rows)
        found = np.empty((len(rows), *self.shape[1:]), dtype=self.dtype)
        for i in np.unique(numbers).tolist():
            mine = numbers == i
            found[mine] = self._decoded(self._file(i)[rows[mine] - self.starts[i]])
        return found

    def _number(self, rows: Array | int) -> Any:
        """The file of each row."""
        return np.searchsorted(self._ends, rows, side="right")

    def _decoded(self, values: Array) -> Array:
        self._held += values.nbytes
        if self._held > HELD:
            self._held = 0
            drop_pages(self._maps)
        return values if values.dtype == self.dtype else decoded(values, self._step)

    def _opened(self, number: int) -> Array:
        path = self._path_of(number)
        shape = (int(self._ends[number] - self.starts[number]), *self.shape[1:])
        try:
            with path.open("rb") as file:
                found, _, dtype = read_header(file)
                offset = file.tell()
                whole = offset + dtype.itemsize * int(np.prod(shape))
                if found != shape or os.fstat(file.fileno()).st_size < whole or dtype.hasobject:
                    raise ValueError(f"it holds {found}, the manifest says {shape}")
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError, EOFError) as error:
            raise KinemeError(f"{path}: damaged clip store ({one_line(error)}); prepare it again") from error
        self._maps = [*self._maps[-OPEN + 1 :], mapped]
        return np.frombuffer(mapped, dtype, int(np.prod(shape)), offset).reshape(shape)
