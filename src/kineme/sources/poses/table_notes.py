"""What the first lines of a table say of its clip: frame rate, class, person and camera."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from kineme.sources.poses.arrays import step_of
from kineme.sources.poses.headers import columns_of
from kineme.sources.poses.rows import Rows, decimal, in_utf8, is_number, rows_of
from kineme.sources.poses.tables import column_of, headed
from kineme.sources.poses.times import rate_of, seconds, times_unit

NOTES_BYTES = 1 << 16  # that are looked at
_ROWS = 10  # whose texts are
_RATE = re.compile(
    r"(?:fps|(?:frame|sampling|nominal)[ _]?rate)\D{0,5}(\d{1,5}(?:\.\d{1,6})?)", re.IGNORECASE
)


def csv_notes(data: bytes, wanted: Mapping[str, str]) -> dict[str, Any]:
    """The frame rate from a table's first lines; label, subject and camera from columns.

    Args:
        data: the first `NOTES_BYTES` of the file.
        wanted: `label`, `subject` or `camera` → name of its column.

    Returns:
        `fps`, `label` and so on, as far as the table says them; and `texts`, the different texts of each
        column that has several in its first rows.
    """
    whole = len(data) < NOTES_BYTES
    data = in_utf8(data)
    if not whole:
        data = data[: data.rfind(b"\n") + 1]
    notes: dict[str, Any] = {}
    rows = rows_of(data)
    if match := _RATE.search(data[: rows.start[0]].decode(errors="replace")):  # in what is above the header
        notes["fps"] = float(match[1])
    header, below = headed(rows)
    if texts := _texts(below[:_ROWS]):
        notes["texts"] = texts
    first = below[0][1] if len(below) else []
    for role, name in wanted.items():
        column = column_of(header, name)
        notes[role] = first[column].strip() if column < len(first) else ""
    columns = columns_of(header)
    if columns.fps is not None and columns.fps < len(first):
        with suppress(ValueError):
            notes["fps"] = float(decimal(first[columns.fps]))
    if "fps" in notes and columns.frame is not None:  # that of the video, of which these may be every k-th
        with suppress(ValueError):
            notes["fps"] /= step_of(below.integers(columns.frame))
    if columns.time is not None and "fps" not in notes:
        # Rows of several people or joints repeat the time of a frame: those of one tell.
        apart = [at for at in (columns.body, columns.joint, columns.group, columns.version) if at is not None]
        given: dict[tuple[str, ...], list[str]] = {}
        for _, row in below:
            if len(row) == len(header):
                given.setdefault(tuple(row[at] for at in apart), []).append(decimal(row[columns.time]))
        longest = max(given.values(), key=len) if given else []
        times = seconds(longest, times_unit(header[columns.time]) or 0.0)
        if times is not None and (rate := rate_of(times)):
            notes |= {"fps": rate, "measured": True}
    return notes


def _texts(rows: Rows) -> list[set[str]]:
    """The different texts, other than numbers, of each column that has several."""
    columns = zip(*(row for _, row in rows), strict=False)
    found = [{field.strip() for field in column if not is_number(field)} for column in columns]
    return [texts for texts in found if len(texts) > 1]
