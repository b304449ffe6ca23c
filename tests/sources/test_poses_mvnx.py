"""MVNX, by value, and refusals that say what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from kineme.layouts import LAYOUTS
from kineme.layouts.correspondence import correspondence
from kineme.sources.poses import open_poses
from kineme.sources.poses.mvnx import mvnx_notes, mvnx_poses
from kineme.typing import Array

BODY = {
    "Pelvis": "", "L5": "Pelvis", "L3": "L5", "T12": "L3", "T8": "T12", "Neck": "T8", "Head": "Neck",
    **{f"{side}{name}": above if above in ("T8", "Pelvis") else f"{side}{above}"
       for side in ("Right", "Left") for name, above in (
           ("Shoulder", "T8"), ("UpperArm", "Shoulder"), ("ForeArm", "UpperArm"), ("Hand", "ForeArm"),
           ("UpperLeg", "Pelvis"), ("LowerLeg", "UpperLeg"), ("Foot", "LowerLeg"), ("Toe", "Foot"))},
}  # fmt: skip
POINTS = np.random.default_rng(0).uniform(-1, 1, (3, len(BODY), 3)).round(4)


def mvnx(points: Array = POINTS, names: Sequence[str] = tuple(BODY)) -> bytes:
    """As MVN 2020 and later write it, with a calibration pose before the motion."""
    segments = [f'<segment label="{name}" id="{at}"><points/></segment>' for at, name in enumerate(names, 1)]
    joints = [
        f'<joint label="j{name}"><connector1>{BODY[name]}/j{name}</connector1>\n'
        f"<connector2>{name}/j{name}</connector2></joint>"
        for name in names
        if BODY.get(name)
    ]
    still = " ".join(["0"] * 3 * len(names))
    frames = [f'<frame time="0" index="" type="tpose"><position>{still}</position></frame>']
    for at, frame in enumerate(points):
        numbers = " ".join(map(str, frame.ravel()))
        frames.append(
            f'<frame time="{at * 17}" index="{at}" type="normal"><orientation>1 0 0 0</orientation>'
            f"<position>{numbers}</position><velocity>{still}</velocity></frame>"
        )
    return "\r\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            '<mvnx version="4"><mvn version="2023.0"/><comment/>',
            f'<subject label="anna" torsoColor="#08f" frameRate="60" segmentCount="{len(names)}">',
            "<segments>", *segments, "</segments>",
            "<joints>", *joints, "</joints>",
            "<frames>", *frames, "</frames></subject></mvnx>",
        ]
    ).encode()  # fmt: skip


def test_segments_are_joints_with_a_tree(tmp_path: Path) -> None:
    (tmp_path / "walk.mvnx").write_bytes(mvnx())
    source = open_poses(tmp_path / "walk.mvnx")
    layout = source.layout
    assert (source.fps, source.fps_known, source.units) == (60, True, "metres")
    assert {layout.joints[child]: layout.joints[parent] for child, parent in layout.bones} == {
        name: above for name, above in BODY.items() if above
    }
    clip = source.read(source.items[0]).xyz[:, 0]
    np.testing.assert_allclose(clip, POINTS[..., [0, 2, 1]] * [1, 1, -1], atol=1e-6)
    knee = correspondence(layout, LAYOUTS["ntu25"])[LAYOUTS["ntu25"].joints.index("left_knee")]
    assert layout.joints[int(np.argmax(knee))] == "LeftLowerLeg"


def test_a_tree_that_is_none_is_left_out() -> None:
    assert mvnx_poses(mvnx()).parents[:3] == (-1, 0, 1)
    assert mvnx_poses(mvnx().replace(b"<connector1>Pelvis/jL5", b"<connector1>L3/jL5")).parents == ()
    assert mvnx_poses(mvnx().replace(b"<connector1>Pelvis/jL5", b"<connector1>Sword/jL5")).parents == ()


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"<mvnx", b"<bvnx", "is not an MVNX file"),
        (b'label="L5"', b'label="L3"', "names the segments"),
        (b'type="normal"', b'type="npose"', "has no frames of motion; export them too"),
        (b"position>", b"posture>", "frame 0 has no positions; export those of segments"),
        (b"<position>", b"<position>1 ", "frame 0 has 70 numbers for 23 segments"),
        (b"<position>", b"<position>x ", "frame 0 has positions that are not numbers"),
    ],
)
def test_what_cannot_be_read_is_refused(old: bytes, new: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        mvnx_poses(mvnx().replace(old, new))


def test_a_rate_that_is_none_is_unknown() -> None:
    assert mvnx_notes(mvnx()) == {"fps": 60}
    assert mvnx_notes(mvnx().replace(b'"60"', b'"6.0.0"')) == {}
    assert mvnx_notes(b"") == {}
