"""YOLO's text files of poses, one a frame: a line for each person, in fractions of the image.

    class  box (x y width height)  x y visibility of each joint  [confidence]  [track]

Without visibilities there are two numbers a joint. Functions raise ValueError.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kineme.sources.poses.arrays import Detections, renumber, split_columns
from kineme.sources.poses.fitting import UnknownJointsError
from kineme.sources.poses.rows import is_float
from kineme.sources.raw import RemediedError, shown

MAX_YOLO_BYTES = 1 << 20
_BEFORE = 5  # class and box
_USUAL = 17  # joints


def yolo_frame(data: bytes) -> list[list[str]]:
    """The bytes of one frame's file → the fields of each person."""
    return [line.split() for line in data.decode("utf-8-sig", errors="replace").splitlines() if line.strip()]


def yolo(numbers: Sequence[int], frames: Sequence[list[list[str]]], joints: int | None) -> Detections:
    """Frame numbers, and the people of each frame, of `joints` joints (default 17), → people."""
    people = [person for frame in frames for person in frame]
    frame, count = renumber(numbers)
    of = np.repeat(frame, [len(each) for each in frames])
    if not people:
        return Detections(of, np.zeros((0, 2, 2), np.float32), None, count, "coco")
    length = len(people[0])
    if any(len(person) != length for person in people):
        different = "has people with different numbers of numbers"
        raise RemediedError(different, "write them with the same options")
    wanted = joints or _USUAL
    fitting = [width for width in (3, 2) if 0 <= length - _BEFORE - width * wanted <= 2]
    if not fitting:
        expected = f"expected 2 or 3 for each of {wanted} joints after the class and the box"
        raise UnknownJointsError(
            f"has {length} numbers a person; {expected}; name the `layout` of its joints"
        )
    width = fitting[0]
    end = _BEFORE + width * wanted
    try:
        values = np.array([[float(field) for field in person] for person in people])
    except ValueError:
        wrong = next(field for person in people for field in person if not is_float(field))
        raise ValueError(f"has {shown(wrong)} in place of a number") from None
    points, confidence = split_columns(
        values[:, _BEFORE:end].reshape(len(people), wanted, width), scores=width == 3
    )
    # The last number is a track where it is whole, as only tracks are written without a point.
    tracked = length > end and all(person[-1].isdecimal() and len(person[-1]) < 10 for person in people)
    who = values[:, -1].astype(np.int64) if tracked else None
    if who is not None and len({*zip(of.tolist(), who.tolist(), strict=True)}) < len(who):
        who = None
    order = np.argsort(of, kind="stable")
    return Detections(
        of[order],
        points[order],
        None if confidence is None else confidence[order],
        count,
        "coco",
        identity=None if who is None else who[order],
    )
