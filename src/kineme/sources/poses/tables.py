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
import re
from collections.abc import Sequence

import numpy as np

from kineme.layouts import Layout
from kineme.sources.poses.arrays import Poses, check_size, renumber, split_columns
from kineme.sources.raw import shown
from kineme.typing import Array

MAX_CSV_BYTES = 1 << 26
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
    if all(_is_number(field) for field in rows[0][1]):
        return _bare(rows, scores, layout)
    header = [name.strip() for name in rows[0][1]]
    lower = [name.lower() for name in header]
    if len(rows) == 1:
        raise ValueError("has a header but no frames")
    frame, body, joint = (_column(lower, names) for names in (_FRAME, _BODY, _JOINT))
    for number, row in rows[1:]:
        if len(row) != len(header):
            raise ValueError(f"line {number} has {len(row)} fields, the header {len(header)}")
    if joint is not None and "x" in lower and "y" in lower:
        if frame is None:
            raise ValueError("has a row per joint but no column 'frame'")
        return _long(rows[1:], lower, frame, body, joint)
    return _wide(rows[1:], header, frame, body)


def _rows(data: bytes) -> list[tuple[int, Row]]:
    """Line number and fields of the rows that are not blank."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError("is not UTF-8 text") from error
    if "\0" in text:
        raise ValueError("is binary, not a CSV file")
    lines = text.splitlines()
    first = next((line for line in lines if line.strip()), None)
    if first is None:
        raise ValueError("is empty")
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        return [(reader.line_num, row) for row in reader if any(row)]
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from error


def _bare(rows: list[tuple[int, Row]], scores: bool, layout: Layout | None) -> Poses:
    numbers = len(rows[0][1])
    joints = layout.num_joints if layout else _GUESSES.get((numbers, scores))
    if joints is None:
        raise ValueError(f"has {numbers} numbers per row and no header; name their `layout`")
    columns, rest = divmod(numbers, joints)
    if rest or not 2 <= columns <= 4:
        expected = f"2, 3 or 4 for each of {joints} joints, or a header"
        raise ValueError(f"has {numbers} numbers per row; expected {expected}")
    check_size(len(rows), 1, joints, columns)
    for number, row in rows:
        if len(row) != numbers:
            raise ValueError(f"line {number} has {len(row)} numbers, the first {numbers}")
    values = _floats(rows, range(numbers)).reshape(len(rows), 1, joints, columns)
    return Poses(*split_columns(values, scores))


# (numbers per row, whether the last of three is a confidence) → joints, if unambiguous
_GUESSES = {
    **{(17 * 2, scores): 17 for scores in (False, True)},
    (17 * 3, True): 17,
    **{(33 * columns, scores): 33 for columns in (2, 3, 4) for scores in (False, True)},
}


def _wide(rows: list[tuple[int, Row]], header: Row, frame: int | None, body: int | None) -> Poses:
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
    values = _floats(rows, places).reshape(len(rows), len(order), len(axes))
    frames = list(range(len(rows))) if frame is None else _integers(rows, frame)
    bodies = [row[body] for _, row in rows] if body is not None else [""] * len(rows)
    joints = np.broadcast_to(np.arange(len(order)), values.shape[:2])
    return _placed(rows, frames, bodies, joints, values, axes, names)


def _long(rows: list[tuple[int, Row]], header: Row, frame: int, body: int | None, joint: int) -> Poses:
    places: dict[int, int] = {}
    for column, name in enumerate(header):
        if name in _AXES and column not in (frame, body, joint):
            places.setdefault(_AXES[name], column)
    axes = sorted(places)
    given = [row[joint].strip() for _, row in rows]
    names, order = _in_order(list(dict.fromkeys(given)))
    at = {name: index for index, name in enumerate(order)}
    joints = np.array([at[name] for name in given])[:, None]
    values = _floats(rows, [places[axis] for axis in axes])[:, None]
    bodies = [row[body] for _, row in rows] if body is not None else [""] * len(rows)
    return _placed(rows, _integers(rows, frame), bodies, joints, values, axes, names)


def _placed(
    rows: list[tuple[int, Row]], numbers: list[int], bodies: list[str], joints: Array, values: Array,
    axes: list[int], names: tuple[str, ...],
) -> Poses:  # fmt: skip
    """(R, k, axes) values of joints (R, k), each row of one frame and body → the clip."""
    frame, frames = renumber(numbers)
    slots = {name: slot for slot, name in enumerate(dict.fromkeys(bodies))}
    slot = np.array([slots[name] for name in bodies])
    count = int(joints.max()) + 1
    check_size(frames, len(slots), count, len(axes))
    place = ((frame * len(slots) + slot)[:, None] * count + joints).ravel()
    if len(np.unique(place)) < place.size:
        order = np.argsort(place, kind="stable")
        again = order[np.flatnonzero(np.diff(place[order]) == 0)[0] + 1] // joints.shape[1]
        raise ValueError(f"line {rows[again][0]} duplicates a joint of a frame")
    full = np.full((frames * len(slots) * count, len(axes)), np.nan)
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
