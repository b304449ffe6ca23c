"""Files that the formats' own programs and libraries wrote, a number of each checked by hand; see
data/README.md."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kineme.sources.poses import open_poses
from kineme.sources.poses.arrays import Detections
from kineme.sources.poses.documents import json_poses
from kineme.sources.poses.hdf5 import hdf5_poses
from kineme.sources.poses.tables import csv_poses

DATA = Path(__file__).with_name("data")


class TestFreeMoCap:
    """Millimetres, z up; centres of mass, hands and face beside the body."""

    def test_a_row_a_point_of_version_1(self) -> None:
        poses = csv_poses((DATA / "freemocap_by_frame.csv").read_bytes(), scores=False, layout=None)
        assert (poses.points.shape, poses.program) == ((2, 1, 13, 3), "freemocap")
        assert poses.joints[0] == "nose"
        np.testing.assert_allclose(poses.points[0, 0, 0], [-184.764, -651.999, 1637.523])
        np.testing.assert_allclose(poses.points[1, 0, 12], [-259.792, -575.651, 1576.53])  # right shoulder

    def test_a_row_a_frame(self) -> None:
        poses = csv_poses((DATA / "freemocap_by_trajectory.csv").read_bytes(), scores=False, layout=None)
        assert poses.joints == ("nose", "left_eye_inner", "left_eye", "left_eye_outer")
        np.testing.assert_allclose(poses.points[1, 0, 3, 2], 1743.9795336965162)

    def test_measured_points_of_version_2(self, caplog: pytest.LogCaptureFixture) -> None:
        """Those of rigid bones and the centres between joints are left out."""
        caplog.set_level("INFO")
        source = open_poses(DATA / "freemocap_rtmpose.csv")
        clip = source.read(source.items[0])
        assert (source.layout.num_joints, source.units) == (23, "metres")
        nose = clip.xyz[0, 0, source.layout.joints.index("nose")]
        np.testing.assert_allclose(nose, [0.104264, 1.194734, -0.016136], atol=1e-6)
        assert "are left out: joints: head_center, neck_center, trunk_center, …; 4 of them" in caplog.text
        assert "the unit is taken to be mm" in caplog.text


class TestSleap:
    """Frames 4 to 7 of two flies: point k of fly i is at (100 i + 10 k + frame, 50.5 + k²)."""

    def test_a_project(self) -> None:
        pytest.importorskip("h5py")
        found = hdf5_poses((DATA / "sleap_io.slp").read_bytes())
        assert found.joints == ("head", "thorax", "abdomen", "wing_left", "wing_right")
        assert [found.joints[at] if at >= 0 else None for at in found.parents] == [
            *("thorax", None, *["thorax"] * 3)
        ]
        source = open_poses(DATA / "sleap_io.slp")
        assert source.read(source.items[0]).xyz.shape == (4, 2, 5, 3)

    def test_an_analysis(self) -> None:
        pytest.importorskip("h5py")
        poses = hdf5_poses((DATA / "sleap_io.h5").read_bytes())
        assert poses.points.shape == (8, 2, 5, 2)
        assert poses.points[7, 1, 3].tolist() == [137.0, 59.5]  # 100 + 10 * 3 + 7; 50.5 + 9
        assert np.isnan(poses.points[6, 1]).all()
        assert poses.confidence is not None
        assert poses.confidence[4, 0, 0] == 0.75

    def test_a_table(self) -> None:
        poses = csv_poses((DATA / "sleap_io.csv").read_bytes(), scores=False, layout=None)
        assert (poses.points.shape, poses.program) == ((4, 2, 5, 2), "sleap")
        assert poses.points[3, 1, poses.joints.index("wing_left")].tolist() == [137.0, 59.5]
        assert open_poses(DATA / "sleap_io.csv").layout.num_joints == 5


@pytest.mark.parametrize("kind", ["table", "fixed"])
def test_deeplabcut_s_tables_as_pandas_writes_them(kind: str) -> None:
    pytest.importorskip("h5py")
    poses = hdf5_poses((DATA / f"pandas_{kind}.h5").read_bytes())
    assert poses.joints == ("snout", "leftear", "tailbase")
    assert poses.points[3, 0, 2].tolist() == [23.0, 22.25]  # 10 * 2 + 3; 20.25 + 2
    assert poses.confidence is not None
    np.testing.assert_allclose(poses.confidence[:, 0, 0], [0.9, 0.9, 0.1, 0.9], rtol=1e-6)


class TestUltralytics:
    """Two people of 17 joints, 80 pixels apart, in an image of 640x480; tracks 3 and 4."""

    def test_results_as_json(self) -> None:
        found = json_poses((DATA / "ultralytics.json").read_bytes(), scores=False)
        assert isinstance(found, Detections)
        assert found.identity is not None
        assert (found.frame.tolist(), found.identity.tolist()) == ([0, 0, 1, 1], [3, 4, 3, 4])
        assert found.points[0, 0, 0] == pytest.approx(221.91386)
        assert found.points[1, 0, 0] == pytest.approx(301.91386)

    def test_text_files_a_frame(self) -> None:
        source = open_poses(DATA / "yolo", image="640x480")
        assert list(source.names) == ["walk"]
        clip = source.read(source.items[0])
        assert clip.xyz.shape == (2, 2, 17, 3)
        assert clip.xyz[0, 0, 0, 0] == pytest.approx((0.34674 * 640 - 320) / 480, abs=1e-6)
        assert clip.confidence is not None
        assert clip.confidence.max() == pytest.approx(0.9)


def test_results_of_mediapipe_s_tasks() -> None:
    source = open_poses(DATA / "mediapipe_tasks.json")
    assert (source.layout.name, source.units) == ("mediapipe33", "metres")
    clip = source.read(source.items[0])
    assert clip.xyz[0, 0, 0].tolist() == pytest.approx([0.0601023, 0.6014295, 0.2881481])  # the nose
    assert clip.confidence is not None
    assert clip.confidence[1, 0, 0] == pytest.approx(0.9999943)
