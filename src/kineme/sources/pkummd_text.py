"""PKU-MMD's text files: skeletons, labels and splits, read by value or refused with the line that is wrong.

Their form is told in `pkummd.py`.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import lru_cache

import numpy as np

from kineme.errors import KinemeError
from kineme.sources.metres import MAX_METRES
from kineme.sources.raw import RawFile
from kineme.typing import Array

CLASSES = 51
BODIES = 2
REMEDY = "fetch the file again, or leave it out (--ignore, --skip-bad)"
_JOINTS = 25
_NUMBERS = BODIES * _JOINTS * 3  # on a line
_MAX_LINE = 40 * _NUMBERS  # bytes; a number takes at most 25
_MAX_FRAMES = 100_000  # the longest videos have some 10,000
_MAX_BYTES = 1 << 26
_MAX_TEXT_BYTES = 1 << 20  # of labels and splits


def read_skeletons(file: RawFile, first: int = 1, last: int | None = None) -> Array:
    """(T, 2, 25, 3) float32: frames `first` to `last`, counted from 1; fewer where the video ends before.

    Only these lines are looked at: an action is cut out of a video without reading the numbers of the others.

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
    """How many frames a video's skeletons have."""
    return len(_lines(file))


def _lines(file: RawFile) -> list[bytes]:
    """Lines of a video but blank ones at the end."""
    with suppress(OSError):  # reading it tells why
        return _kept_lines(file, file.path.stat().st_mtime_ns)
    return _kept_lines(file, 0)


@lru_cache(maxsize=1)
def _kept_lines(file: RawFile, changed: int) -> list[bytes]:
    """Kept for the video's next action, which is cut out of the same lines. `changed` marks a new version."""
    lines = file.read(_MAX_BYTES).splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise KinemeError(f"{file}: is empty; {REMEDY}")
    if len(lines) > _MAX_FRAMES:
        raise KinemeError(f"{file}: has more than {_MAX_FRAMES} frames; {REMEDY}")
    return lines


def _parse(lines: list[bytes]) -> Array:
    """ValueError where a line is not 150 numbers of plausible size."""
    if max(map(len, lines)) > _MAX_LINE:
        raise ValueError
    values = np.loadtxt(lines, dtype=np.float64, comments=None, ndmin=2)
    if values.shape != (len(lines), _NUMBERS) or not (np.abs(values) < MAX_METRES).all():
        raise ValueError  # a blank line is passed over; NaN is not smaller either
    return values.astype(np.float32).reshape(-1, BODIES, _JOINTS, 3)


def _explain(file: RawFile, first: int, lines: list[bytes]) -> None:
    """Raises what is wrong with lines that could not be parsed, and in which."""
    if any(b"\0" in line for line in lines):
        raise KinemeError(f"{file}: is binary, not a text file of skeletons; {REMEDY}")
    for number, line in enumerate(lines, start=first):
        fields = line.split(maxsplit=_NUMBERS)  # what is too much stays in one piece
        if len(fields) != _NUMBERS:
            found = "more" if len(fields) > _NUMBERS else len(fields)
            raise KinemeError(f"{file}:{number}: expected {_NUMBERS} numbers, found {found}; {REMEDY}")
        for column, field in enumerate(fields, start=1):
            if not _is_coordinate(field):
                raise KinemeError(
                    f"{file}:{number}: expected {_NUMBERS} numbers in metres, found "
                    f"{shown(field.decode('ascii', 'backslashreplace'))} as number {column}; {REMEDY}"
                )
        if len(line) > _MAX_LINE:
            raise KinemeError(
                f"{file}:{number}: expected {_NUMBERS} numbers, found a line of {len(line):,} bytes; {REMEDY}"
            )


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
        raise KinemeError(
            f"{file}:{number}: expected class,first,last,confidence, found {shown(text)}; {REMEDY}"
        ) from None
    if not 1 <= action <= CLASSES:
        raise KinemeError(f"{file}:{number}: class {action} is not one of 1 to {CLASSES}; {REMEDY}")
    if not 1 <= first <= last <= _MAX_FRAMES:
        raise KinemeError(
            f"{file}:{number}: {shown(text)} names no frames of a video, which are counted from 1; {REMEDY}"
        )
    return first, last, action - 1


def shown(text: str) -> str:
    """What a file holds, as a message quotes it: at most 60 letters."""
    return repr(text if len(text) <= 60 else f"{text[:60]}...")


def read_split(file: RawFile, video: re.Pattern[str], example: str) -> dict[str, bool]:
    """Video → whether it trains."""
    lines = read_lines(file)
    if len(lines) != 4:
        raise KinemeError(
            f"{file}: has {len(lines)} lines; expected a title, training videos, a title, validation videos"
        )
    trains: dict[str, bool] = {}
    for training, (number, text) in ((True, lines[1]), (False, lines[3])):
        for name in filter(None, map(str.strip, text.split(","))):
            if not video.fullmatch(name):
                raise KinemeError(
                    f"{file}:{number}: expected names such as {example} with commas between, found "
                    f"{shown(name)}"
                )
            if trains.setdefault(name, training) != training:
                raise KinemeError(f"{file}:{number}: {name} is among the training videos as well")
    return trains


def read_lines(file: RawFile) -> tuple[tuple[int, str], ...]:
    """Lines of a small text file that are not blank, with their numbers."""
    data = file.read(_MAX_TEXT_BYTES)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise KinemeError(f"{file}: is binary, not a text file; fetch the file again")
    lines = enumerate(map(str.strip, text.splitlines()), start=1)
    rows = tuple((number, line) for number, line in lines if line)
    if not rows:
        raise KinemeError(f"{file}: is empty; fetch the file again")
    return rows
