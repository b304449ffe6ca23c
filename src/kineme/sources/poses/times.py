"""Instants in the files of estimators: seconds, milliseconds or dates in a column, a key or a file name.

A named unit (`time_ms`) is what counts. Otherwise it is the one, of seconds, milliseconds, microseconds and
nanoseconds, in which frames are 2.5 to 250 ms apart; where there is none, numbers are not times.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import numpy as np

from kineme.typing import Array

_UNITS = {1.0: (0.0025, 0.25), 1e-3: (2.5, 250), 1e-6: (2.5e3, 2.5e5), 1e-9: (2.5e6, 2.5e8)}
_NAMED = {
    "ms": 1e-3, "msec": 1e-3, "millis": 1e-3, "milliseconds": 1e-3, "us": 1e-6, "microseconds": 1e-6,
    "usec": 1e-6, "ns": 1e-9, "nanoseconds": 1e-9, "s": 1.0, "sec": 1.0, "secs": 1.0, "seconds": 1.0,
}  # fmt: skip
_NAMES = re.compile(
    rf"(?:date|frame|video|relative|elapsed)?(?:time|timestamp|timestamps|t|ts)(?:in)?(?P<unit>{'|'.join(_NAMED)})?"
    r"|(?P<alone>seconds|milliseconds|secs|msec)"
)
USUAL = (10, 12, 15, 20, 24, 25, 30, 48, 50, 60, 90, 100, 120, 240)
_BROADCAST = (23.976, 29.97, 59.94)
_NEAR, _EXACT = 0.01, 0.0003  # share by which a measured rate may differ from a usual one, and be that


@lru_cache(maxsize=1024)  # frames of JSON repeat their keys
def times_unit(name: str) -> float | None:
    """The unit of a column or key called like a time, in seconds: `time_ms` → 0.001; 0 if its name does not
    say; None if the name is none of a time.

    >>> times_unit("Timestamp"), times_unit("time (ms)"), times_unit("timestep")
    (0.0, 0.001, None)
    """
    match = _NAMES.fullmatch(re.sub(r"[^a-z]", "", name.lower()))
    if match is None:
        return None
    return _NAMED.get(match["unit"] or match["alone"] or "", 0.0)


def seconds(given: Iterable[Any], unit: float) -> Array | None:
    """(T,) numbers, numerals or dates → seconds from the first one, NaN where there is none.

    Args:
        given: of each frame in order.
        unit: as of `times_unit`.

    Returns:
        None if they are no times: other text, falling or equal throughout, or steps that no frame rate has.
    """
    dated = False

    def instants() -> Iterator[float]:
        nonlocal dated
        for each in given:
            dated = dated or (isinstance(each, str) and ":" in each)
            yield _instant(each)

    values = np.fromiter(instants(), np.float64)
    known = np.isfinite(values)
    if known.sum() < 2:
        return None
    values -= values[known][0]
    step = abs(values[known][-1]) / (known.sum() - 1)
    if dated:
        unit = 1.0
    elif not unit:
        unit = next((each for each, (low, high) in _UNITS.items() if low <= step <= high), 0.0)
    if not unit or not 1e-4 <= step * unit <= 10 or (np.diff(values[known]) < 0).any():
        return None
    return _fine(values * unit, known)


def _fine(times: Array, known: Array) -> Array:
    """Whole seconds that many frames share → evenly spaced times; others stay.

    The first and the last second may be seen in part, so what counts is where the others begin.
    """
    given = times[known]
    begun = np.flatnonzero(np.diff(given) > 0) + 1
    if len(begun) == len(given) - 1:
        return times
    first, last = (begun[0], begun[-1]) if len(begun) > 1 else (0, len(given) - 1)
    even = np.full_like(times, np.nan)
    even[known] = np.arange(len(given)) * (given[last] - given[first]) / (last - first)
    return even


def stamp(name: str) -> tuple[str, float] | None:
    """What comes before a time in the name of an image, and the time: of the epoch, in any unit, or a date.

    >>> stamp("cam1_1627401234567.jpg"), stamp("frame_12.jpg")
    (('cam1_', 1627401234567.0), None)
    """
    stem = re.sub(r"\.(?:[A-Za-z]\w{1,4})$", "", name)
    if match := re.fullmatch(r"(.*?)(?<!\d)([1-9]\d{9,18}|[1-9]\d{8,10}\.\d{1,9})", stem):
        return match[1], float(match[2])
    date = r"((?:19|20)\d\d)[-_]?(\d\d)[-_]?(\d\d)[-_T ](\d\d)[-_:]?(\d\d)[-_:]?(\d\d)(?:[-_.,](\d{1,6}))?"
    if match := re.fullmatch(rf"(.*?){date}", stem):
        *whole, part = match.groups()[1:]
        year, month, day, hour, minute, second = map(int, whole)
        try:
            instant = datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
        except ValueError:
            return None
        return match[1], (instant + float(f"0.{part or 0}")) * 1000
    return None


def in_order(stamps: Sequence[float]) -> tuple[Array, Array]:
    """Times of detections (D,), in any unit → the frame of each, and the seconds of the frames (T,).

    Raises:
        ValueError: no unit gives a frame rate.
    """
    instants, frame = np.unique(np.array(stamps, dtype=np.float64), return_inverse=True)
    times = seconds(instants.tolist(), 0.0) if len(instants) > 1 else np.zeros(1)
    if times is None:
        raise ValueError("has times in its image names that are no frames of a video")
    return frame.astype(np.int64), times


def rate_of(times: Array) -> float | None:
    """Frames a second of instants (T,), at their median step; a usual rate where it is near to one."""
    known = times[np.isfinite(times)]
    steps = np.diff(known)
    if not len(steps) or not (steps > 0).any():
        return None
    middle = np.median(steps[steps > 0])
    # Milliseconds are rounded: the mean of the steps that are no pauses is more exact than their median.
    even = steps[(steps > 0.5 * middle) & (steps < 1.5 * middle)]
    return usual_rate([1 / float(even.mean())]) if len(even) else None


def usual_rate(rates: Sequence[float]) -> float:
    """The rate of clips whose measured rates differ a little: their median, or a usual rate near to it."""
    rate = float(np.median(rates))
    for usual, near in (*((each, _EXACT) for each in _BROADCAST), *((each, _NEAR) for each in USUAL)):
        if abs(usual - rate) <= near * usual:
            return float(usual)
    return round(rate, 2)


def _instant(given: Any) -> float:
    """A number, or seconds of a date or time of day; NaN for anything else."""
    if isinstance(given, str) and ":" in given:
        return _of_date(given.strip())
    try:
        value = float(given)
    except (TypeError, ValueError, OverflowError):
        return float("nan")
    return value if abs(value) < 1e20 else float("nan")


def _of_date(text: str) -> float:
    if match := re.fullmatch(r"(?:(\d{1,4}):)?(\d{1,4}):(\d{1,4}(?:[.,]\d{1,9})?)", text):
        hours, minutes, rest = match.groups()
        return int(hours or 0) * 3600 + int(minutes) * 60 + float(rest.replace(",", "."))
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return float("nan")
