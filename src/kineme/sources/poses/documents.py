"""JSON: one clip as nested lists, and what OpenPose, COCO-style estimators and MediaPipe write.

    OpenPose    {"people": [{"pose_keypoints_2d": [x, y, c, ...]}, ...]}, one file per frame
    COCO        [{"image_id": 12, "keypoints": [x, y, c, ...]}, ...], one file per clip (AlphaPose: "12.jpg")
    MediaPipe   a list of frames, each a list of {"x", "y", "z", "visibility"}, a list of such lists (people),
                null (nobody), or {"frame": 7, "landmarks": ...}; or {"frames": ...} around it
    a clip      nested lists (T, V, C) or (T, M, V, C), null where nothing was found; or {"xyz": ...,
                "confidence": ..., "label": ..., "subject": ..., "fps": ...}

Functions raise ValueError with what is wrong, and in which frame or entry.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
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
from kineme.sources.raw import shown
from kineme.typing import Array

MAX_JSON_BYTES = 1 << 26  # an hour of one person from a COCO-style estimator
MAX_FRAME_BYTES = 1 << 22  # of one OpenPose frame
_WORLD = ("pose_world_landmarks", "world_landmarks")
_LANDMARKS = (*_WORLD, "pose_landmarks", "landmarks")
_NUMBERS = ("frame", "frame_index", "frame_id")
_FORMS = "a clip, COCO keypoint results or MediaPipe landmarks"


def _parsed(data: bytes) -> Any:
    """The bytes of a JSON file → lists, dictionaries, numbers and text."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise ValueError(f"is not JSON, or is cut off{where}") from error


def json_poses(data: bytes, scores: bool) -> Poses | Detections:
    """The bytes of a JSON file of one clip, in any of the forms."""
    content = _parsed(data)
    if isinstance(content, dict):
        if key := next((key for key in KEYS if key in content), None):
            confidence = content.get("confidence")
            if confidence is not None:
                confidence = _numbers(confidence, "confidence")
            return array_poses(_numbers(content[key], key), confidence, scores)
        if "people" in content:
            names = "NAME_000000000012_keypoints.json, with the number of the frame"
            raise ValueError(f"is one frame of OpenPose; its files are named {names}")
        inner = next((content[key] for key in ("frames", *_LANDMARKS) if key in content), None)
        if inner is None:
            raise ValueError(f"is not {_FORMS}: it has no {KEYS[0]!r}, {KEYS[1]!r} or 'landmarks'")
        content = inner
    if not isinstance(content, list) or not content:
        raise ValueError(f"is not {_FORMS}: it is not a list, or is empty")
    first = next((entry for entry in content if entry), None)
    if isinstance(first, dict) and "keypoints" in first:
        return _coco(content)
    if isinstance(_innermost(first), dict):
        return _mediapipe(content)
    return array_poses(_numbers(content, "the clip"), None, scores)


def json_notes(data: bytes) -> dict[str, Any]:
    """Label, subject and fps of a clip's JSON file, if given."""
    if not data.lstrip().startswith(b"{") or not any(f'"{name}"'.encode() in data for name in NOTES):
        return {}
    content = _parsed(data)
    return {name: content[name] for name in NOTES if content.get(name) is not None}


def openpose(numbers: Sequence[int], frames: Sequence[list[list[Any]]]) -> Detections:
    """Frame numbers, and the people of each frame as `openpose_frame` returns them."""
    if len(set(numbers)) < len(numbers):
        raise ValueError("has duplicate frame numbers")
    frame, count = renumber(numbers)
    people = [person for persons in frames for person in persons]
    return _detections(people, np.repeat(frame, [len(persons) for persons in frames]), count, "openpose")


def openpose_frame(data: bytes) -> list[list[Any]]:
    """The bytes of one frame's file → for each person x, y, confidence of all joints in a row."""
    content = _parsed(data)
    people = content.get("people") if isinstance(content, dict) else None
    if not isinstance(people, list):
        raise ValueError("is not a frame of OpenPose: it has no list of 'people'")
    keypoints = [person.get("pose_keypoints_2d") if isinstance(person, dict) else None for person in people]
    if not all(isinstance(each, list) for each in keypoints):
        raise ValueError("is not a frame of OpenPose: one of its people has no 'pose_keypoints_2d'")
    return [each for each in keypoints if each]


def _coco(entries: list[Any]) -> Detections:
    people, images, videos = [], [], set()
    for index, entry in enumerate(entries):
        keypoints = entry.get("keypoints") if isinstance(entry, dict) else None
        if not isinstance(keypoints, list):
            raise ValueError(f"entry {index} has no list of 'keypoints'")
        video, number = _image(entry.get("image_id"), index)
        people.append(keypoints)
        images.append(number)
        videos.add(video)
    if len(videos) > 1:
        one, other = map(shown, sorted(videos)[:2])
        raise ValueError(f"contains several videos ({one} and {other}); write a file for each")
    frame, count = renumber(images)
    order = np.argsort(frame, kind="stable")
    return _detections([people[i] for i in order], frame[order], count, "coco")


def _image(name: Any, index: int) -> tuple[str, int]:
    """12 and "walk/frame_12.jpg" → ("", 12) and ("walk/frame_", 12)."""
    if isinstance(name, int):
        return "", name
    match = re.fullmatch(r"(.*?)([0-9]{1,18})(\.\w{1,5})?", name) if isinstance(name, str) else None
    if match is None:
        raise ValueError(f"entry {index} has an 'image_id' without a frame number")
    return match[1], int(match[2])


def _mediapipe(content: list[Any]) -> Detections:
    people: list[list[Any]] = []
    of: list[int] = []
    told = [number for frame in content if (number := _frame_number(frame)) is not None]
    frames, count = np.arange(len(content)), len(content)
    if len(told) == count:
        frames, count = renumber(told)
    for index, (frame, number) in enumerate(zip(content, frames.tolist(), strict=True)):
        for landmarks in _landmarks(frame, index):
            people.append(_flat(landmarks, index))
            of.append(number)
    order = np.argsort(of, kind="stable")
    return _detections([people[i] for i in order], np.array(of, dtype=np.int64)[order], count, "mediapipe")


def _frame_number(frame: Any) -> int | None:
    if not isinstance(frame, dict):
        return None
    number = next((frame[key] for key in _NUMBERS if key in frame), None)
    return number if isinstance(number, int) else None


def _landmarks(frame: Any, index: int) -> Iterable[list[Any]]:
    """Lists of landmarks, one per person."""
    if isinstance(frame, dict):
        key = next((key for key in _LANDMARKS if key in frame), None)
        if key is None:
            raise ValueError(f"frame {index} has no 'landmarks'")
        frame = frame[key]
    if not frame:
        return []
    if isinstance(frame, list) and isinstance(frame[0], dict):
        return [frame]
    if not isinstance(frame, list) or not all(isinstance(person, list) for person in frame):
        raise ValueError(f"frame {index} is not a list of landmarks")
    return [person for person in frame if person]


def _flat(landmarks: list[Any], index: int) -> list[Any]:
    """x, y, z, visibility of all landmarks in a row."""
    flat: list[Any] = []
    for landmark in landmarks:
        if not isinstance(landmark, dict) or "x" not in landmark or "y" not in landmark:
            raise ValueError(f"frame {index} has a landmark without x and y")
        flat += landmark["x"], landmark["y"], landmark.get("z", 0.0), landmark.get("visibility")
    return flat


def _detections(people: list[list[Any]], frame: Any, frames: int, program: str) -> Detections:
    """Flat numbers of each person: three per joint, four for MediaPipe."""
    width = 4 if program == "mediapipe" else 3
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
    if np.isnan(values[..., -1]).all():  # landmarks without visibility
        values = values[..., :-1]
    points, confidence = split_columns(values, scores=program != "mediapipe")
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
