"""JSON: one clip as nested lists, and what estimators write.

    OpenPose    {"people": [{"pose_keypoints_2d": [x, y, c, ...]}, ...]}, one file per frame
    COCO        [{"image_id": 12, "keypoints": [x, y, c, ...]}, ...], one file per clip (AlphaPose: "12.jpg")
    others      people in frames, see `people.py`; tables as lists of rows; `coco.py`, COCO's annotations
    a clip      nested lists (T, V, C) or (T, M, V, C), null where nothing was found; or {"xyz": ...,
                "confidence": ..., "label": ..., "subject": ..., "fps": ...}

Functions raise ValueError with what is wrong, and in which frame or entry.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kineme.sources.poses.arrays import (
    KEYS,
    MAX_FRAMES,
    NOTES,
    Detections,
    Poses,
    array_poses,
    check_size,
    renumber,
    split_columns,
)
from kineme.sources.poses.coco import are_annotations, coco_annotations
from kineme.sources.poses.images import frames_of
from kineme.sources.poses.people import people, told
from kineme.sources.poses.tables import table_poses
from kineme.sources.raw import shown
from kineme.typing import Array

MAX_JSON_BYTES = 1 << 27  # two minutes of MediaPipe Holistic with the face, hours of other estimators
MAX_FRAME_BYTES = 1 << 22  # of one OpenPose frame
_FORMS = "a clip, COCO keypoint results or people in frames"


def parsed(data: bytes) -> Any:
    """The bytes of a JSON file → lists, dictionaries, numbers and text."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise ValueError(f"is not JSON, or is cut off{where}") from error


def json_poses(data: bytes, scores: bool, components: Sequence[str] = ()) -> Poses | Detections:
    """The bytes of a JSON file of one clip, in any of the forms; of landmarks those `components`."""
    content = parsed(data)
    if isinstance(content, dict):
        key = next((key for key in KEYS if key in content), None)
        if key and not isinstance(_innermost(content[key]), dict):
            confidence = content.get("confidence")
            if confidence is not None:
                confidence = _numbers(confidence, "confidence")
            return array_poses(_numbers(content[key], key), confidence, scores)
        if "people" in content:
            names = "NAME_000000000012_keypoints.json, with the number of the frame"
            raise ValueError(f"is one frame of OpenPose; its files are named {names}")
        if are_annotations(content):
            return coco_annotations(content)
        try:
            return people(content, components)
        except ValueError as error:
            if not content or not any(isinstance(each, list | dict) for each in content.values()):
                some = f"; it has {shown(list(map(str, content))[:6])}" if content else ""
                wanted = f"it has no {KEYS[0]!r}, {KEYS[1]!r} or 'landmarks'"
                raise ValueError(f"is not {_FORMS}: {wanted}{some}") from error
            raise
    if not isinstance(content, list) or not content:
        raise ValueError(f"is not {_FORMS}: it is not a list, or is empty")
    first = next((entry for entry in content if entry), None)
    if isinstance(first, dict) and "image_id" in first:
        return _coco(content)
    if isinstance(first, dict) and (records := _records(content)):
        return records
    if isinstance(_innermost(first), dict):
        return people(content, components)
    return array_poses(_numbers(content, "the clip"), None, scores)


def _records(content: list[Any]) -> Poses | None:
    """A table as a list of rows, as pandas writes it; None if it is none."""
    first = content[0]
    if not isinstance(first, dict) or any(isinstance(each, list | dict) for each in first.values()):
        return None
    header = list(map(str, first))
    if not all(isinstance(row, dict) and list(row) == list(first) for row in content):
        return None
    rows = [["" if each is None else str(each) for each in row.values()] for row in content]
    return table_poses(header, list(enumerate(rows, start=1)))


def json_notes(data: bytes) -> dict[str, Any]:
    """Label, subject and fps of a clip's JSON file, if given."""
    noted = [name for name in NOTES if f'"{name}"'.encode() in data]
    if not noted and not re.search(rb'"[a-z_]*(?:time|seconds)[a-z_]*"', data, re.IGNORECASE):
        return {}
    content = parsed(data)
    if not isinstance(content, dict):
        return told(content)
    notes = {name: content[name] for name in noted if content.get(name) is not None}
    return notes if "fps" in notes or any(key in content for key in KEYS) else told(content) | notes


def openpose(numbers: Sequence[int], frames: Sequence[list[list[Any]]]) -> Detections:
    """Frame numbers, and the people of each frame as `openpose_frame` returns them."""
    if len(set(numbers)) < len(numbers):
        raise ValueError("has duplicate frame numbers")
    frame, count = renumber(numbers)
    people = [person for persons in frames for person in persons]
    return _detections(people, np.repeat(frame, [len(persons) for persons in frames]), count, "openpose")


def openpose_frame(data: bytes) -> list[list[Any]]:
    """The bytes of one frame's file → for each person x, y, confidence of all joints in a row."""
    content = parsed(data)
    people = content.get("people") if isinstance(content, dict) else None
    if not isinstance(people, list):
        raise ValueError("is not a frame of OpenPose: it has no list of 'people'")
    keypoints = [person.get("pose_keypoints_2d") if isinstance(person, dict) else None for person in people]
    if not all(isinstance(each, list) for each in keypoints):
        raise ValueError("is not a frame of OpenPose: one of its people has no 'pose_keypoints_2d'")
    return [each for each in keypoints if each]


def _coco(entries: list[Any]) -> Detections:
    people, images, who = [], [], []
    for index, entry in enumerate(entries):
        keypoints = entry.get("keypoints") if isinstance(entry, dict) else None
        if not isinstance(keypoints, list):
            raise ValueError(f"entry {index} has no list of 'keypoints'")
        people.append(keypoints)
        images.append(entry.get("image_id"))
        who.append(entry.get("track_id", entry.get("idx")))
    frame, count, times = frames_of(images)
    order = np.argsort(frame, kind="stable")
    found = _detections([people[i] for i in order], frame[order], count, "coco")
    # AlphaPose gives everybody the idx 1 or none where it does not track.
    known = all(isinstance(each, int) and abs(each) < 1 << 62 for each in who)
    if not known or len({*zip(frame.tolist(), who, strict=True)}) < len(who):
        return replace(found, times=times)
    return replace(found, times=times, identity=np.array(who, dtype=np.int64)[order])


def _detections(people: list[list[Any]], frame: Any, frames: int, program: str) -> Detections:
    """Flat numbers of each person: x, y, confidence of each joint."""
    width = 3
    if frames > MAX_FRAMES:
        raise ValueError(f"has {frames:,} frames; expected 1 to {MAX_FRAMES:,}")
    if not people:
        return Detections(np.zeros(0, dtype=np.int64), np.zeros((0, 2, 2), np.float32), None, frames, program)
    lengths = {len(person) for person in people}
    if len(lengths) > 1 or max(lengths) % width:
        found = " or ".join(map(str, sorted(lengths)[:2]))
        raise ValueError(f"its people have {found} numbers; expected {width} per joint")
    values = _numbers(people, "the people's keypoints")
    if values.ndim != 2:
        raise ValueError(f"its people have nested lists; expected {width} numbers per joint")
    values = values.reshape(len(people), -1, width)
    check_size(1, 1, values.shape[1], width)
    points, confidence = split_columns(values, scores=True)
    return Detections(np.asarray(frame, dtype=np.int64), points, confidence, frames, program)


def _numbers(nested: Any, what: str) -> Array:
    """Nested lists of numbers as an array, null as NaN."""
    try:
        return np.array(nested, dtype=np.float64)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{what}: has lists of unequal length, or values that are not numbers") from error


def _innermost(entry: Any) -> Any:
    while isinstance(entry, list) and entry:
        entry = next((inner for inner in entry if inner is not None), None)
    return entry
