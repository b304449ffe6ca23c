"""A model takes motion capture as it takes its own stores: by path, whichever the format and the joints."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from inference.models import model
from sources.c3d_writer import c3d_bytes

from kineme.__main__ import main
from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS
from kineme.preparing import prepare

MOCAP = Path(__file__).parents[1] / "mocap"


@pytest.mark.parametrize("layout", ["ntu25", "kinect20", "coco17", "smpl22"])
@pytest.mark.parametrize("name", ["mixamo.bvh", "mocapbank.bvh", "tennis_serve.c3d"])
def test_files_of_any_format_go_into_models_of_any_body(layout: str, name: str, tmp_path: Path) -> None:
    features = model(tmp_path / "run", LAYOUTS[layout]).embed(MOCAP / name)
    assert features.shape == (1, features.shape[1])
    assert np.isfinite(features).all()


@pytest.mark.parametrize("name", ["mixamo.bvh", "tennis_serve.c3d"])
def test_a_file_and_its_store_have_the_same_features(name: str, tmp_path: Path) -> None:
    trained = model(tmp_path / "run", LAYOUTS["ntu25"])
    prepared = prepare("poses", MOCAP / name, tmp_path / "store").store
    np.testing.assert_allclose(trained.embed(prepared), trained.embed(MOCAP / name), atol=1e-5)


def test_a_folder_may_hold_several_skeletons(tmp_path: Path) -> None:
    """Each is read as if it had a folder of its own, whichever the first one is."""
    trained = model(tmp_path / "run", LAYOUTS["kinect20"])
    folder = tmp_path / "mixed"
    folder.mkdir()
    files = {"a": "mocapbank.bvh", "b": "mixamo.bvh", "c": "mocapbank.bvh"}
    for name, file in files.items():
        shutil.copy(MOCAP / file, folder / f"{name}.bvh")
    alone = np.concatenate([trained.embed(MOCAP / file) for file in files.values()])
    np.testing.assert_allclose(trained.embed(folder), alone, atol=1e-6)
    assert main(["embed", str(tmp_path / "run"), str(folder), "--out", str(tmp_path / "mixed.npz")]) == 0
    with np.load(tmp_path / "mixed.npz") as table:
        np.testing.assert_allclose(table["features"], alone, atol=1e-6)


def test_the_command_takes_them_too(tmp_path: Path) -> None:
    model(tmp_path / "run", LAYOUTS["kinect20"])
    for name in ("mixamo.bvh", "tennis_serve.c3d"):
        words = ["embed", str(tmp_path / "run"), str(MOCAP / name), "--out", str(tmp_path / f"{name}.npz")]
        assert main(words) == 0
        with np.load(tmp_path / f"{name}.npz") as table:
            assert table["name"].tolist() == [Path(name).stem]


def test_a_joint_map_places_a_model_s_joints_among_unknown_markers(tmp_path: Path) -> None:
    points = np.random.default_rng(0).normal(size=(12, 4, 3)) * 300 + 800
    labels = ["waist1", "waist2", "top", "glove"]
    (tmp_path / "odd.c3d").write_bytes(c3d_bytes(points, labels))
    trained = model(tmp_path / "run")  # hip, neck, hand
    with pytest.raises(KinemeError, match="joints: waist1, waist2, top, …; 4 of them"):
        trained.embed(tmp_path / "odd.c3d")
    given: Any = {"hip": ["waist1", "waist2"], "neck": ["top"], "hand": ["glove"]}
    features = trained.embed(tmp_path / "odd.c3d", joint_map=given, axes="y-up")
    joints = np.stack([points[:, :2].mean(axis=1), points[:, 2], points[:, 3]], axis=1) / 1000
    np.testing.assert_allclose(features[0], trained.embed(joints.astype(np.float32)), atol=1e-4)
