"""What the samples of the ZED SDK write, by value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kineme.sources.poses import open_poses
from kineme.sources.poses.arrays import Detections
from kineme.sources.poses.documents import json_notes, json_poses
from kineme.typing import Array

NAN = float("nan")


def body(points: Array, confidence: float = 88.0, who: int = 3) -> dict[str, Any]:
    """Of the keys that the sample writes, those that could be mistaken for another."""
    joints = len(points)
    return {
        "id": who, "unique_object_id": "0a1b", "tracking_state": "OK", "action_state": "IDLE",
        "position": [0.1, 0.2, 0.3], "bounding_box": [[0, 0, 0]] * 8, "dimensions": [0.5, 1.7, 0.4],
        "keypoint_2d": [[960, 540]] * joints, "keypoint": points.tolist(), "keypoint_cov": [[0] * 6] * joints,
        "head_position": [0.0, 1.0, 2.0], "confidence": 92.1, "keypoint_confidence": [confidence] * joints,
        "local_position_per_joint": [[0, 0, 0]] * joints, "global_root_orientation": [0, 0, 0, 1],
    }  # fmt: skip


def standing(joints: int, head: int, feet: tuple[int, int]) -> Array:
    """A body whose head is 1.6 m above its feet, y up, two metres from the camera."""
    points = np.tile([0.0, 0.0, -2.0], (joints, 1)) + np.linspace(0, 0.3, joints)[:, None]
    points[head, 1], points[list(feet), 1] = 0.8, -0.8
    return points


def export(bodies: list[list[dict[str, Any]]], step: int = 40) -> dict[str, Any]:
    """Frames by their time in milliseconds, as the Python sample exports them."""
    start = 1_700_000_000_123
    return {
        str(start + step * at): {
            "is_new": True, "is_tracked": True, "timestamp": (start + step * at) * 1_000_000 + 345_678,
            "body_list": found,
        }
        for at, found in enumerate(bodies)
    }  # fmt: skip


def opened(content: Any, folder: Path) -> Any:
    (folder / "bodies.json").write_text(json.dumps(content))
    return open_poses(folder / "bodies.json")


@pytest.mark.parametrize(
    ("joints", "layout", "head", "feet"),
    [(18, "openpose25-18", 0, (10, 13)), (34, "azure32", 26, (21, 25)), (38, "bodies", 5, (24, 25))],
)
def test_bodies_of_each_size(
    joints: int, layout: str, head: int, feet: tuple[int, int], tmp_path: Path
) -> None:
    points = standing(joints, head, feet)
    source = opened(export([[body(points)]] * 5), tmp_path)
    clip = source.read(source.items[0])
    assert (source.layout.name, source.fps, source.fps_known) == (layout, 25, True)
    assert source.units == "metres"
    name = {18: "nose", 34: "head", 38: "nose"}[joints]
    np.testing.assert_allclose(clip.xyz[0, 0, source.layout.joints.index(name)], points[head], atol=1e-4)


def test_the_tree_of_38_joints(tmp_path: Path) -> None:
    layout = opened(export([[body(standing(38, 5, (24, 25)))]] * 3), tmp_path).layout
    above = {
        joint: layout.joints[up] for joint, up in zip(layout.joints, layout.parents, strict=True) if up >= 0
    }
    assert layout.joints[:8] == (
        "pelvis",
        "spine_1",
        "spine_2",
        "spine_3",
        "neck",
        "nose",
        "left_eye",
        "right_eye",
    )
    assert layout.joints[-1] == "right_hand_pinky_1"
    assert (above["right_elbow"], above["left_clavicle"]) == ("right_shoulder", "spine_3")
    assert (above["left_heel"], above["right_ear"]) == ("left_ankle", "right_eye")


def test_millimetres_with_y_down_as_the_camera_gives_by_default(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    points = standing(34, 26, (21, 25)) * [1000, -1000, -1000]
    source = opened(export([[body(points)]] * 5), tmp_path)
    clip = source.read(source.items[0])
    np.testing.assert_allclose(clip.xyz[0, 0, source.layout.joints.index("head"), 1], 0.8, atol=1e-4)
    assert "bodies stand y-down" in caplog.text
    assert "the unit is taken to be mm" in caplog.text


def test_joints_that_are_not_seen_and_people_by_their_number() -> None:
    unseen = standing(18, 0, (10, 13))
    unseen[4] = NAN
    other = body(standing(18, 0, (10, 13)) + 1, who=7)
    other["keypoint_confidence"][2] = 0  # senders of JSON write 0 for NaN
    found = json_poses(json.dumps(export([[body(unseen), other], [other]])).encode(), False)
    assert isinstance(found, Detections)
    assert found.identity is not None
    assert found.identity.tolist() == [3, 7, 7]
    assert np.isnan(found.points[0, 4]).all()
    assert found.confidence is not None
    assert found.confidence[1, [1, 2]].tolist() == pytest.approx([0.88, 0])


def test_what_a_sender_of_several_cameras_writes() -> None:
    """Frames in a list, in an object beside its metrics, with points as objects."""
    points = standing(38, 5, (24, 25))
    each = body(points) | {"keypoint": [dict(zip("xyz", point, strict=True)) for point in points.tolist()]}
    frames = [
        {
            "fusionMetrics": {"mean_camera_fused": 2},
            "bodies": {"timestamp": at * 20_000_000, "body_list": [each]},
        }
        for at in range(3)
    ]
    data = json.dumps(frames).encode()
    found = json_poses(data, False)
    np.testing.assert_allclose(found.points[2], points, atol=1e-6)
    assert json_notes(data)["fps"] == 50


def test_a_frame_without_bodies_is_empty() -> None:
    found = json_poses(json.dumps(export([[], [body(standing(18, 0, (10, 13)))]])).encode(), False)
    assert isinstance(found, Detections)
    assert (found.frames, found.frame.tolist()) == (2, [1])


@pytest.mark.parametrize(
    ("bodies", "reason"),
    [
        ([3], "frame 1: a body has no 'keypoint'"),
        ([{"id": 3}], "frame 1: a body has no 'keypoint'"),
        ({"id": 3}, "frame 1: its body_list is no list"),
        (
            [{"keypoint": [[1, 2, 3]], "keypoint_confidence": ["high"]}],
            "frame 1: a body has confidences that",
        ),
    ],
)
def test_what_cannot_be_read_is_refused(bodies: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        json_poses(json.dumps(export([[], bodies])).encode(), False)
