"""JSON of ZED cameras, as the SDK's samples write bodies: frames by their time, or in a list.

    {"1700000000123": {"is_new": true, "timestamp": 1700000000123456789, "body_list": [
        {"id": 3, "keypoint": [[x, y, z], ...], "keypoint_confidence": [88.5, ...], ...}, ...]}, ...}

Bodies have 18, 34 or 38 joints, without names. Joints that are not seen are NaN, or have the confidence 0.
The unit and the axes are those that the camera was opened with, and are not in the file: the body tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kineme.sources.poses.arrays import STANDING, Detections
from kineme.sources.poses.people import people, told

_BODY_18 = (
    "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip "
    "right_knee right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear"
)
_BODY_34 = (
    "pelvis spine_navel spine_chest neck left_clavicle left_shoulder left_elbow left_wrist left_hand "
    "left_handtip left_thumb right_clavicle right_shoulder right_elbow right_wrist right_hand right_handtip "
    "right_thumb left_hip left_knee left_ankle left_foot right_hip right_knee right_ankle right_foot head "
    "nose left_eye left_ear right_eye right_ear left_heel right_heel"
)
_MIDDLE_38 = {
    "pelvis": "", "spine_1": "pelvis", "spine_2": "spine_1", "spine_3": "spine_2", "neck": "spine_3",
    "nose": "neck",
}  # fmt: skip
_SIDES_38 = {  # joint of the left and the right side → the one above it, in the middle or on the same side
    "eye": "nose", "ear": "eye", "clavicle": "spine_3", "shoulder": "clavicle", "elbow": "shoulder",
    "wrist": "elbow", "hip": "pelvis", "knee": "hip", "ankle": "knee", "big_toe": "ankle",
    "small_toe": "ankle", "heel": "ankle", "hand_thumb_4": "wrist", "hand_index_1": "wrist",
    "hand_middle_4": "wrist", "hand_pinky_1": "wrist",
}  # fmt: skip
_ABOVE_38 = _MIDDLE_38 | {
    f"{side}_{part}": above if above in _MIDDLE_38 else f"{side}_{above}"
    for part, above in _SIDES_38.items()
    for side in ("left", "right")
}
_JOINTS = {18: tuple(_BODY_18.split()), 34: tuple(_BODY_34.split()), 38: tuple(_ABOVE_38)}
_PARENTS = {38: tuple(_JOINTS[38].index(above) if above else -1 for above in _ABOVE_38.values())}


def is_zed(content: Any) -> bool:
    """Whether it is what a ZED camera saw."""
    entries = content.values() if isinstance(content, Mapping) else content
    if not isinstance(content, Mapping | list) or not entries:
        return False
    return all("body_list" in _bodies(entry) for entry in entries)


def zed_people(content: Any) -> Detections:
    """Parsed JSON → the people of its frames. Raises ValueError with what is wrong, and in which frame."""
    seen = people(_frames(content))
    joints = seen.points.shape[1]
    depth = STANDING if seen.points.shape[2] == 3 else None
    return replace(seen, joints=_JOINTS.get(joints, ()), parents=_PARENTS.get(joints, ()), axes=depth)


def zed_notes(content: Any) -> dict[str, Any]:
    """The frame rate that the times of the frames tell."""
    return told(_frames(content))


def _bodies(entry: Any) -> Mapping[str, Any]:
    """What a frame holds, which senders of several cameras call `bodies`; empty for other objects."""
    entry = entry.get("bodies", entry) if isinstance(entry, Mapping) else {}
    return entry if isinstance(entry, Mapping) else {}


def _frames(content: Any) -> list[dict[str, Any]]:
    """Frames as `people.py` takes them."""
    numbered = isinstance(content, Mapping)
    entries = list(content.items()) if numbered else [(None, entry) for entry in content]
    frames = []
    for place, (key, entry) in enumerate(entries):
        shows = _bodies(entry)
        time, listed = shows.get("timestamp"), shows["body_list"]
        if not isinstance(listed, list):
            raise ValueError(f"frame {place}: its body_list is no list")
        frame: dict[str, Any] = {"people": [_person(body, place) for body in listed]}
        if isinstance(time, int | float):
            frame["time_ns"] = time
        elif isinstance(key, str) and key.isdecimal() and len(key) < 20:
            frame["time_ms"] = int(key)
        frames.append(frame)
    return frames


def _person(body: Any, place: int) -> dict[str, Any]:
    points = body.get("keypoint") or body.get("keypoint_2d") if isinstance(body, Mapping) else None
    if not isinstance(points, list):
        raise ValueError(f"frame {place}: a body has no 'keypoint'")
    person = {"id": body.get("id"), "keypoints": points}
    scores = body.get("keypoint_confidence")
    if isinstance(scores, list):  # in per cent
        try:
            person["keypoint_scores"] = [float(score) / 100 for score in scores]
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"frame {place}: a body has confidences that are no numbers") from error
    return person
