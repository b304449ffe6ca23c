"""CSV of one clip, separated by commas, semicolons or tabs.

Wide, a row per frame:  frame,left_wrist_x,left_wrist_y,left_wrist_z,left_wrist_c,right_wrist_x,...
                        x0,y0,z0,v0,x1,... (joints by number, in the order of the layout)
                        left_wrist,left_wrist,... above x,y,... (two rows, as pandas writes them)
                        or no header: V times 2, 3 or 4 numbers
Long, a row per joint:  frame,joint,x,y,z,c (joints by name or by number)

`headers.py` has the names of columns that are known. Missing frames are gaps, empty fields joints that were
not found; a confidence that is empty throughout is none. A column of times says where frames are in time.
Other columns are ignored. Lines before the header that begin with `#` may give the frame rate (`# fps: 25`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import astuple, replace
from itertools import takewhile

import numpy as np

from kineme.layouts import LAYOUTS, Layout, canonical_joint
from kineme.sources.poses import holistic
from kineme.sources.poses.arrays import (
    MAX_PEOPLE,
    MOST_FRAMES,
    STANDING,
    Detections,
    Poses,
    check_size,
    renumber,
    split_columns,
)
from kineme.sources.poses.fitting import UnknownJointsError
from kineme.sources.poses.headers import (
    AXES,
    Columns,
    columns_beside_joints,
    columns_of,
    joint_columns,
    places,
    plain,
    program_of,
    unit_of,
)
from kineme.sources.poses.rows import FileBytes, Row, Rows, decimal, is_number, rows_of
from kineme.sources.poses.times import seconds, times_unit
from kineme.sources.raw import RemediedError, shown
from kineme.typing import Array

LEAST_JOINTS = 10  # that are numbered, for others to be left out
MAX_CSV_BYTES = 1 << 29  # four hours of 33 joints with confidences at 30 frames a second


def csv_poses(
    data: bytes, scores: bool, layout: Layout | None, constant: Sequence[str] = ()
) -> Poses | Detections:
    """The bytes of a CSV file → its clip.

    Args:
        data: the file.
        scores: without a header, the last of three numbers is a confidence.
        layout: without a header, the layout of the joints.
        constant: names of columns that have one value throughout, such as that of the class.

    Raises:
        ValueError: what is wrong, and in which line.
    """
    header, rows = _checked(rows_of(data), constant)
    return _bare(rows, scores, layout) if header is None else table_poses(header, rows)


def _checked(rows: Rows, constant: Sequence[str]) -> tuple[Row | None, Rows]:
    """The header, None where there is none or it only numbers the columns, and the rows below it."""
    header = [name.strip() for name in rows[0][1]]
    if all(map(is_number, header)):
        counted = len(header) >= LEAST_JOINTS and header == [str(at) for at in range(len(header))]
        return None, rows[1:] if counted and len(rows) > 1 else rows
    if len(rows) == 1:
        raise RemediedError("has a header but no frames", "remove it")
    rows[1:].check_width(len(header), "the header")
    header, rows = headed(rows)
    for name in constant:
        _one_value(rows, header, name)
    return header, rows


def headed(rows: Rows) -> tuple[Row, Rows]:
    """Names of columns, and the rows below.

    A row of joints above a row of axes, as pandas writes them, is one header, and so is a row below them that
    names only the first column.
    """
    header = [name.strip() for name in rows[0][1]]
    axes = [axis.strip() for axis in rows[1][1]] if len(rows) > 2 else []
    if len(axes) != len(header) or 2 * sum(axis.lower() in AXES for axis in axes) <= len(axes):
        return header, rows[1:]
    joined, joint = [], ""
    for name, axis in zip(header, axes, strict=True):
        joint = name or joint  # a cell that was merged in a spreadsheet is empty
        joined.append(f"{joint}_{axis}" if axis.lower() in AXES else axis or name)
    below = rows[2:]
    first = [field.strip() for field in below[0][1]]
    if len(below) > 1 and first[0] and not any(first[1:]):
        return [first[0], *joined[1:]], below[1:]
    return joined, below


class WholeError(RemediedError):
    """A table that can be read as a whole only."""


class LongTable:
    """A CSV file that is too large to be held; arguments and errors are those of `csv_poses`, and WholeError.

    Attributes:
        frames: of the clip.
        numbers: of each frame.
        times: (frames,) as in `Poses`.
    """

    def __init__(
        self, data: FileBytes, scores: bool, layout: Layout | None, constant: Sequence[str] = ()
    ) -> None:
        self._told = scores, layout
        self._header, self._rows = _checked(rows_of(data), constant)
        self._frame, self.frames = np.arange(len(self._rows)), len(self._rows)
        self.times: Array | None = None
        if self._header is not None:
            columns = columns_of(self._header)
            if columns.joint is not None:
                many = f"has {len(self._rows):,} rows, one a joint"
                raise WholeError(many, "write a row per frame, or cut it into shorter clips")
            self._frame, self.frames = renumber(_frames(self._rows, columns), MOST_FRAMES)
            if (early := np.flatnonzero(np.diff(self._frame) < 0)).size:
                number = self._rows.numbers[early[0] + 1]
                raise WholeError(f"line {number}: has an earlier frame than the line before", "sort it")
            self.times = _times(self._rows, self._header, columns, self._frame, self.frames)
        self.numbers = self.read(0, 1).points[0].size

    def read(self, first: int, count: int) -> Poses:
        """So many frames from one on; the clip has them all."""
        low, high = np.searchsorted(self._frame, (first, first + count))
        if low == high:  # a gap: the joints are those of another row
            other = self.read(int(self._frame[min(low, len(self._frame) - 1)]), 1)
            points = np.full((count, *other.points.shape[1:]), np.float32(np.nan))
            confidence = None if other.confidence is None else np.zeros(points.shape[:-1], np.float32)
            return replace(other, points=points, confidence=confidence)
        if self._header is None:
            return _bare(self._rows[low:high], *self._told)
        found = _wide(self._rows[low:high], self._header, (self._frame[low:high] - first, count))
        assert isinstance(found, Poses)
        return found


def table_poses(header: Row, rows: Rows) -> Poses | Detections:
    """Names of columns, and the number and fields of each line → the clip; raises ValueError."""
    columns = columns_of(header)
    return _wide(rows, header) if columns.joint is None else _long(rows, header, columns)


def column_of(header: Row, name: str) -> int:
    """The place of a column; raises ValueError if there is none of the name."""
    names = [plain(each) for each in header]
    if plain(name) not in names:
        others = columns_beside_joints(header)
        some = f"beside those of joints it has {shown(', '.join(others))}" if others else "all are of joints"
        raise RemediedError(f"has no column {name!r}; {some}", "name one that it has")
    return names.index(plain(name))


def _one_value(rows: Rows, header: Row, name: str) -> None:
    column = column_of(header, name)
    codes, texts = rows.codes(column)
    if len(texts) > 1:
        number = rows.numbers[np.flatnonzero(codes)[0]]
        changes = f"line {number}: column {name!r} changes from {shown(texts[0])} to {shown(texts[1])}"
        raise RemediedError(changes, "write a file for each clip")


def _bare(rows: Rows, scores: bool, layout: Layout | None) -> Poses:
    numbers = len(rows[0][1])
    joints = layout.num_joints if layout else _GUESSES.get((numbers, scores))
    if joints is None:
        raise UnknownJointsError(f"has {numbers} numbers per row and no header; name their `layout`")
    columns, rest = divmod(numbers, joints)
    if rest or not 2 <= columns <= 4:
        expected = f"expected 2, 3 or 4 for each of {joints} joints, or a header"
        raise RemediedError(f"has {numbers} numbers per row; {expected}", "name their `layout`")
    check_size(len(rows), 1, joints, columns)
    rows.check_width(numbers, "the first")
    values = rows.floats(range(numbers)).reshape(len(rows), 1, joints, columns)
    return Poses(*split_columns(values, scores))


# (numbers per row, whether the last of three is a confidence) → joints, if unambiguous
_GUESSES = {
    **{(17 * 2, scores): 17 for scores in (False, True)},
    (17 * 3, True): 17,
    **{(33 * columns, scores): 33 for columns in (2, 3, 4) for scores in (False, True)},
}


def _wide(rows: Rows, header: Row, placed: tuple[Array, int] | None = None) -> Poses | Detections:
    columns = columns_of(header)
    found = joint_columns(header, (columns.frame, columns.body, columns.time))
    if groups := holistic.named(list(found)) or holistic.named_body(list(found)):
        found = {name: found[joint] for joint, name in groups.items()}
    found = {joint: found[joint] for joint in _numbered(list(found))}
    axes = sorted(next(iter(found.values())))
    names, order = _in_order(list(found))
    places = [found[name][axis] for name in order for axis in axes]
    values = rows.floats(places).reshape(len(rows), len(order), len(axes))
    if not names and (body := holistic.body_of(len(order))):
        values = values[:, body]
    joints = np.broadcast_to(np.arange(values.shape[1]), values.shape[:2])
    poses = _placed(rows, header, columns, joints, values, axes, names, placed)
    return _telling(poses, header, [*places, columns.frame, columns.body, columns.time, columns.fps])


def _long(rows: Rows, header: Row, columns: Columns) -> Poses | Detections:
    assert columns.joint is not None
    at = places(header)
    axes = sorted(at)
    if columns.version is not None:
        version, _ = rows.codes(columns.version)
        rows = rows[version == 0]
    joint, given = rows.codes(columns.joint)
    given = [str(int(each)) if each.isdecimal() and len(each) < 7 else each for each in given]
    if columns.group is not None:
        kept, joint, given = _of_groups(*rows.codes(columns.group), joint, given)
        rows = rows[kept]
    names, order = _in_order(list(dict.fromkeys(given)))
    place = {name: index for index, name in enumerate(order)}
    joints = np.array([place[name] for name in given])[joint][:, None]
    values = rows.floats([at[axis] for axis in axes])[:, None]
    poses = _placed(rows, header, columns, joints, values, axes, names)
    return _telling(poses, header, [*at.values(), *astuple(columns)])


def _telling(found: Poses | Detections, header: Row, read: Sequence[int | None]) -> Poses | Detections:
    """The same, with the names of the columns beside those that are read."""
    if isinstance(found, Detections):
        return found
    unread = (name for column, name in enumerate(header) if name and column not in read)
    return replace(found, unread=tuple(unread))


def _of_groups(
    group: Array, groups: Sequence[str], joint: Array, given: Sequence[str]
) -> tuple[Array, Array, list[str]]:
    """The rows that make the clip, the joint of each, and the names: the body in the world, else all but the
    face."""
    world = [re.search("world", each, re.IGNORECASE) is not None for each in groups]
    if any(world):
        kept = np.flatnonzero(np.array(world)[group])
        return kept, joint[kept], list(given)
    pairs = group.astype(np.int64) * len(given) + joint
    there = np.unique(pairs)
    full = {pair: f"{groups[pair // len(given)]}_{given[pair % len(given)]}" for pair in there.tolist()}
    names = holistic.named(list(full.values()))
    if not names:
        body = np.array([holistic.group_of(each) == "body" for each in groups])
        kept = np.flatnonzero(body[group] if body.any() else np.ones(len(joint), dtype=bool))
        there, joint = np.unique(joint[kept], return_inverse=True)
        return kept, joint, [given[at] for at in there]
    chosen = [pair for pair, name in full.items() if name in names]
    kept = np.flatnonzero(np.isin(pairs, chosen))
    return kept, np.searchsorted(chosen, pairs[kept]), [names[full[pair]] for pair in chosen]


def _placed(
    rows: Rows, header: Row, columns: Columns, joints: Array, values: Array,
    axes: list[int], names: tuple[str, ...], placed: tuple[Array, int] | None = None,
) -> Poses | Detections:  # fmt: skip
    """(R, k, axes) values of joints (R, k), each row of one frame and body → the clip.

    More bodies than a frame may have are detections, as where somebody who was lost has another number.

    The frames (R,) of the rows, and how many there are, may be known: `placed`; times are left out then.
    """
    frame, frames = renumber(_frames(rows, columns)) if placed is None else placed
    slot, bodies = rows.codes(columns.body) if columns.body is not None else (np.zeros(len(rows), int), [""])
    many = placed is None and len(bodies) > MAX_PEOPLE
    count = int(joints.max()) + 1
    check_size(frames, 1 if many else len(bodies), count, len(axes))
    there = cell = frame * len(bodies) + slot
    cells = frames * len(bodies)
    if many:
        there, cell = np.unique(cell, return_inverse=True)
        cells = len(there)
    place = (cell[:, None] * count + joints).ravel()
    taken = np.zeros(cells * count, dtype=bool)
    taken[place] = True
    if np.count_nonzero(taken) < place.size:
        order = np.argsort(place, kind="stable")
        again = order[np.flatnonzero(np.diff(place[order]) == 0)[0] + 1] // joints.shape[1]
        twice = f"line {rows.numbers[again]}: duplicates a joint of a frame"
        if len(bodies) == 1:
            raise RemediedError(twice, "add a column 'person', or keep one")
        raise ValueError(twice)
    if 3 in axes and np.isnan(values[..., axes.index(3)]).all():  # an empty column
        axes, values = axes[:-1], values[..., :-1]
    full = np.full((cells * count, len(axes)), np.nan, np.float32)
    full[place] = values.reshape(-1, len(axes))
    points, confidence = split_columns(full.reshape(cells, count, len(axes)), scores=3 in axes)
    program = program_of(header)
    scale, standing = unit_of(header) if 2 in axes else None, STANDING if program == "freemocap" else None
    times = _times(rows, header, columns, frame, frames) if placed is None else None
    if many:
        return Detections(
            there // len(bodies), points, confidence, frames, program, names,
            identity=there % len(bodies), scale=scale, axes=standing, times=times,
        )  # fmt: skip
    shape = (frames, len(bodies), count)
    confidence = None if confidence is None else confidence.reshape(shape)
    points = points.reshape(*shape, -1)
    return Poses(points, confidence, names, program, scale=scale, axes=standing, times=times)


def _frames(rows: Rows, columns: Columns) -> Array:
    """(R,) the frame number of each row: told, else counted, with people or joints by the changes of time."""
    if columns.frame is not None:
        return rows.integers(columns.frame)
    if columns.body is None and columns.joint is None:
        return np.arange(len(rows))
    if columns.time is not None:
        return np.cumsum(rows.changes(columns.time))
    what = "a column of people" if columns.joint is None else "a row per joint"
    raise RemediedError(f"has {what} but no column 'frame'", "add one")


def _times(rows: Rows, header: Row, columns: Columns, frame: Array, frames: int) -> Array | None:
    """(T,) seconds of the frames, from a column of times; those of missing frames between the others."""
    if columns.time is None or columns.time == columns.frame:
        return None
    first = np.unique(frame, return_index=True)[1]
    given = (decimal(field) for _, field in rows[first].column(columns.time))
    times = seconds(given, times_unit(header[columns.time]) or 0.0)
    if times is None:
        return None
    known = np.isfinite(times)
    return np.interp(np.arange(frames), frame[first][known], times[known])


def _numbered(joints: list[str]) -> list[str]:
    """Without what programs add to numbered landmarks, such as a centre of mass."""
    numbers = [re.fullmatch(r"(.*?)(\d{1,3})", joint) for joint in joints]
    kept = [joint for joint, match in zip(joints, numbers, strict=True) if match]
    prefixes = {match[1] for match in numbers if match}
    return kept if len(kept) >= LEAST_JOINTS and len(prefixes) == 1 else joints


def _without_path(joints: Sequence[str]) -> Sequence[str]:
    """`skeleton.joints.Neck` → `Neck`, if that makes all joints those of a built-in layout."""
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(min(joints), max(joints), strict=False))
    path = re.match(r".*[._:/ ]", "".join(letter for letter, _ in alike))
    if len(joints) < LEAST_JOINTS or path is None:
        return joints
    bare = [joint[path.end() :] for joint in joints]

    def built_in(names: Sequence[str]) -> bool:
        words = {canonical_joint(name) for name in names}
        return any(words <= {canonical_joint(each) for each in layout.joints} for layout in LAYOUTS.values())

    return bare if built_in(bare) and not built_in(joints) else joints


def _in_order(joints: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """Names and order of the joints: named joints keep their order, numbered ones are sorted and nameless."""
    numbers = [re.fullmatch(r"([A-Za-z_ ]*?[ _]?)(\d{1,6})", joint) for joint in joints]
    if not all(numbers) or len({match[1] for match in numbers if match}) > 1:
        return tuple(holistic.landmark_name(joint) for joint in _without_path(joints)), joints
    ordered = sorted((int(match[2]), joint) for match, joint in zip(numbers, joints, strict=True) if match)
    first = ordered[0][0]
    if [number for number, _ in ordered] != list(range(first, first + len(ordered))) or first > 1:
        raise ValueError("lacks joints between the first and the last number")
    return (), [joint for _, joint in ordered]
