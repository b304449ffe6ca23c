"""JSON: one clip as nested lists, and what estimators write.

    OpenPose    {"people": [{"pose_keypoints_2d": [x, y, c, ...]}, ...]}, a file a frame, or in a list
    COCO        [{"image_id": 12, "keypoints": [x, y, c, ...]}, ...], one file per clip (AlphaPose: "12.jpg")
    others      people in frames, see `people.py`; tables as lists of rows; `coco.py`, COCO's annotations
    a clip      nested lists (T, V, C) or (T, M, V, C), null where nothing was found; or {"xyz": ...,
                "confidence": ..., "label": ..., "subject": ..., "fps": ...}

Functions raise ValueError with what is wrong, and in which frame or entry.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from typing import Any

from kineme.sources.poses.arrays import (
    KEYS,
    NOTES,
    Detections,
    Poses,
    array_poses,
)
from kineme.sources.poses.coco import are_annotations, coco_annotations, coco_results
from kineme.sources.poses.flat import numbers
from kineme.sources.poses.keypoints import parsed
from kineme.sources.poses.openpose import openpose_clip, openpose_frames
from kineme.sources.poses.people import people, rate_of_frames, told
from kineme.sources.poses.rows import rows_of
from kineme.sources.poses.tables import table_poses
from kineme.sources.poses.vitpose import is_vitpose, vitpose_frames
from kineme.sources.poses.zed import is_zed, zed_notes, zed_people
from kineme.sources.raw import RemediedError, shown

MAX_JSON_BYTES = 1 << 27  # two minutes of MediaPipe Holistic with the face, hours of other estimators
_FORMS = "a clip, COCO keypoint results or people in frames"


def json_poses(data: bytes, scores: bool, components: Sequence[str] = ()) -> Poses | Detections:
    """The bytes of a JSON file of one clip, in any of the forms; of landmarks those `components`."""
    return clip_of(parsed(data), scores, components)


def clip_of(content: Any, scores: bool, components: Sequence[str] = ()) -> Poses | Detections:
    """As `json_poses`, of what the file holds."""
    if isinstance(content, list | dict) and (frames := openpose_frames(content)):
        return openpose_clip(frames, components)
    if is_zed(content):
        return zed_people(content)
    if isinstance(content, dict):
        if is_vitpose(content):
            return people(vitpose_frames(content))
        key = next((key for key in KEYS if key in content), None)
        if key and not isinstance(_innermost(content[key]), dict):
            confidence = content.get("confidence")
            if confidence is not None:
                confidence = numbers(confidence, "confidence")
            return array_poses(numbers(content[key], key), confidence, scores)
        if "people" in content:
            raise RemediedError(
                "is one frame of OpenPose",
                "name it NAME_000000000012_keypoints.json, by its number",
            )
        if are_annotations(content):
            return coco_annotations(content)
        try:
            return people(content, components)
        except ValueError as error:
            if not content or not any(isinstance(each, list | dict) for each in content.values()):
                some = f"; it has {shown(list(map(str, content))[:6])}" if content else ""
                wanted = f"it has no {KEYS[0]!r}, {KEYS[1]!r} or 'landmarks'"
                raise RemediedError(f"is not {_FORMS}: {wanted}{some}", "write one of these") from error
            raise
    if not isinstance(content, list) or not content:
        raise RemediedError(f"is not {_FORMS}: it is not a list, or is empty", "write one of these")
    first = next((entry for entry in content if entry), None)
    if isinstance(first, dict) and "image_id" in first:
        return coco_results(content)
    if isinstance(first, dict) and (records := _records(content)):
        return records
    if isinstance(_innermost(first), dict):
        return people(content, components)
    return array_poses(numbers(content, "the clip"), None, scores)


def _records(content: list[Any]) -> Poses | Detections | None:
    """A table as a list of rows, as pandas writes it; None if it is none."""
    first = content[0]
    if not all(isinstance(row, dict) and list(row) == list(first) for row in content):
        return None
    if any(isinstance(each, list | dict) for row in content for each in row.values()):
        return None
    table = io.StringIO()
    csv.writer(table, quoting=csv.QUOTE_ALL).writerows([first, *(row.values() for row in content)])
    rows = rows_of(table.getvalue().encode())
    return table_poses(rows[0][1], rows[1:])


def json_notes(data: bytes) -> dict[str, Any]:
    """Label, subject and fps of a clip's JSON file, if given."""
    noted = [name for name in NOTES if f'"{name}"'.encode() in data]
    if not noted and not re.search(rb'"[a-z_]*(?:time|seconds|fps|frame_?rate)[a-z_]*"', data, re.IGNORECASE):
        return {}
    content = parsed(data)
    if is_zed(content):
        return zed_notes(content)
    if not isinstance(content, dict):
        return told(content)
    notes = {name: content[name] for name in noted if content.get(name) is not None}
    if (rate := rate_of_frames(content)) is not None:
        notes["fps"] = rate
    return notes if "fps" in notes or any(key in content for key in KEYS) else told(content) | notes


def _innermost(entry: Any) -> Any:
    while isinstance(entry, list) and entry:
        entry = next((inner for inner in entry if inner is not None), None)
    return entry
