"""Files of one clip that is too long to be held, such as a day of motion, read in stretches.

Of what a whole clip would tell, a stretch tells its own part: which joints were found, who of many people is
seen and moves most, how large bodies in an image are. Frames before and after it are read too, so that gaps
at its ends are bridged as within it.
"""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from kineme.errors import KinemeError, one_line
from kineme.layouts import Layout
from kineme.sources import LONG, STRETCH
from kineme.sources.npy import NpyRows
from kineme.sources.poses.arrays import MAX_NUMBERS, MOST_FRAMES, Poses, array_poses
from kineme.sources.poses.formats import Told, format_of
from kineme.sources.poses.rows import FileBytes
from kineme.sources.poses.tables import MAX_CSV_BYTES, LongTable, WholeError
from kineme.sources.raw import RawFile
from kineme.typing import Array

_LEAST_BYTES = 4  # of a frame: of a joint's coordinates as text
_PIECE = 1 << 24  # bytes in which lines are counted at a time
_MOST_ROWS = 2 * MOST_FRAMES


class LongFile(Protocol):
    """A file, opened.

    Attributes:
        frames: of its clip.
        numbers: of each frame.
        times: (frames,) as in `Poses`.
    """

    frames: int
    numbers: int
    times: Array | None

    def read(self, first: int, count: int) -> Poses:
        """So many frames from one on; the clip has them all. Raises ValueError, as readers of a format do."""


class LongArray:
    """A .npy array."""

    def __init__(self, rows: NpyRows, scores: bool) -> None:
        self._rows, self._scores = rows, scores
        self.frames, self.numbers = int(rows.shape[0]), math.prod(rows.shape[1:])
        self.times: Array | None = None

    def read(self, first: int, count: int) -> Poses:
        """So many rows from one on."""
        return array_poses(self._rows.read(first, count), None, self._scores)


def long_file(file: RawFile, told: Told) -> LongFile | None:
    """A file of a clip that is read in stretches; None for others, and for what no reader takes so.

    Raises:
        ValueError: it is malformed.
        KinemeError: it cannot be read.
    """
    if file.member is not None or file.size < LONG * _LEAST_BYTES:
        return None
    openers = {"NumPy array": _array, "CSV": _table}
    form = format_of(file).name
    try:
        found = openers[form](file, told) if form in openers else None
    except OSError as error:
        raise file.error(f"cannot be read ({one_line(error)})") from error
    if found is None or (found.frames <= LONG and found.frames * found.numbers <= MAX_NUMBERS):
        return None
    return found


def step_of(file: LongFile) -> int:
    """Frames that are read at a time: fewer where each has many numbers."""
    return max(min(STRETCH, MAX_NUMBERS // (4 * file.numbers)), 1)


def _array(file: RawFile, told: Told) -> LongFile | None:
    try:
        return LongArray(NpyRows(file), told.scores)
    except KinemeError:  # what is wrong is said when it is read as a whole
        return None


def _table(file: RawFile, told: Told) -> LongFile | None:
    changed = file.path.stat()
    rows = _count(file.path, changed.st_mtime_ns, changed.st_size)
    if rows <= LONG:
        return None
    if rows > _MOST_ROWS:
        raise file.error(f"has {rows:,} lines; at most {_MOST_ROWS:,} are read", "cut it into shorter clips")
    columns = tuple(told.columns.values())
    found = _opened(file.path, changed.st_mtime_ns, changed.st_size, told.scores, told.layout, columns)
    if isinstance(found, LongTable):
        return found
    if file.size > MAX_CSV_BYTES:
        raise found
    return None


@lru_cache(maxsize=8)
def _count(path: Path, changed: int, size: int) -> int:
    """Lines of a file; the time of its last change tells versions apart."""
    data = FileBytes(path)
    return sum(data[at : at + _PIECE].count(b"\n") for at in range(0, len(data), _PIECE))


@lru_cache(maxsize=1)
def _opened(
    path: Path, changed: int, size: int, scores: bool, layout: Layout | None, columns: tuple[str, ...]
) -> LongTable | WholeError:
    """Kept, as it takes a minute to see where the lines of a day are."""
    try:
        return LongTable(FileBytes(path), scores, layout, columns)
    except WholeError as error:
        return error.with_traceback(None)  # which holds the table
