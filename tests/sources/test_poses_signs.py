"""`.pose` files of sign language, cut from true ones (data/README.md)."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from kineme.errors import KinemeError
from kineme.sources.poses import open_poses
from kineme.sources.poses.arrays import Detections, Poses
from kineme.sources.poses.signs import signs_notes, signs_poses

DATA = Path(__file__).with_name("data")
MEDIAPIPE, OPENPOSE = (DATA / f"{name}.pose" for name in ("mediapipe", "openpose"))


def test_version_0_1_by_value() -> None:
    poses = signs_poses(MEDIAPIPE.read_bytes(), ())
    assert isinstance(poses, Poses)
    assert poses.joints[:2] == ("LEFT_SHOULDER", "RIGHT_SHOULDER")
    np.testing.assert_allclose(poses.points[0, 0, 0], [876.96185, 648.36646, 624.886], rtol=1e-6)
    assert poses.confidence is not None
    assert poses.confidence[0, 0, 0] == pytest.approx(0.9971313)
    assert poses.points.shape == (3, 1, 8 + 21 + 21, 3)  # without the face
    assert signs_notes(MEDIAPIPE.read_bytes()) == {"fps": 24}


def test_version_0_0_by_value() -> None:
    found = signs_poses(OPENPOSE.read_bytes(), ())
    assert isinstance(found, Detections)
    assert (found.joints[1], found.frames, found.frame.tolist()) == ("Neck", 3, [0, 1, 2])
    np.testing.assert_allclose(found.points[0, :2], [[158.329, 70.6147], [160.907, 127.787]], rtol=1e-6)
    assert signs_notes(OPENPOSE.read_bytes()) == {"fps": 24}


def test_version_0_2_has_longer_counts() -> None:
    data = MEDIAPIPE.read_bytes()
    body = data.rindex(struct.pack("<HHH", 24, 3, 1))
    later = struct.pack("<f", 0.2) + data[4:body] + struct.pack("<fIH", 29.97, 3, 1) + data[body + 6 :]
    one, other = signs_poses(data, ()), signs_poses(later, ())
    np.testing.assert_array_equal(one.points, other.points)
    assert signs_notes(later)["fps"] == pytest.approx(29.97)


def test_from_files_to_clips() -> None:
    source = open_poses(MEDIAPIPE)
    assert (source.layout.name, source.fps, source.fps_known) == ("holistic75-50", 24, True)
    assert (source.units, source.read(source.items[0]).xyz.shape) == ("body sizes", (3, 1, 50, 3))
    assert open_poses(OPENPOSE).layout.name == "openpose25"


def test_components_are_chosen_by_name() -> None:
    source = open_poses(OPENPOSE, components="pose,left_hand,right_hand")
    assert source.layout.num_joints == 25 + 21 + 21
    assert source.layout.joints[25] == "left_hand_BASE"
    assert signs_poses(MEDIAPIPE.read_bytes(), ("LEFT_HAND_LANDMARKS",)).points.shape[2] == 21
    with pytest.raises(KinemeError, match="no component 'legs'; it has pose, face, left_hand, right_hand"):
        open_poses(MEDIAPIPE, components="legs")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "ends within its header"),
        (struct.pack("<fHHHH", 7, 1, 1, 1, 1), "it begins with version 7"),
        (struct.pack("<fHHHH", 0.1, 1, 1, 1, 0), "has no components"),
        (MEDIAPIPE.read_bytes()[:-4], "has fewer points than its header says"),
    ],
)
def test_what_is_none_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        signs_poses(data, ())
