"""Rows of a NumPy array that is too large to hold: its header first, then a few rows at a time."""

from __future__ import annotations

import io
import math
import tokenize
import warnings
from typing import IO

import numpy as np

from kineme.errors import KinemeError
from kineme.sources.raw import BROKEN, RawFile, one_line
from kineme.typing import Array

_HEADER = 1 << 14  # bytes: numpy itself reads no longer ones
_MAX_ROW = 1 << 26  # bytes: a clip takes some 200 KB
_MALFORMED = (
    ValueError, SyntaxError, TypeError, EOFError, KeyError, OverflowError, MemoryError, RecursionError,
    tokenize.TokenError,
)  # fmt: skip
_REMEDY = "fetch the file again"


class NpyRows:
    """A .npy array, in a file of its own or in an archive, of which rows are read.

    Rows are best read in order: in an archive, to go back is to start anew.

    Attributes:
        file: where it is.
        shape: of the array.
        dtype: of the array: numbers or truth values.
    """

    def __init__(self, file: RawFile) -> None:
        """Reads the header.

        Raises:
            KinemeError: the file is no .npy array of numbers, has another size than its header says, or its
                rows are too large.
        """
        self.file = file
        self._stream: IO[bytes] | None = None
        head = io.BytesIO(self._bytes(0, _HEADER))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a header that Python 2 wrote
                version = np.lib.format.read_magic(head)
                read = {
                    (1, 0): np.lib.format.read_array_header_1_0,
                    (2, 0): np.lib.format.read_array_header_2_0,
                }
                self.shape, fortran, self.dtype = read[version](head)
        except _MALFORMED as error:
            raise KinemeError(f"{file}: is no .npy array, or a damaged one; {_REMEDY}") from error
        self._offset = head.tell()
        if self.dtype.kind not in "fiub" or not self.shape or min(self.shape) < 1:
            raise KinemeError(f"{file}: is {self.dtype} of shape {self.shape}; expected numbers; {_REMEDY}")
        if fortran and len(self.shape) > 1:
            raise KinemeError(f"{file}: is stored column by column; save it with numpy.ascontiguousarray")
        self._row = math.prod(self.shape[1:]) * self.dtype.itemsize
        if self._row > _MAX_ROW:
            raise KinemeError(f"{file}: has rows of {self._row:,} bytes, far too large for clips; {_REMEDY}")
        if self._offset + self.shape[0] * self._row != file.size:
            raise KinemeError(
                f"{file}: has {file.size:,} bytes, which is not what shape {self.shape} takes; {_REMEDY}"
            )

    def __reduce__(self) -> tuple[type[NpyRows], tuple[RawFile]]:
        return NpyRows, (self.file,)  # a stream cannot be sent to another process

    def read(self, start: int, count: int = 1) -> Array:
        """(count, ...) rows from `start` on; fewer at the end.

        Raises:
            KinemeError: they cannot be read: the file was cut off since, or is damaged in its archive.
        """
        count = min(count, self.shape[0] - start)
        data = self._bytes(self._offset + start * self._row, count * self._row)
        if len(data) != count * self._row:
            raise KinemeError(f"{self.file}: is cut off in row {start}; {_REMEDY}")
        return np.frombuffer(data, self.dtype).reshape(count, *self.shape[1:])

    def _bytes(self, start: int, count: int) -> bytes:
        """Fewer at the end."""
        try:
            if self._stream is None:
                self._stream = self.file.open()
            self._stream.seek(start)
            return self._stream.read(count)
        except KinemeError:
            raise
        except BROKEN as error:
            raise KinemeError(f"{self.file}: cannot be read ({one_line(error)}); {_REMEDY}") from error
