"""BVH: forward kinematics against bvhio and by hand, channels in any order, units, rates, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from golden_fill import GOLDEN

from kineme.errors import FileError
from kineme.layouts import without_prefix
from kineme.sources.poses import open_poses
from kineme.sources.poses.bvh import bvh_notes, bvh_poses

MOCAP = Path(__file__).parents[1] / "mocap"
ARM = """\
HIERARCHY
ROOT Shoulder
{
  OFFSET 5 5 5
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Elbow
  {
    OFFSET 3 0 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    JOINT Wrist {
      OFFSET 0 2 0
      CHANNELS 0
      End Site
      {
        OFFSET 0 1 0
      }
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.008333
1 2 3 0 0 0 0 0 0
1 2 3 90 0 0 0 90 0
"""


@pytest.mark.parametrize("name", ["mixamo", "mocapbank"])
def test_joints_are_where_bvhio_has_them(name: str) -> None:
    with np.load(GOLDEN / "bvh_positions.npz") as stored:
        names, expected = (
            [without_prefix(str(joint)) for joint in stored[f"{name}_names"]],
            stored[f"{name}_xyz"],
        )
    poses = bvh_poses((MOCAP / f"{name}.bvh").read_bytes())
    shared = [joint for joint in names if joint in poses.joints]
    assert len(shared) == len(names)
    found = poses.points[:, 0, [poses.joints.index(joint) for joint in shared]]
    np.testing.assert_allclose(found, expected[:, [names.index(joint) for joint in shared]], atol=2e-4)


def test_an_arm_by_hand() -> None:
    """Turned by 90° about z the elbow is above the shoulder; turned about x, the forearm comes forward.

    The root's channels replace its offset.
    """
    poses = bvh_poses(ARM.encode())
    assert poses.joints == ("Shoulder", "Elbow", "Wrist", "Wrist_end")
    assert poses.parents == (-1, 0, 1, 2)
    np.testing.assert_allclose(
        poses.points[:, 0],
        [[[1, 2, 3], [4, 2, 3], [4, 4, 3], [4, 5, 3]], [[1, 2, 3], [1, 5, 3], [1, 5, 5], [1, 5, 6]]],
        atol=1e-6,
    )


@pytest.mark.parametrize(
    "order", ["Xrotation Yrotation Zrotation", "Yrotation Zrotation Xrotation", "Zrotation"]
)
def test_rotations_multiply_in_the_order_of_their_channels(order: str) -> None:
    """Against SciPy, whose capital letters are turns about axes that move along."""
    from scipy.spatial.transform import Rotation

    angles = np.array([20.0, -35.0, 70.0])[: len(order.split())]
    text = ARM.replace("3 Zrotation Xrotation Yrotation", f"{len(angles)} {order}")
    text = text.replace("0 0 0 0 0 0\n", f"0 0 0 {' '.join(map(str, angles))}\n").replace(
        "Frames: 2", "Frames: 1"
    )
    found = bvh_poses(text.encode()).points[0, 0, 2] - [4, 2, 3]
    turn = Rotation.from_euler("".join(word[0] for word in order.split()), angles, degrees=True)
    np.testing.assert_allclose(found, turn.apply([0, 2, 0]).reshape(3), atol=1e-6)


def test_many_frames_are_as_good_as_one() -> None:
    """More than are computed at a time."""
    frame = ARM.splitlines()[-1]
    text = ARM.replace("Frames: 2", "Frames: 5000").rsplit("\n", 3)[0] + "\n" + "\n".join([frame] * 5000)
    points = bvh_poses(text.encode()).points
    assert points.shape == (5000, 1, 4, 3)
    np.testing.assert_allclose(points, np.broadcast_to(points[0], points.shape))
    np.testing.assert_allclose(points[0, 0, 2], [1, 5, 5], atol=1e-6)


def test_the_hips_of_mixamo() -> None:
    """Frame 0 begins -0.2399 98.2948 -0.5224, in centimetres; bones lose their `mixamorig:`."""
    source = open_poses(MOCAP / "mixamo.bvh")
    clip = source.read(source.items[0])
    assert (source.fps, source.fps_known, source.units) == (30, True, "metres")
    assert source.layout.joints[source.layout.root] == "Hips"
    np.testing.assert_allclose(clip.xyz[0, 0, 0], [-0.002399, 0.982948, -0.005224], atol=1e-7)
    assert "HeadTop_End" in source.layout.joints
    assert "HeadTop_End_end" not in source.layout.joints  # it lies on the joint


@pytest.mark.parametrize("name", ["mixamo", "mocapbank"])
def test_the_unit_is_guessed_and_said(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        source = open_poses(MOCAP / f"{name}.bvh")
    assert "the unit is taken to be cm" in caplog.text
    clip = source.read(source.items[0])
    assert 1.5 < np.ptp(clip.xyz[0, 0, :, 1]) < 1.9
    inches = open_poses(MOCAP / f"{name}.bvh", units="in")
    assert np.ptp(inches.read(inches.items[0]).xyz[0, 0, :, 1]) == pytest.approx(
        2.54 * np.ptp(clip.xyz[0, 0, :, 1]), rel=1e-5
    )


def test_lafan_s_names_are_rig22(tmp_path: Path) -> None:
    from kineme.layouts import LAYOUTS

    rig = LAYOUTS["rig22"]
    depth = 0
    lines = ["HIERARCHY"]

    def write(joint: int) -> None:
        nonlocal depth
        kind = "ROOT" if depth == 0 else "JOINT"
        lines.append(
            f"{kind} {rig.joints[joint]} {{\nOFFSET 0 12 0\nCHANNELS 3 Zrotation Yrotation Xrotation"
        )
        depth += 1
        children = [child for child, parent in rig.bones if parent == joint]
        for child in children:
            write(child)
        lines.extend(["End Site {\nOFFSET 0 5 0\n}"] if not children else [])
        lines.append("}")

    write(rig.root)
    lines.append(f"MOTION\nFrames: 1\nFrame Time: 0.033333\n{' '.join(['0'] * 66)}")
    (tmp_path / "dance.bvh").write_text("\n".join(lines))
    assert open_poses(tmp_path / "dance.bvh").layout == rig  # the ends of head, hands and toes are left out


def test_a_file_with_another_skeleton_than_the_first_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.bvh").write_text(ARM)
    for other in (ARM.replace("Elbow", "Knee").replace("Wrist", "Ankle"), ARM.replace("Elbow", "Olecranon")):
        (tmp_path / "b.bvh").write_text(other)
        source = open_poses(tmp_path)
        with pytest.raises(
            FileError, match=r"b\.bvh: has another skeleton than the first file: it lacks the joint 'Elbow'"
        ):
            source.read(source.items[1])


@pytest.mark.parametrize(
    ("written", "fps"),
    [("0.033333", 30), ("0.0083333", 120), ("0.04", 25), ("0.016683", 59.941), ("0.1", 10),
     (".033333", 30), ("8.333e-03", 120), ("1.6683E-2", 59.941)],
)  # fmt: skip
def test_rates_are_those_that_were_rounded(written: str, fps: float) -> None:
    for text in ("Frame Time: ", "FRAME TIME:\t", "Frame Time:"):
        assert bvh_notes(f"{text}{written}\n".encode()) == {"fps": fps}


@pytest.mark.parametrize("written", ["0", "fast", "0,033333", "1e-9", "1e999", "0.03.3"])
def test_rates_that_are_none(written: str) -> None:
    assert bvh_notes(f"Frame Time: {written}\n".encode()) == {}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("End Site\n      {\n        OFFSET 0 1 0\n      }\n    }", "End Site { OFFSET 0 1 0 } }"),
        ("    }\n  }\n}\n", "} } }\n"),
        ("{\n  OFFSET 5 5 5", "{ OFFSET 5 5 5"),
        ("Frames: 2", "Frames : 2"),
        ("Frame Time: 0.008333", "FRAME TIME:0.008333"),
    ],
)
def test_lines_may_break_anywhere(old: str, new: str) -> None:
    assert old in ARM
    found, expected = bvh_poses(ARM.replace(old, new).encode()), bvh_poses(ARM.encode())
    assert (found.joints, found.parents) == (expected.joints, expected.parents)
    np.testing.assert_array_equal(found.points, expected.points)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("HIERARCHY", "HIER", "is not a BVH file"),
        ("Frames: 2", "Frames: 1000000000", "line 21: says 1,000,000,000 frames; expected 1 to 1,000,000"),
        ("Frames: 2", "Frames: 3", "says 3 frames and has 2; it is cut off"),
        ("OFFSET 3 0 0", "OFFSET 3 0", "line 8: expected 3 numbers"),
        ("3 Zrotation", "3 Wrotation", "line 9: .*; expected channels"),
        ("1 2 3 90", "1 2 x 90", "its frames: could not convert string 'x'"),
        ("1 2 3 90", "1 2 90", "its frames: the number of columns changed"),
        ("1 2 3 90", "1 2 nan 90", "infinite or missing numbers"),
        ("CHANNELS 0", "CHANNELS 1 Xrotation", "has 9 numbers a frame; its joints have 10 channels"),
        ("MOTION", "ROOT Other", "line 20: a second skeleton begins"),
        ("Frame Time", "Time", "ends before its first frame"),
    ],
)
def test_what_is_wrong_is_said(old: str, new: str, reason: str) -> None:
    assert old in ARM
    with pytest.raises(ValueError, match=reason):
        bvh_poses(ARM.replace(old, new, 1).encode())
