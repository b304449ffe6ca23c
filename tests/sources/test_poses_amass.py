"""AMASS: joints from a body model, by hand; models as their authors pickle them; refusals."""

from __future__ import annotations

import io
import pickle
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS
from kineme.sources.poses import open_poses
from kineme.sources.poses.smpl import read_body_model
from kineme.typing import Array

SMPL = LAYOUTS["smpl22"]
REST = np.round(
    np.random.default_rng(0).normal(size=(24, 3)), 2
)  # joints of the mean shape, two of them hands
MOVED = np.array([1.0, 2.0, 3.0])
GOLDEN = Path(__file__).parents[1] / "golden"
GROWTH = np.array([0.0, 0.1, 0.0])  # by which the first component of shape moves joint 1


def model() -> dict[str, Any]:
    """A body of 48 vertices: each joint is in the middle of two of them."""
    template = np.repeat(REST, 2, axis=0) + np.tile([[0.1, 0, 0], [-0.1, 0, 0]], (24, 1))
    shapes = np.zeros((48, 3, 10))
    shapes[2:4, :, 0] = GROWTH
    regressor = np.kron(np.eye(24), [0.5, 0.5])
    tree = np.array([[2**32 - 1, *SMPL.parents[1:], 20, 21], range(24)], dtype=np.uint32)
    return {"v_template": template, "shapedirs": shapes, "J_regressor": regressor, "kintree_table": tree}


@pytest.fixture
def body_model(tmp_path: Path) -> Path:
    np.savez(tmp_path / "model.npz", **model())
    return tmp_path / "model.npz"


def motion(folder: Path, poses: Array, **more: Any) -> Path:
    trans = np.tile(MOVED, (len(poses), 1))
    arrays = {
        "poses": poses,
        "trans": trans,
        "betas": np.zeros(16),
        "mocap_framerate": 120.0,
        "gender": "female",
    }
    np.savez(folder / "walk.npz", **{**arrays, **more})
    return folder / "walk.npz"


def test_a_resting_body_is_where_its_joints_are(tmp_path: Path, body_model: Path) -> None:
    """z up: what is (x, y, z) in AMASS is (x, z, -y)."""
    betas = np.zeros(16)
    betas[0] = 2.0
    source = open_poses(motion(tmp_path, np.zeros((3, 156)), betas=betas), body_model=body_model)
    assert (source.layout, source.fps, source.units) == (SMPL, 120, "metres")
    xyz = source.read(source.items[0]).xyz
    expected = REST[:22] + MOVED
    expected[1] += 2 * GROWTH
    np.testing.assert_allclose(xyz[1, 0], expected[:, [0, 2, 1]] * [1, 1, -1], atol=1e-6)


def test_a_joint_turns_those_below_it(tmp_path: Path, body_model: Path) -> None:
    """The left hip (joint 1) by 90° about z: knee, ankle and foot (4, 7, 10) turn about it, only they."""
    poses = np.zeros((1, 66))
    poses[0, 3:6] = 0, 0, np.pi / 2
    source = open_poses(motion(tmp_path, poses), body_model=body_model, axes="y-up")
    xyz = source.read(source.items[0]).xyz[0, 0]
    rest = REST[:22] + MOVED
    expected = rest.copy()
    for joint in (4, 7, 10):
        x, y, z = rest[joint] - rest[1]
        expected[joint] = rest[1] + [-y, x, z]
    np.testing.assert_allclose(xyz, expected, atol=1e-6)


def test_the_hips_are_the_root_joint_plus_the_translation(tmp_path: Path, body_model: Path) -> None:
    turned = np.full((2, 72), 0.3)
    source = open_poses(motion(tmp_path, turned), body_model=body_model, axes="y-up")
    np.testing.assert_allclose(source.read(source.items[0]).xyz[:, 0, 0], [REST[0] + MOVED] * 2, atol=1e-6)


def test_smpl_x_has_its_poses_in_parts(tmp_path: Path, body_model: Path) -> None:
    """As retargeting programs keep them, without `poses`."""
    poses = np.random.default_rng(1).normal(size=(3, 66)) * 0.3
    whole = open_poses(motion(tmp_path, poses), body_model=body_model)
    expected = whole.read(whole.items[0]).xyz
    parts = {"root_orient": poses[:, :3], "pose_body": poses[:, 3:], "trans": np.tile(MOVED, (3, 1))}
    np.savez(tmp_path / "walk.npz", **parts, betas=np.zeros(10), mocap_frame_rate=np.array(50.0))
    source = open_poses(tmp_path / "walk.npz", body_model=body_model)
    assert source.fps == 50
    np.testing.assert_allclose(source.read(source.items[0]).xyz, expected, atol=1e-6)
    np.savez(tmp_path / "walk.npz", **{**parts, "root_orient": poses[:2, :3]})
    with pytest.raises(KinemeError, match="has root_orient and pose_body of 2 and 3 frames"):
        open_poses(tmp_path / "walk.npz", body_model=body_model)


def test_without_a_body_model_the_remedy_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        KinemeError, match=r"walk.npz: holds rotations of an SMPL body .*name its file with `body_model`"
    ):
        open_poses(motion(tmp_path, np.zeros((3, 156))))


def pickled(content: dict[str, Any]) -> bytes:
    """As SMPL is distributed: arrays of chumpy, sparse matrices of an old SciPy, protocol 2."""
    from scipy.sparse import csc_matrix

    chumpy, ch = types.ModuleType("chumpy"), types.ModuleType("chumpy.ch")
    old = types.ModuleType("scipy.sparse.csc")

    class Ch:
        def __init__(self, x: Array) -> None:
            self.__setstate__({"x": x, "_dirty_vars": set()})

        def __setstate__(self, state: dict[str, Any]) -> None:
            self.__dict__.update(state)

    class csc(Ch):
        pass

    Ch.__module__, Ch.__qualname__ = "chumpy.ch", "Ch"
    csc.__module__, csc.__qualname__, csc.__name__ = "scipy.sparse.csc", "csc_matrix", "csc_matrix"
    ch.Ch, old.csc_matrix = Ch, csc  # type: ignore[attr-defined]
    modules = {"chumpy": chumpy, "chumpy.ch": ch, "scipy.sparse.csc": old}
    kept = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        sparse = csc_matrix(content["J_regressor"])
        stored = csc.__new__(csc)
        stored.__dict__.update(
            _shape=sparse.shape, indptr=sparse.indptr, indices=sparse.indices, data=sparse.data, format="csc"
        )
        own = {**content, "shapedirs": Ch(content["shapedirs"]), "J_regressor": stored}
        return pickle.dumps(own, protocol=2)
    finally:
        for name, module in kept.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def test_a_pickled_model_is_the_same_model(tmp_path: Path, body_model: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(pickled(model()))
    one, other = read_body_model(tmp_path / "model.pkl"), read_body_model(body_model)
    np.testing.assert_array_equal(one.joints, other.joints)
    np.testing.assert_array_equal(one.shapes, other.shapes)
    np.testing.assert_allclose(one.joints, REST[:22], atol=1e-12)


class Evil:
    def __reduce__(self) -> Any:
        return print, ("gotcha",)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({**model(), "v_template": Evil()}, r"contains '__builtin__.print', not only arrays"),
        ({"v_template": 1}, "it lacks J_regressor"),
        ([1, 2], "it holds no named arrays"),
        (
            {**model(), "kintree_table": np.zeros((2, 24), np.uint32)},
            "its joints are connected differently",
        ),
        ({**model(), "J_regressor": np.zeros((24, 5))}, "J_regressor does not match the vertices"),
    ],
)
def test_what_is_no_model_is_refused_and_runs_nothing(
    tmp_path: Path, content: Any, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.pkl").write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(KinemeError, match=f"`body_model`: .*{reason}"):
        read_body_model(tmp_path / "bad.pkl")
    assert "gotcha" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"poses": np.zeros((3, 9))}, r"has poses of shape \(3, 9\)"),
        ({"poses": np.full((3, 66), np.nan)}, "its array 'poses' contains infinite or missing numbers"),
        ({"trans": np.zeros((4, 3))}, "expected \\(T, 66 or more\\)"),
        ({"betas": np.zeros((2, 2))}, "its array 'betas' is not one of numbers with 1 dimensions"),
    ],
)
def test_damaged_motions_are_refused(tmp_path: Path, body_model: Path, change: Any, reason: str) -> None:
    path = motion(tmp_path, np.zeros((3, 66)))
    with np.load(path) as stored:
        arrays = {**stored, **change}
    file = io.BytesIO()
    np.savez(file, **arrays)
    path.write_bytes(file.getvalue())
    with pytest.raises(KinemeError, match=reason):
        open_poses(path, body_model=body_model)


VERTICES = 6890


def smpl() -> dict[str, Any]:
    """A body of as many vertices as SMPL has, in the file layout that smplx loads, of random numbers."""
    rng = np.random.default_rng(5)
    template = rng.normal(size=(VERTICES, 3))
    shapes = rng.normal(size=(VERTICES, 3, 10)) * 0.05
    regressor = rng.random((24, VERTICES)) ** 40
    regressor /= regressor.sum(axis=1, keepdims=True)
    return {**model(), "v_template": template, "shapedirs": shapes, "J_regressor": regressor}


def test_joints_are_where_smplx_has_them(tmp_path: Path) -> None:
    """`smplx.SMPL` of smplx 0.1.28 gave the joints, in float64, of this body in five random poses."""
    with np.load(GOLDEN / "smplx_joints.npz") as golden:
        recorded = {name: golden[name] for name in ("poses", "trans", "betas", "joints")}
    expected = recorded.pop("joints")
    np.savez(tmp_path / "SMPL_NEUTRAL.npz", **smpl())
    np.savez(tmp_path / "walk.npz", **recorded, mocap_framerate=60.0)
    source = open_poses(tmp_path / "walk.npz", body_model=tmp_path / "SMPL_NEUTRAL.npz")
    assert (source.layout, source.fps) == (SMPL, 60)
    xyz = source.read(source.items[0]).xyz[:, 0]
    np.testing.assert_allclose(xyz, expected[..., [0, 2, 1]] * [1, 1, -1], atol=1e-6)
