"""MATLAB files of one clip: which axes are which, names, rates, Qualisys' exports, version 7.3, refusals."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
from sources.writers import mat5, motion

from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS
from kineme.sources.poses import open_poses
from kineme.sources.poses.mat import mat_notes, mat_poses
from kineme.typing import Array

XYZ = motion(7, 20)  # (T, V, 3)
KINECT = LAYOUTS["kinect20"]


def cell(names: Sequence[str]) -> Any:
    made = np.empty((len(names), 1), dtype=object)
    made[:, 0] = names
    return made


def mat(points: Array, names: Sequence[str]) -> bytes:
    """(T, V, 3) as UTD-MHAD orders it, with names."""
    return mat5(
        compressed=False, d_skel=np.moveaxis(points, 0, 2), joint_names=cell(names), fps=25.0, label="wave"
    )


def hdf5(points: Array, names: Sequence[str]) -> bytes:
    """The same without names, as MATLAB saves it by '-v7.3': after a header, axes in reverse."""
    file = io.BytesIO()
    with h5py.File(file, "w", userblock_size=512) as made:
        made["d_skel"] = np.moveaxis(points, 0, 2).T
        made["d_skel"].attrs["MATLAB_class"] = np.bytes_("double")
        made["label"] = np.array([[ord(letter)] for letter in "wave"], np.uint16)
        made["label"].attrs["MATLAB_class"] = np.bytes_("char")
        made["info/fps"] = np.array([[25.0]])
        made["#refs#/a"] = np.zeros((3, 3, 3))
    header = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    return header + file.getvalue()[128:]


def qualisys(points: Array, names: Sequence[str]) -> bytes:
    """(T, V, 3) metres as QTM exports it, in millimetres with residuals."""
    places = np.concatenate([points * 1000, np.full_like(points[..., :1], 0.4)], axis=-1)
    labelled = {"Count": float(len(names)), "Labels": cell(names).T, "Data": places.transpose(1, 2, 0)}
    measured = {"File": "C:\\walk.qtm", "Frames": float(len(points)), "FrameRate": 100.0}
    return mat5(compressed=False, walk={**measured, "Trajectories": {"Labeled": labelled}})


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 1, 0), (1, 0, 2), (0, 2, 1), (2, 0, 1)])
def test_axes_in_any_order_where_the_number_of_joints_is_known(order: tuple[int, int, int]) -> None:
    data = mat5(d_skel=XYZ.transpose(order))
    np.testing.assert_array_equal(mat_poses(data, False, KINECT).points[:, 0], XYZ.astype(np.float32))
    named = mat5(d_skel=XYZ.transpose(order), Joints=cell(KINECT.joints))
    np.testing.assert_array_equal(mat_poses(named, False, None).points[:, 0], XYZ.astype(np.float32))


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 1, 0)])
@pytest.mark.parametrize("axes", [2, 3])
def test_usual_orders_are_told_by_the_coordinates(order: tuple[int, int, int], axes: int) -> None:
    """As NumPy, UTD-MHAD and JHMDB have them."""
    points = mat_poses(mat5(pos=XYZ[..., :axes].transpose(order)), False, None).points
    np.testing.assert_array_equal(points[:, 0], XYZ[..., :axes].astype(np.float32))


def test_people_and_confidences_come_last_as_in_numpy() -> None:
    crowd = np.stack([XYZ, XYZ + 1], axis=1)
    np.testing.assert_array_equal(mat_poses(mat5(a=crowd), False, None).points, crowd.astype(np.float32))
    scored = mat_poses(mat5(a=np.concatenate([XYZ, 0 * XYZ[..., :1] + 0.5], axis=-1)), False, None)
    assert scored.points.shape == (7, 1, 20, 3)
    assert scored.confidence is not None
    assert (scored.confidence == 0.5).all()


@pytest.mark.parametrize("write", [mat, hdf5])
def test_a_clip_with_what_its_file_says(tmp_path: Path, write: Any, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "walk.mat").write_bytes(write(XYZ, KINECT.joints))
    with caplog.at_level("INFO"):
        source = open_poses(tmp_path, layout="kinect20")
    clip = source.read(source.items[0])
    np.testing.assert_allclose(clip.xyz[:, 0], XYZ, atol=1e-6)
    assert (source.names, source.class_names, source.fps, source.fps_known) == (["walk"], ("wave",), 25, True)
    assert "d_skel is read as (joints, coordinates, frames)" in caplog.text


def test_names_tell_the_layout(tmp_path: Path) -> None:
    (tmp_path / "walk.mat").write_bytes(mat(XYZ[:, ::-1], KINECT.joints[::-1]))
    source = open_poses(tmp_path)
    assert source.layout == KINECT
    np.testing.assert_allclose(source.read(source.items[0]).xyz[:, 0], XYZ, atol=1e-6)


def test_qualisys_exports_are_labelled_markers_in_millimetres(tmp_path: Path) -> None:
    hidden = XYZ.copy()
    hidden[3, 5] = np.nan
    poses = mat_poses(qualisys(hidden, KINECT.joints), False, None)
    assert (poses.joints, poses.scale) == (KINECT.joints, 0.001)
    np.testing.assert_allclose(poses.points[:, 0], hidden * 1000, atol=1e-3)
    assert mat_notes(qualisys(XYZ, KINECT.joints)) == {"fps": 100.0}
    two = qualisys(
        np.concatenate([XYZ, XYZ], axis=1), [f"{who}:{name}" for who in "ab" for name in KINECT.joints]
    )
    assert mat_poses(two, False, None).points.shape == (7, 2, 20, 3)


def test_matlab_files_beside_other_recordings_are_left_alone(tmp_path: Path) -> None:
    np.save(tmp_path / "walk.npy", XYZ)
    (tmp_path / "walk.mat").write_bytes(mat5(results=1.0))
    (tmp_path / "readme.txt").write_text("results")
    assert open_poses(tmp_path, layout="kinect20").names == ["walk"]
    (tmp_path / "walk.npy").unlink()
    with pytest.raises(KinemeError, match=r"walk\.mat: has no array of three axes"):
        open_poses(tmp_path, layout="kinect20")


@pytest.mark.parametrize(
    ("variables", "joints", "reason"),
    [
        (
            {"a": 1.0, "b": XYZ[0]},
            None,
            r"has no array of three axes; its arrays are a \(1, 1\), b \(20, 3\);",
        ),
        (
            {"a": XYZ, "b": XYZ},
            None,
            "has 2 arrays that may be places: .*; call that of the joints xyz, or save",
        ),
        (
            {"a": XYZ[:3]},
            None,
            "'a' has shape .3, 20, 3.; which axis is frames, joints and coordinates is not",
        ),
        (
            {"a": XYZ},
            25,
            r"'a' has shape \(7, 20, 3\); expected places of 25 joints as \(frames, joints, 3\)",
        ),
        (
            {"a": {"Trajectories": {"Other": 1.0}}},
            None,
            "has no labelled trajectories; label its markers in QTM",
        ),
        (
            {"a": {"Trajectories": {"Labeled": {"Labels": cell(["x", "y"]), "Data": XYZ}}}},
            None,
            r"has 2 labels, and places of shape \(7, 20, 3\)",
        ),
    ],
)
def test_what_is_wrong_is_said(variables: dict[str, Any], joints: int | None, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        mat_poses(mat5(**variables), False, LAYOUTS["ntu25"] if joints else None)


def test_what_is_called_xyz_is_taken() -> None:
    data = mat5(velocity=XYZ * 0, xyz=XYZ, s={"other": XYZ + 1})
    np.testing.assert_array_equal(mat_poses(data, False, None).points[:, 0], XYZ.astype(np.float32))
    inside = mat5(s={"keypoints": XYZ}, velocity=XYZ * 0)
    np.testing.assert_array_equal(mat_poses(inside, False, None).points[:, 0], XYZ.astype(np.float32))


def test_our_files_are_read_by_scipy_too() -> None:
    """The writer of these tests is SciPy's own."""
    assert scipy.io.loadmat(io.BytesIO(mat(XYZ, KINECT.joints)))["d_skel"].shape == (20, 3, 7)
