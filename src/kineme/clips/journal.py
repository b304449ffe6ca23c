"""Long work that outlives its process: arrays that grow on disk, and a journal of what in them is done.

The arrays' rows are on the disk before the line that tells of them, and the line holds their digest. So
whatever ends a process, a later one finds a journal whose whole lines are true, forgets what comes after the
last of them, and goes on from there.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kineme.errors import KinemeError
from kineme.typing import Array

_CHUNK = 1 << 24  # bytes that are read again at a time


class GrowingArray:
    """An .npy file that grows by rows.

    Attributes:
        rows: how many it has; what lies behind them in the file does not count.
        digest: SHA-256 of these rows.
    """

    def __init__(self, path: Path, dtype: npt.DTypeLike, row: tuple[int, ...]) -> None:
        """Opens or makes a file for rows of this shape; none of those that are there count yet."""
        self.rows = 0
        self.digest = hashlib.sha256()
        self._dtype = np.dtype(dtype)
        self._row = row
        self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
        self._write_header()
        self._start = self._file.tell()

    def append(self, rows: Array) -> None:
        """Adds (n, *row) at the end."""
        data = np.ascontiguousarray(rows, dtype=self._dtype).data
        self._file.write(data)
        self.digest.update(data)
        self.rows += len(rows)

    def digest_ahead(self, rows: int) -> Any:
        """The digest there will be when the next rows in the file count too; None if they are not there."""
        digest = self.digest.copy()
        self._file.seek(self._end())
        missing = rows * self._row_bytes()
        while missing and (data := self._file.read(min(missing, _CHUNK))):
            digest.update(data)
            missing -= len(data)
        return None if missing else digest

    def cut(self) -> None:
        """Forgets what lies behind the rows."""
        self._file.truncate(self._end())
        self._file.seek(self._end())

    def flush(self) -> None:
        """Comes back when all rows are on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def finish(self) -> None:
        """Writes the number of rows into the file's header."""
        self._write_header()
        self.flush()

    def close(self) -> None:
        """Closes the file, whatever is left to be written to it."""
        with suppress(OSError):
            self._file.close()

    def _row_bytes(self) -> int:
        return int(np.prod(self._row)) * self._dtype.itemsize

    def _end(self) -> int:
        return self._start + self.rows * self._row_bytes()

    def _write_header(self) -> None:
        self._file.seek(0)
        # Version 1.0 headers leave room for the first axis to grow, so the final one has the same length.
        header = {"descr": self._dtype.str, "fortran_order": False, "shape": (self.rows, *self._row)}
        np.lib.format.write_array_header_1_0(self._file, header)


class Journal:
    """Lines of JSON with a checksum, the first of them the key of the work, held by one process at a time."""

    def __init__(self, path: Path, target: Path) -> None:
        """Opens or begins the journal of work on a target.

        Raises:
            KinemeError: another process is at this work.
        """
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            taken = os.fstat(self._file).st_nlink == 0  # by one that finished just now
        except BlockingIOError:
            taken = True
        except OSError:
            taken = False  # a file system without locks
        if taken:
            os.close(self._file)
            raise KinemeError(
                f"{target}: another process is making this store; wait for it, or choose another name"
            )
        self._lines = path.read_bytes().split(b"\n")[:-1]  # a line that was cut off does not count
        self._end = 0

    def begin(self, key: str) -> tuple[list[Any], bool]:
        """What the lines of this work hold, and whether there was other work, which is forgotten."""
        head = _line({"key": key})
        if self._lines[:1] == [head]:
            return [_parsed(line) for line in self._lines[1:]], False
        other = bool(self._lines)
        self._lines = [head]
        os.pwrite(self._file, head + b"\n", 0)
        self.accept(0)
        return [], other

    def accept(self, lines: int) -> None:
        """Keeps the key and so many lines after it, and forgets the others."""
        self._end = sum(len(line) + 1 for line in self._lines[: lines + 1])
        os.ftruncate(self._file, self._end)

    def append(self, value: Any) -> None:
        """Comes back when the line is on the disk, or leaves the journal as it was."""
        line = memoryview(_line(value) + b"\n")
        at = self._end
        try:
            while line:
                written = os.pwrite(self._file, line, at)
                at, line = at + written, line[written:]
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, self._end)
            raise
        self._end = at

    def close(self) -> None:
        """Lets another process have it."""
        os.close(self._file)


def _line(value: Any) -> bytes:
    data = json.dumps(value, separators=(",", ":")).encode()
    return b"%08x %s" % (zlib.crc32(data), data)


def _parsed(line: bytes) -> Any:
    """None for what is no line of ours."""
    data = line[9:]
    with suppress(ValueError, RecursionError):
        return json.loads(data) if line[:9] == b"%08x " % zlib.crc32(data) else None
    return None
