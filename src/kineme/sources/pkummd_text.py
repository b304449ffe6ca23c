"""PKU-MMD's text files: skeletons, labels and splits, in the format described in `pkummd.py`."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import lru_cache

import numpy as np

from kineme.errors import KinemeError
from kineme.sources.raw import FETCH, MAX_METRES, RawFile, shown
from kineme.typing import Array

CLASSES = 51
BODIES = 2
_JOINTS = 25
_NUMBERS = BODIES * _JOINTS * 3  # on a line
_MAX_LINE = 40 * _NUMBERS  # bytes; a number takes at most 25
_MAX_FRAMES = 100_000  # the longest videos have some 10,000
_MAX_BYTES = 1 << 26
_MAX_TEXT_BYTES = 1 << 20  # of labels and splits


def read_skeletons(file: RawFile, first: int = 1, last: int | None = None) -> Array:
    """(T, 2, 25, 3) float32: frames `first` to `last`, counted from 1; fewer where the video ends before.

    Only these lines are parsed: an action is cut out of a video without reading the rest.

    Raises:
        KinemeError: the file is missing, empty, binary or far too large, or one of the lines is not 150
            finite numbers of plausible size; the message names the line.
    """
    lines = _lines(file)[first - 1 : last]
    if not lines:
        return np.zeros((0, BODIES, _JOINTS, 3), dtype=np.float32)
    try:
        return _parse(lines)
    except ValueError:
        _explain(file, first, lines)
        raise


def count_frames(file: RawFile) -> int:
    """Number of frames of a video."""
    return len(_lines(file))


def _lines(file: RawFile) -> list[bytes]:
    """Lines of a video without blank ones at the end."""
    with suppress(OSError):  # reading says why
        return _kept_lines(file, file.path.stat().st_mtime_ns)
    return _kept_lines(file, 0)


@lru_cache(maxsize=1)
def _kept_lines(file: RawFile, changed: int) -> list[bytes]:
    """Cached for the video's next action. `changed` tells versions of the file apart."""
    lines = file.read(_MAX_BYTES).splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise file.error("is empty")
    if len(lines) > _MAX_FRAMES:
        raise file.error(f"has more than {_MAX_FRAMES} frames")
    return lines


def _parse(lines: list[bytes]) -> Array:
    """Raises ValueError if a line is not 150 numbers of plausible size."""
    if max(map(len, lines)) > _MAX_LINE:
        raise ValueError
    values = np.loadtxt(lines, dtype=np.float64, comments=None, ndmin=2)
    if values.shape != (len(lines), _NUMBERS) or not (np.abs(values) < MAX_METRES).all():
        raise ValueError  # also for NaN, and for blank lines, which loadtxt skips
    return values.astype(np.float32).reshape(-1, BODIES, _JOINTS, 3)


def _explain(file: RawFile, first: int, lines: list[bytes]) -> None:
    """Raises KinemeError with the first line that is wrong."""
    if any(b"\0" in line for line in lines):
        raise file.error("is binary, not a text file of skeletons")
    for number, line in enumerate(lines, start=first):
        fields = line.split(maxsplit=_NUMBERS)  # the excess stays in one piece
        if len(fields) != _NUMBERS:
            found = "more" if len(fields) > _NUMBERS else len(fields)
            raise file.error(f"expected {_NUMBERS} numbers, found {found}", line=number)
        for column, field in enumerate(fields, start=1):
            if not _is_coordinate(field):
                found = f"{shown(field.decode('ascii', 'backslashreplace'))} as number {column}"
                raise file.error(f"expected {_NUMBERS} numbers in metres, found {found}", line=number)
        if len(line) > _MAX_LINE:
            raise file.error(f"expected {_NUMBERS} numbers, found a line of {len(line):,} bytes", line=number)


def _is_coordinate(field: bytes) -> bool:
    try:
        return b"_" not in field and abs(float(field)) < MAX_METRES
    except ValueError:
        return False


def read_action(file: RawFile, number: int, text: str) -> tuple[int, int, int]:
    """A label line → first frame, last frame (from 1, included), class index (from 0)."""
    try:
        action, first, last = map(int, text.split(",")[:3])
        float(text.split(",", maxsplit=3)[3])
    except (ValueError, IndexError):
        raise file.error(f"expected class,first,last,confidence, found {shown(text)}", line=number) from None
    if not 1 <= action <= CLASSES:
        raise file.error(f"class {action} is not one of 1 to {CLASSES}", line=number)
    if not 1 <= first <= last <= _MAX_FRAMES:
        raise file.error(f"{shown(text)} is not a range of frames, counted from 1", line=number)
    return first, last, action - 1


def read_split(file: RawFile, video: re.Pattern[str], example: str) -> dict[str, bool]:
    """Video → whether it trains."""
    lines = read_lines(file)
    if len(lines) != 4:
        expected = "expected a title, training videos, a title, validation videos"
        raise file.error(f"has {len(lines)} lines", expected)
    trains: dict[str, bool] = {}
    for training, (number, text) in ((True, lines[1]), (False, lines[3])):
        for name in filter(None, map(str.strip, text.split(","))):
            if not video.fullmatch(name):
                expected = f"names such as {example}, separated by commas"
                raise KinemeError(f"{file}, line {number}: expected {expected}, found {shown(name)}")
            if trains.setdefault(name, training) != training:
                raise KinemeError(f"{file}, line {number}: {name} is also a training video")
    return trains


def read_lines(file: RawFile) -> tuple[tuple[int, str], ...]:
    """Lines of a small text file with their numbers, without blank ones."""
    data = file.read(_MAX_TEXT_BYTES)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise file.error("is binary, not a text file", FETCH)
    lines = enumerate(map(str.strip, text.splitlines()), start=1)
    rows = tuple((number, line) for number, line in lines if line)
    if not rows:
        raise file.error("is empty", FETCH)
    return rows
