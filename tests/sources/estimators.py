"""A recording as programs with MediaPipe write it; the shapes are those found in public projects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kineme.layouts import LAYOUTS
from kineme.typing import Array

NAMES = LAYOUTS["mediapipe33"].joints
FRAMES = 10
_HEIGHTS = {
    "nose": 0.1, "eye": 0.08, "ear": 0.09, "mouth": 0.12, "shoulder": 0.25, "elbow": 0.4, "wrist": 0.52,
    "pinky": 0.55, "index": 0.55, "thumb": 0.54, "hip": 0.55, "knee": 0.75, "ankle": 0.92, "heel": 0.94,
    "foot": 0.95,
}  # fmt: skip


def _standing() -> Array:
    body = np.zeros((len(NAMES), 3))
    for row, name in enumerate(NAMES):
        side = 0.05 if "left" in name else -0.05 if "right" in name else 0
        height = next(_HEIGHTS[part] for part in ("foot", *_HEIGHTS) if part in name)
        body[row] = 0.5 + side, height, -0.1
    return body


IMAGE = np.stack([_standing() + np.array([0.01 * t, 0, 0]) for t in range(FRAMES)]).round(4)
"""(T, 33, 3) someone who stands and slides to the right of the image, in fractions of it."""
WORLD = ((IMAGE - IMAGE[:, 23:25].mean(axis=1, keepdims=True)) * [0.9, 1.7, 1]).round(4)
"""(T, 33, 3) the same in metres from the middle of the hips, y down."""
VISIBLE = np.random.default_rng(0).uniform(0.5, 1, (FRAMES, len(NAMES))).round(3)


def point(place: Array, visibility: float | None = None, **more: Any) -> dict[str, Any]:
    """A landmark as JSON."""
    found = {"x": float(place[0]), "y": float(place[1]), "z": float(place[2])}
    return found | ({} if visibility is None else {"visibility": float(visibility)}) | more


def landmarks(places: Array, frame: int) -> list[dict[str, Any]]:
    """The landmarks of a frame."""
    return [point(places[frame, joint], VISIBLE[frame, joint]) for joint in range(len(NAMES))]


def _named(places: Array) -> list[dict[str, Any]]:
    return [point(place, name=name) for place, name in zip(places, NAMES, strict=True)]


def hand(frame: int) -> list[dict[str, Any]]:
    """21 landmarks beside the left wrist."""
    return [point(IMAGE[frame, 15] + joint * np.array([0.001, 0.002, 0])) for joint in range(21)]


def mediapipe_json() -> dict[str, Any]:
    """What is written of a video by programs that use MediaPipe, by a word for each form."""
    frames = range(FRAMES)
    return {
        "timed": [
            {"timestamp": 33.4 * t, "landmarks": landmarks(IMAGE, t), "worldLandmarks": landmarks(WORLD, t)}
            for t in frames
        ],
        "tasks": [
            {"landmarks": [landmarks(IMAGE, t)], "worldLandmarks": [landmarks(WORLD, t)]} for t in frames
        ],
        "protobuf": [
            {"pose_landmarks": {"landmark": landmarks(IMAGE, t)},
             "pose_world_landmarks": {"landmark": landmarks(WORLD, t)}}
            for t in frames
        ],
        "named": [
            {"frameNumber": t, "timestamp": t / 30, "landmarks":
             {name: point(WORLD[t, joint]) for joint, name in enumerate(NAMES)}}
            for t in frames
        ],
        "numbered": {
            str(t): {
                str(joint): [*place, seen]
                for joint, (place, seen) in enumerate(
                    zip(WORLD[t].tolist(), VISIBLE[t].tolist(), strict=True)
                )
            }
            for t in frames
        },
        "lists": {
            "pose_landmarks": IMAGE.tolist(),
            "pose_world_landmarks": WORLD.tolist(),
        },
        "in a row": {"frames": [{"pose_world_landmarks": WORLD[t].ravel().tolist()} for t in frames]},
        "in a row with visibility": [
            {"landmarks": np.append(WORLD[t], VISIBLE[t, :, None], axis=1).ravel().tolist()} for t in frames
        ],
        "tfjs": [
            [{"score": 0.9,
              "keypoints": _named(IMAGE[t] * [640, 480, 1]), "keypoints3D": _named(WORLD[t])}]
            for t in frames
        ],
        "records": [
            {"frame": t, "landmark_id": joint, **point(WORLD[t, joint], VISIBLE[t, joint])}
            for t in frames
            for joint in range(len(NAMES))
        ],
    }  # fmt: skip


def _row(places: Array, t: int, *, visible: bool = True) -> str:
    return ",".join(
        f"{x},{y},{z},{VISIBLE[t, joint] if visible else ''}" for joint, (x, y, z) in enumerate(places[t])
    )


def _table(header: str, rows: Sequence[str]) -> str:
    return "\n".join([header, *rows]) + "\n"


def mediapipe_csv() -> dict[str, str]:
    """Tables of the same."""
    frames, joints = range(FRAMES), range(len(NAMES))
    upper = ",".join(f"{name.upper()}_{axis}" for name in NAMES for axis in ("x", "y", "z", "visibility"))
    return {
        "wide": _table(f"timestamp,{upper}", [f"{t * 0.04:.2f},{_row(WORLD, t)}" for t in frames]),
        "without visibility": _table(upper, [_row(WORLD, t, visible=False) for t in frames]),
        "numbers": _table(
            "class," + ",".join(f"x{j},y{j},z{j},v{j}" for j in joints),
            [f"squat,{_row(WORLD, t)}" for t in frames],
        ),
        "LandmarkID": _table(
            "Frame,LandmarkID,X,Y,Z,Visibility",
            [f"{t},{j},{x},{y},{z},{VISIBLE[t, j]}" for t in frames for j, (x, y, z) in enumerate(WORLD[t])],
        ),
        "names": _table(
            "frame_id,landmark_id,landmark_name,x,y,z,visibility",
            [
                f"{t},{j},{NAMES[j].upper()},{x},{y},{z},{VISIBLE[t, j]}"
                for t in frames
                for j, (x, y, z) in enumerate(WORLD[t])
            ],
        ),
        "sources": _table(
            "frame,time_sec,source,landmark_index,x,y,z,visibility",
            [
                f"{t},{t / 50},{source},{j},{x},{y},{z},{VISIBLE[t, j]}"
                for t in frames
                for source, places in (("pose", IMAGE), ("pose_world", WORLD))
                for j, (x, y, z) in enumerate(places[t])
            ],
        ),
        "axis first": _table(
            "frame," + ",".join(f"x_{name},y_{name},z_{name}" for name in NAMES),
            [f"{t}," + ",".join(map(str, WORLD[t].ravel())) for t in frames],
        ),
        "both": _table(
            "frame,"
            + ",".join(
                f"landmark_{j}_x,landmark_{j}_y,landmark_{j}_z,landmark_{j}_visibility,landmark_{j}_world_x,"
                f"landmark_{j}_world_y,landmark_{j}_world_z"
                for j in joints
            ),
            [
                f"{t},"
                + ",".join(",".join(map(str, [*IMAGE[t, j], VISIBLE[t, j], *WORLD[t, j]])) for j in joints)
                for t in frames
            ],
        ),
    }
