"""Rows of NumPy arrays that are too large to load: the header first, then a few rows at a time."""

from __future__ import annotations

import io
import math
from typing import IO

import numpy as np

from kineme.errors import KinemeError
from kineme.sources.raw import FETCH, RawFile
from kineme.typing import Array
from kineme.untrusted import read_header

_HEADER = 1 << 14  # bytes, the longest header that NumPy reads
_MAX_ROW = 1 << 26  # bytes; a clip takes some 200 KB


class NpyRows:
    """A .npy array, in a file of its own or in an archive, read by rows.

    Read the rows in order: in an archive, going back starts from the beginning.
    """

    def __init__(self, file: RawFile) -> None:
        """Reads the header.

        Raises:
            KinemeError: the file is not a .npy array of numbers, has another size than its header says, or
                its rows are too large.
        """
        self.file = file
        self._stream: IO[bytes] | None = None
        head = io.BytesIO(self._bytes(0, _HEADER))
        try:
            self.shape, fortran, self.dtype = read_header(head)
        except ValueError as error:
            raise file.error(str(error), FETCH) from error
        self._offset = head.tell()
        if self.dtype.kind not in "fiub" or not self.shape or min(self.shape) < 1:
            raise file.error(f"is {self.dtype} of shape {self.shape}; expected numbers", FETCH)
        if fortran and len(self.shape) > 1:
            raise KinemeError(f"{file}: is stored column by column; save it with numpy.ascontiguousarray")
        self._row = math.prod(self.shape[1:]) * self.dtype.itemsize
        if self._row > _MAX_ROW:
            raise file.error(f"has rows of {self._row:,} bytes, far too large for clips", FETCH)
        if self._offset + self.shape[0] * self._row != file.size:
            raise file.error(f"has {file.size:,} bytes, too few or many for {self.shape}", FETCH)

    def __reduce__(self) -> tuple[type[NpyRows], tuple[RawFile]]:
        return NpyRows, (self.file,)  # a stream cannot be sent to another process

    def read(self, start: int, count: int = 1) -> Array:
        """(count, ...) rows from `start` on; fewer at the end.

        Raises:
            KinemeError: they cannot be read: the file was truncated meanwhile, or is damaged in its archive.
        """
        count = min(count, self.shape[0] - start)
        data = self._bytes(self._offset + start * self._row, count * self._row)
        if len(data) != count * self._row:
            raise self.file.error(f"is cut off in row {start}", FETCH)
        return np.frombuffer(data, self.dtype).reshape(count, *self.shape[1:])

    def _bytes(self, start: int, count: int) -> bytes:
        """Fewer at the end."""
        with self.file.checked():
            if self._stream is None:
                self._stream = self.file.open()
            self._stream.seek(start)
            return self._stream.read(count)
