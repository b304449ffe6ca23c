"""OpenPose: a JSON file a frame, `{"people": [{"pose_keypoints_2d": [x, y, c, ...], ...}]}`.

With components, the hands (and the face) that OpenPose found come with the body.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kineme.layouts import LAYOUTS
from kineme.sources.poses.arrays import Detections, renumber
from kineme.sources.poses.flat import detections
from kineme.sources.poses.keypoints import numbered, parsed
from kineme.sources.raw import RemediedError

MAX_FRAME_BYTES = 1 << 22  # of one frame
_KEYS = {
    "pose": "pose_keypoints_2d",
    "left_hand": "hand_left_keypoints_2d",
    "right_hand": "hand_right_keypoints_2d",
    "face": "face_keypoints_2d",
}
_POINTS = {"pose": 25, "left_hand": 21, "right_hand": 21, "face": 70}
_ABOVE = {"left_hand": "left_wrist", "right_hand": "right_wrist", "face": "nose"}


def openpose(
    numbers: Sequence[int], frames: Sequence[list[list[Any]]], components: Sequence[str] = ()
) -> Detections:
    """Frame numbers, and the people of each frame as `openpose_frame` returns them."""
    if len(set(numbers)) < len(numbers):
        raise ValueError("has duplicate frame numbers")
    frame, count = renumber(numbers)
    people = [person for persons in frames for person in persons]
    of = np.repeat(frame, [len(persons) for persons in frames])
    found = detections(people, of, count, "openpose")
    if not components or not people:
        return found
    joints, parents = _skeleton(components)
    return replace(found, joints=joints, parents=parents)


def openpose_frame(data: bytes, components: Sequence[str] = ()) -> list[list[Any]]:
    """The bytes of one frame's file → for each person x, y, confidence of all joints in a row."""
    return _people(parsed(data), components)


def openpose_frames(content: Any) -> dict[int, Any] | None:
    """Frames of OpenPose in one file, a list or an object by number, by their numbers; None if it is none."""
    frames = dict(enumerate(content)) if isinstance(content, list) else numbered(content)
    found = [each.get("people") for each in frames.values() if isinstance(each, dict)]
    people = [person for each in found if isinstance(each, list) for person in each]
    if not people or not all(isinstance(each, dict) and _KEYS["pose"] in each for each in people):
        return None
    return frames


def openpose_clip(frames: Mapping[int, Any], components: Sequence[str] = ()) -> Detections:
    """Frames as `openpose_frames` returns them → people. Raises ValueError."""
    return openpose(list(frames), [_people(each, components) for each in frames.values()], components)


def _people(content: Any, components: Sequence[str]) -> list[list[Any]]:
    people = content.get("people") if isinstance(content, dict) else None
    if not isinstance(people, list):
        raise ValueError("is not a frame of OpenPose: it has no list of 'people'")
    if unknown := [name for name in components if name not in _KEYS]:
        has = f"has no component {unknown[0]!r}; OpenPose has {', '.join(_KEYS)}"
        raise RemediedError(has, "name some of these")
    keypoints = [_keypoints(person, components) for person in people]
    return [each for each in keypoints if each]


def _keypoints(person: Any, components: Sequence[str]) -> list[Any]:
    row: list[Any] = []
    for name in components or ("pose",):
        found = person.get(_KEYS[name]) if isinstance(person, dict) else None
        if not isinstance(found, list):
            raise ValueError(f"is not a frame of OpenPose: one of its people has no {_KEYS[name]!r}")
        if components and len(found) not in (0, 3 * _POINTS[name]):
            raise ValueError(f"has {len(found)} numbers of {name}; expected {3 * _POINTS[name]}")
        row += found or ([0] * 3 * _POINTS[name] if components else [])
    return row


def _skeleton(components: Sequence[str]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Joints and their parents: fingers hang on the first point of a hand, and that on the wrist."""
    body = LAYOUTS["openpose25"]
    joints: list[str] = []
    above: list[str | None] = []
    for name in components:
        if name == "pose":
            joints += body.joints
            above += [None if parent == -1 else body.joints[parent] for parent in body.parents]
            continue
        joints += [f"{name}_{point}" for point in range(_POINTS[name])]
        above.append(_ABOVE[name] if "pose" in components else None)
        for point in range(1, _POINTS[name]):
            base = 0 if name == "face" or point % 4 == 1 else point - 1
            above.append(f"{name}_{base}")
    root = above.index(None)
    parents = [root if joint is None else joints.index(joint) for joint in above]
    return tuple(joints), tuple(-1 if place == root else parent for place, parent in enumerate(parents))
