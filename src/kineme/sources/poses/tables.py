"""CSV of one clip, separated by commas, semicolons or tabs.

Wide, a row per frame:  frame,left_wrist_x,left_wrist_y,left_wrist_z,left_wrist_c,right_wrist_x,...
                        x0,y0,z0,v0,x1,... (joints by number, in the order of the layout)
                        or no header: V times 2, 3 or 4 numbers
Long, a row per joint:  frame,joint,x,y,z,c (joints by name or by number)

`headers.py` has the names of columns that are known. Missing frames are gaps, empty fields joints that were
not found; a confidence that is empty throughout is none. A column of times says where frames are in time.
Other columns are ignored. Lines before the header that begin with `#` may give the frame rate (`# fps: 25`).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import overload

import numpy as np

from kineme.layouts import Layout
from kineme.sources.poses import holistic
from kineme.sources.poses.arrays import Poses, check_size, renumber, split_columns
from kineme.sources.poses.headers import Columns, columns_of, joint_columns, places, plain
from kineme.sources.poses.times import seconds, times_unit
from kineme.sources.raw import RemediedError, shown
from kineme.typing import Array

MAX_CSV_BYTES = 1 << 29  # four hours of 33 joints with confidences at 30 frames a second
_TOGETHER = 1 << 12  # rows whose fields are in memory
_NOTHING = ("none", "null", "na", "n/a")  # besides nan, for a joint that was not found

Row = list[str]


@dataclass(frozen=True)
class _Lines(Sequence[tuple[int, Row]]):
    """Line number and fields of rows without quotes, which are split when they are asked for.

    The fields of an hour would take 2 GB.
    """

    lines: list[str]
    numbers: list[int]
    delimiter: str

    def __len__(self) -> int:
        return len(self.lines)

    @overload
    def __getitem__(self, place: int) -> tuple[int, Row]: ...

    @overload
    def __getitem__(self, place: slice) -> _Lines: ...

    def __getitem__(self, place: int | slice) -> tuple[int, Row] | _Lines:
        if isinstance(place, slice):
            return replace(self, lines=self.lines[place], numbers=self.numbers[place])
        return self.numbers[place], self.lines[place].split(self.delimiter)

    def __iter__(self) -> Iterator[tuple[int, Row]]:
        split = (line.split(self.delimiter) for line in self.lines)
        return zip(self.numbers, split, strict=True)


def csv_poses(data: bytes, scores: bool, layout: Layout | None, constant: Sequence[str] = ()) -> Poses:
    """The bytes of a CSV file → its clip.

    Args:
        data: the file.
        scores: without a header, the last of three numbers is a confidence.
        layout: without a header, the layout of the joints.
        constant: names of columns that have one value throughout, such as that of the class.

    Raises:
        ValueError: what is wrong, and in which line.
    """
    rows = table_rows(data)
    if all(is_number(field) for field in rows[0][1]):
        return _bare(rows, scores, layout)
    header = [name.strip() for name in rows[0][1]]
    if len(rows) == 1:
        raise RemediedError("has a header but no frames", "remove it")
    for number, row in rows[1:]:
        if len(row) != len(header):
            raise ValueError(f"line {number} has {len(row)} fields, the header {len(header)}")
    for name in constant:
        _one_value(rows[1:], header, name)
    return table_poses(header, rows[1:])


def table_poses(header: Row, rows: Sequence[tuple[int, Row]]) -> Poses:
    """Names of columns, and the number and fields of each line → the clip; raises ValueError."""
    columns = columns_of(header)
    if columns.joint is not None and {0, 1} <= set(at := places(header)):
        return _long(rows, header, columns, at)
    return _wide(rows, header, columns)


def column_of(header: Row, name: str) -> int:
    """The place of a column; raises ValueError if there is none of the name."""
    names = [plain(each) for each in header]
    if plain(name) not in names:
        some = ", ".join(header[:8]) + (", ..." if len(header) > 8 else "")
        raise RemediedError(f"has no column {name!r}; it has {shown(some)}", "name one of its columns")
    return names.index(plain(name))


def _one_value(rows: Sequence[tuple[int, Row]], header: Row, name: str) -> None:
    column = column_of(header, name)
    for number, row in rows:
        if row[column].strip() != rows[0][1][column].strip():
            one, other = shown(rows[0][1][column]), shown(row[column])
            changes = f"line {number}: column {name!r} changes from {one} to {other}"
            raise RemediedError(changes, "write a file for each clip")


def table_rows(data: bytes) -> Sequence[tuple[int, Row]]:
    """Line number and fields of the rows that are not blank."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError("is not UTF-8 text") from error
    if "\0" in text:
        raise ValueError("is binary, not a CSV file")
    lines = ["" if line.startswith("#") else line for line in text.splitlines()]
    first = next((line for line in lines if line.strip()), None)
    if first is None:
        raise ValueError("is empty")
    delimiter = max(",;\t", key=first.count)
    if '"' not in text:
        numbers = [number for number, line in enumerate(lines, 1) if line.strip(delimiter)]
        return _Lines([lines[number - 1] for number in numbers], numbers, delimiter)
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        return [(reader.line_num, row) for row in reader if any(row)]
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from error


def _bare(rows: Sequence[tuple[int, Row]], scores: bool, layout: Layout | None) -> Poses:
    numbers = len(rows[0][1])
    joints = layout.num_joints if layout else _GUESSES.get((numbers, scores))
    if joints is None:
        raise RemediedError(f"has {numbers} numbers per row and no header", "name their `layout`")
    columns, rest = divmod(numbers, joints)
    if rest or not 2 <= columns <= 4:
        expected = f"expected 2, 3 or 4 for each of {joints} joints, or a header"
        raise RemediedError(f"has {numbers} numbers per row; {expected}", "name their `layout`")
    check_size(len(rows), 1, joints, columns)
    for number, row in rows:
        if len(row) != numbers:
            raise ValueError(f"line {number} has {len(row)} numbers, the first {numbers}")
    values = floats(rows, range(numbers)).reshape(len(rows), 1, joints, columns)
    return Poses(*split_columns(values, scores))


# (numbers per row, whether the last of three is a confidence) → joints, if unambiguous
_GUESSES = {
    **{(17 * 2, scores): 17 for scores in (False, True)},
    (17 * 3, True): 17,
    **{(33 * columns, scores): 33 for columns in (2, 3, 4) for scores in (False, True)},
}


def _wide(rows: Sequence[tuple[int, Row]], header: Row, columns: Columns) -> Poses:
    found = joint_columns(header, (columns.frame, columns.body, columns.time))
    if groups := holistic.named(list(found)):
        found = {name: found[joint] for joint, name in groups.items()}
    axes = sorted(next(iter(found.values())))
    names, order = _in_order(list(found))
    places = [found[name][axis] for name in order for axis in axes]
    values = floats(rows, places).reshape(len(rows), len(order), len(axes))
    if not names and (body := holistic.body_of(len(order))):
        values = values[:, body]
    joints = np.broadcast_to(np.arange(values.shape[1]), values.shape[:2])
    return _placed(rows, header, columns, joints, values, axes, names)


def _long(rows: Sequence[tuple[int, Row]], header: Row, columns: Columns, at: Mapping[int, int]) -> Poses:
    assert columns.joint is not None
    axes = sorted(at)
    rows, given = _of_groups(rows, columns.joint, columns.group)
    names, order = _in_order(list(dict.fromkeys(given)))
    column = {name: index for index, name in enumerate(order)}
    joints = np.array([column[name] for name in given])[:, None]
    values = floats(rows, [at[axis] for axis in axes])[:, None]
    return _placed(rows, header, columns, joints, values, axes, names)


def _of_groups(
    rows: Sequence[tuple[int, Row]], joint: int, group: int | None
) -> tuple[Sequence[tuple[int, Row]], list[str]]:
    """The rows that make the clip, and the joint of each: the body in the world, else all but the face."""
    given = [row[joint].strip() for _, row in rows]
    given = [str(int(each)) if each.isdecimal() and len(each) < 7 else each for each in given]
    if group is None:
        return rows, given
    groups = [row[group].strip() for _, row in rows]
    world = [re.search("world", each, re.IGNORECASE) is not None for each in groups]
    if any(world):
        kept = [place for place, there in enumerate(world) if there]
        return [rows[place] for place in kept], [given[place] for place in kept]
    names = holistic.named(
        list(dict.fromkeys(f"{of}_{each}" for of, each in zip(groups, given, strict=True)))
    )
    if not names:
        return rows, given
    named = [names.get(f"{of}_{each}") for of, each in zip(groups, given, strict=True)]
    kept = [place for place, name in enumerate(named) if name]
    return [rows[place] for place in kept], [name for name in named if name]


def _placed(
    rows: Sequence[tuple[int, Row]], header: Row, columns: Columns, joints: Array, values: Array,
    axes: list[int], names: tuple[str, ...],
) -> Poses:  # fmt: skip
    """(R, k, axes) values of joints (R, k), each row of one frame and body → the clip."""
    frame, frames = renumber(_frames(rows, columns))
    bodies = [row[columns.body] for _, row in rows] if columns.body is not None else [""] * len(rows)
    slots = {name: slot for slot, name in enumerate(dict.fromkeys(bodies))}
    slot = np.array([slots[name] for name in bodies])
    count = int(joints.max()) + 1
    check_size(frames, len(slots), count, len(axes))
    place = ((frame * len(slots) + slot)[:, None] * count + joints).ravel()
    if len(np.unique(place)) < place.size:
        order = np.argsort(place, kind="stable")
        again = order[np.flatnonzero(np.diff(place[order]) == 0)[0] + 1] // joints.shape[1]
        raise ValueError(f"line {rows[again][0]} duplicates a joint of a frame")
    if 3 in axes and np.isnan(values[..., axes.index(3)]).all():  # an empty column
        axes, values = axes[:-1], values[..., :-1]
    full = np.full((frames * len(slots) * count, len(axes)), np.nan, np.float32)
    full[place] = values.reshape(-1, len(axes))
    points, confidence = split_columns(full.reshape(frames, len(slots), count, len(axes)), scores=3 in axes)
    return Poses(points, confidence, names, times=_times(rows, header, columns, frame, frames))


def _frames(rows: Sequence[tuple[int, Row]], columns: Columns) -> list[int]:
    """The frame number of each row: told, else counted, with people or joints by the changes of time."""
    if columns.frame is not None:
        return _integers(rows, columns.frame)
    several = columns.body is not None or columns.joint is not None
    if not several:
        return list(range(len(rows)))
    if columns.time is not None:
        given = [row[columns.time] for _, row in rows]
        changes = [1] + [int(one != other) for one, other in pairwise(given)]
        return list(accumulate(changes))
    what = "a column of people" if columns.joint is None else "a row per joint"
    raise RemediedError(f"has {what} but no column 'frame'", "add one")


def _times(
    rows: Sequence[tuple[int, Row]], header: Row, columns: Columns, frame: Array, frames: int
) -> Array | None:
    """(T,) seconds of the frames, from a column of times; those of missing frames between the others."""
    if columns.time is None or columns.time == columns.frame:
        return None
    first = np.unique(frame, return_index=True)[1]
    given = [rows[row][1][columns.time] for row in first]
    times = seconds(given, times_unit(header[columns.time]) or 0.0)
    if times is None:
        return None
    known = np.isfinite(times)
    return np.interp(np.arange(frames), frame[first][known], times[known])


def _in_order(joints: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """Names and order of the joints: named joints keep their order, numbered ones are sorted and nameless."""
    numbers = [re.fullmatch(r"([A-Za-z_ ]*?[ _]?)(\d{1,6})", joint) for joint in joints]
    if not all(numbers) or len({match[1] for match in numbers if match}) > 1:
        return tuple(holistic.landmark_name(joint) for joint in joints), joints
    ordered = sorted((int(match[2]), joint) for match, joint in zip(numbers, joints, strict=True) if match)
    first = ordered[0][0]
    if [number for number, _ in ordered] != list(range(first, first + len(ordered))) or first > 1:
        raise ValueError("lacks joints between the first and the last number")
    return (), [joint for _, joint in ordered]


def floats(rows: Sequence[tuple[int, Row]], columns: Sequence[int]) -> Array:
    """(R, columns) numbers, float32; an empty field is NaN."""
    values = np.empty((len(rows), len(columns)), np.float32)
    with np.errstate(over="ignore"):  # what is beyond float32 is refused as infinite
        for first in range(0, len(rows), _TOGETHER):
            values[first : first + _TOGETHER] = _floats(rows[first : first + _TOGETHER], columns)
    return values


def _floats(rows: Sequence[tuple[int, Row]], columns: Sequence[int]) -> list[list[float]]:
    try:
        return [[float(row[column] or "nan") for column in columns] for _, row in rows]
    except ValueError:
        for number, row in rows:
            for column in columns:
                if row[column].strip() and not is_number(row[column]):
                    raise ValueError(f"line {number}: {shown(row[column])} is not a number") from None
        return [[_number(row[column]) for column in columns] for _, row in rows]


def _integers(rows: Sequence[tuple[int, Row]], column: int) -> list[int]:
    numbers = []
    for number, row in rows:
        try:
            value = float(row[column])
            numbers.append(int(value))
            if value != numbers[-1]:
                raise ValueError
        except (ValueError, OverflowError):
            raise ValueError(f"line {number}: {shown(row[column])} is not a frame number") from None
    return numbers


def is_number(field: str) -> bool:
    """Whether it is a number, or stands for none."""
    try:
        _number(field)
    except ValueError:
        return False
    return True


def _number(field: str) -> float:
    text = field.strip()
    return float("nan") if not text or text.lower() in _NOTHING else float(text)
