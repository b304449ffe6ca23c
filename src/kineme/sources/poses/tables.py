"""CSV of one clip, separated by commas, semicolons or tabs.

Wide, a row per frame:  frame,left_wrist_x,left_wrist_y,left_wrist_z,left_wrist_c,right_wrist_x,...
                        x0,y0,z0,v0,x1,... (joints by number, in the order of the layout)
                        or no header: V times 2, 3 or 4 numbers
Long, a row per joint:  frame,joint,x,y,z,c (joints by name or by number)

`z` and the confidence are optional; the confidence may be named c, v, conf, confidence, score, visibility or
likelihood, a joint in the long form also landmark or keypoint. A column `body` (or person) separates people;
the wide form then needs `frame`. Missing frames are gaps, empty fields joints that were not found. Other
columns are ignored.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np

from kineme.layouts import Layout
from kineme.sources.poses.arrays import Poses, check_size, renumber, split_columns
from kineme.sources.raw import shown
from kineme.typing import Array

MAX_CSV_BYTES = 1 << 29  # four hours of 33 joints with confidences, at 30 frames a second
_BLOCK = 4096  # rows that are text at a time
_AXES = {"x": 0, "y": 1, "z": 2} | dict.fromkeys(
    ("c", "v", "conf", "confidence", "score", "visibility", "likelihood"), 3
)
_AXIS = "|".join(sorted(_AXES, key=len, reverse=True))
_AFTER = re.compile(rf"(.+?)(?:[ _.:-]({_AXIS})|(?<=\d)({_AXIS}))", re.IGNORECASE)  # left_wrist_x, 0_x, 12x
_BEFORE = re.compile(rf"({_AXIS})[ _.:-]?(\d+)", re.IGNORECASE)  # x0, v_12
_FRAME = ("frame", "frame_index", "frame_id", "frame_number")
_BODY = ("body", "person", "body_id", "person_id", "track", "track_id")
_JOINT = ("joint", "landmark", "keypoint", "joint_name", "joint_id", "landmark_id", "landmark_name")

Row = list[str]


def csv_poses(data: bytes, scores: bool, layout: Layout | None) -> Poses:
    """The bytes of a CSV file → its clip.

    Args:
        data: the file.
        scores: without a header, the last of three numbers is a confidence.
        layout: without a header, the layout of the joints.

    Raises:
        ValueError: what is wrong, and in which line.
    """
    rows = _rows(data)
    first = next(rows, None)
    if first is None:
        raise ValueError("is empty")
    if all(_is_number(field) for field in first[1]):
        return _bare(chain([first], rows), len(first[1]), scores, layout)
    header = [name.strip() for name in first[1]]
    lower = [name.lower() for name in header]
    second = next(rows, None)
    if second is None:
        raise ValueError("has a header but no frames")
    rows = chain([second], rows)
    frame, body, joint = (_column(lower, names) for names in (_FRAME, _BODY, _JOINT))
    if joint is not None and "x" in lower and "y" in lower:
        if frame is None:
            raise ValueError("has a row per joint but no column 'frame'")
        return _long(rows, lower, frame, body, joint)
    return _wide(rows, header, frame, body)


def _rows(data: bytes) -> Iterator[tuple[int, Row]]:
    """Line number and fields of the rows that are not blank."""
    if b"\0" in data:
        raise ValueError("is binary, not a CSV file")
    lines = io.TextIOWrapper(io.BytesIO(data), "utf-8-sig")
    try:
        first = next((line for line in lines if line.strip()), None)
        if first is None:
            return
        delimiter = max(",;\t", key=first.count)
        lines.seek(0)
        reader = csv.reader(lines, delimiter=delimiter)
        for row in reader:
            if any(row):
                yield reader.line_num, row
    except UnicodeDecodeError as error:
        raise ValueError("is not UTF-8 text") from error
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from error


@dataclass(frozen=True)
class _Columns:
    """Columns of a table: of its text only a few rows are in memory at a time."""

    lines: Array  # (R,) line numbers
    numbers: Array  # (R, columns) float32, NaN for empty fields
    frames: list[int]  # (R,) or empty
    texts: list[list[str]]  # (columns, R); equal texts are one object


def _columns(
    rows: Iterator[tuple[int, Row]],
    width: int,
    numbers: Sequence[int],
    frame: int | None = None,
    texts: Sequence[int] = (),
    first: str = "the header",
) -> _Columns:
    """Reads these columns of a table whose first line has `width` fields."""
    lines: list[int] = []
    parts: list[Array] = []
    frames: list[int] = []
    read: list[list[str]] = [[] for _ in texts]
    known: dict[str, str] = {}
    while block := list(islice(rows, _BLOCK)):
        for number, row in block:
            if len(row) != width:
                raise ValueError(f"line {number} has {len(row)} fields, {first} {width}")
        lines += [number for number, _ in block]
        parts.append(_floats(block, numbers).astype(np.float32))
        if frame is not None:
            frames += _integers(block, frame)
        for column, found in zip(texts, read, strict=True):
            found += [known.setdefault(row[column], row[column]) for _, row in block]
    return _Columns(np.array(lines), np.concatenate(parts), frames, read)


def _bare(rows: Iterator[tuple[int, Row]], numbers: int, scores: bool, layout: Layout | None) -> Poses:
    joints = layout.num_joints if layout else _GUESSES.get((numbers, scores))
    if joints is None:
        raise ValueError(f"has {numbers} numbers per row and no header; name their `layout`")
    columns, rest = divmod(numbers, joints)
    if rest or not 2 <= columns <= 4:
        expected = f"2, 3 or 4 for each of {joints} joints, or a header"
        raise ValueError(f"has {numbers} numbers per row; expected {expected}")
    check_size(1, 1, joints, columns)
    read = _columns(rows, numbers, range(numbers), first="the first")
    check_size(len(read.lines), 1, joints, columns)
    return Poses(*split_columns(read.numbers.reshape(-1, 1, joints, columns), scores))


# (numbers per row, whether the last of three is a confidence) → joints, if unambiguous
_GUESSES = {
    **{(17 * 2, scores): 17 for scores in (False, True)},
    (17 * 3, True): 17,
    **{(33 * columns, scores): 33 for columns in (2, 3, 4) for scores in (False, True)},
}


def _wide(rows: Iterator[tuple[int, Row]], header: Row, frame: int | None, body: int | None) -> Poses:
    if body is not None and frame is None:
        raise ValueError("has a column of people but no column 'frame'")
    found: dict[str, dict[int, int]] = {}
    for column, name in enumerate(header):
        match = _BEFORE.fullmatch(name)
        joint, axis = (match[2], match[1]) if match else ("", "")
        if column not in (frame, body) and not match and (match := _AFTER.fullmatch(name)):
            joint, axis = match[1], match[2] or match[3]
        if axis:
            columns = found.setdefault(joint, {})
            if _AXES[axis.lower()] in columns:
                raise ValueError(f"line 1 has {axis} of joint {shown(joint)} twice")
            columns[_AXES[axis.lower()]] = column
    found = {joint: columns for joint, columns in found.items() if {0, 1} <= set(columns)}
    if not found:
        raise ValueError("line 1 names no joints; expected columns such as left_wrist_x, left_wrist_y")
    axes = sorted(next(iter(found.values())))
    for joint, columns in found.items():
        if sorted(columns) != axes:
            first = shown(next(iter(found)))
            raise ValueError(f"line 1: joint {shown(joint)} has other columns than {first}")
    names, order = _in_order(list(found))
    places = [found[name][axis] for name in order for axis in axes]
    read = _columns(rows, len(header), places, frame, [] if body is None else [body])
    values = read.numbers.reshape(-1, len(order), len(axes))
    joints = np.broadcast_to(np.arange(len(order)), values.shape[:2])
    return _placed(read, joints, values, axes, names)


def _long(rows: Iterator[tuple[int, Row]], header: Row, frame: int, body: int | None, joint: int) -> Poses:
    places: dict[int, int] = {}
    for column, name in enumerate(header):
        if name in _AXES and column not in (frame, body, joint):
            places.setdefault(_AXES[name], column)
    axes = sorted(places)
    texts = [joint] if body is None else [body, joint]
    read = _columns(rows, len(header), [places[axis] for axis in axes], frame, texts)
    stripped = {name: name.strip() for name in dict.fromkeys(read.texts[-1])}
    given = [stripped[name] for name in read.texts.pop()]
    names, order = _in_order(list(dict.fromkeys(given)))
    at = {name: index for index, name in enumerate(order)}
    joints = np.array([at[name] for name in given])[:, None]
    return _placed(read, joints, read.numbers[:, None], axes, names)


def _placed(read: _Columns, joints: Array, values: Array, axes: list[int], names: tuple[str, ...]) -> Poses:
    """(R, k, axes) values of joints (R, k), each row of one frame and body → the clip."""
    frame, frames = renumber(read.frames or range(len(read.lines)))
    bodies = read.texts[0] if read.texts else [""] * len(read.lines)
    slots = {name: slot for slot, name in enumerate(dict.fromkeys(bodies))}
    slot = np.array([slots[name] for name in bodies])
    count = int(joints.max()) + 1
    check_size(frames, len(slots), count, len(axes))
    place = ((frame * len(slots) + slot)[:, None] * count + joints).ravel()
    if len(np.unique(place)) < place.size:
        order = np.argsort(place, kind="stable")
        again = order[np.flatnonzero(np.diff(place[order]) == 0)[0] + 1] // joints.shape[1]
        raise ValueError(f"line {read.lines[again]} duplicates a joint of a frame")
    full = np.full((frames * len(slots) * count, len(axes)), np.nan, dtype=np.float32)
    full[place] = values.reshape(-1, len(axes))
    points, confidence = split_columns(full.reshape(frames, len(slots), count, len(axes)), scores=3 in axes)
    return Poses(points, confidence, names)


def _in_order(joints: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """Names and order of the joints: named joints keep their order, numbered ones are sorted and nameless."""
    numbers = [re.fullmatch(r"([A-Za-z]*[ _]?)(\d{1,6})", joint) for joint in joints]
    if not all(numbers) or len({match[1] for match in numbers if match}) > 1:
        return tuple(joints), joints
    ordered = sorted((int(match[2]), joint) for match, joint in zip(numbers, joints, strict=True) if match)
    first = ordered[0][0]
    if [number for number, _ in ordered] != list(range(first, first + len(ordered))) or first > 1:
        raise ValueError("lacks joints between the first and the last number")
    return (), [joint for _, joint in ordered]


def _floats(rows: list[tuple[int, Row]], columns: Sequence[int]) -> Array:
    """(R, columns) numbers; an empty field is NaN."""
    try:
        return np.array([[float(row[column] or "nan") for column in columns] for _, row in rows])
    except ValueError:
        for number, row in rows:
            for column in columns:
                if row[column].strip() and not _is_number(row[column]):
                    raise ValueError(f"line {number}: {shown(row[column])} is not a number") from None
        return np.array([[float(row[column].strip() or "nan") for column in columns] for _, row in rows])


def _integers(rows: list[tuple[int, Row]], column: int) -> list[int]:
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


def _is_number(field: str) -> bool:
    try:
        float(field or "nan")
    except ValueError:
        return not field.strip()
    return True


def _column(header: Row, names: Sequence[str]) -> int | None:
    return next((header.index(name) for name in names if name in header), None)
