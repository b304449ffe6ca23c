"""Damaged files of motion capture: a finite clip or a KinemeError of one line, in bounded memory."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from sources.c3d_writer import c3d_bytes
from sources.fuzz import HeldFile, held, memory_below, mutations, survives
from sources.test_poses_amass import model, motion, pickled
from sources.test_poses_amc import LEG, STEP
from sources.test_poses_bvh import ARM
from sources.test_poses_labs import WRITERS
from sources.test_poses_mat import hdf5, mat, qualisys
from sources.test_poses_mvnx import mvnx
from sources.test_poses_trc import PAIR

from kineme.sources import Source
from kineme.sources.poses import open_poses
from kineme.sources.poses.smpl import read_body_model

FEW, MANY = 150, 2000
MATLAB = {"mat": mat, "hdf5.mat": hdf5, "qtm.mat": qualisys}
KINDS = ("trc", "c3d", "bvh", "mvnx", "npz", "amc", "asf", *WRITERS, *MATLAB)
LAYOUTS = {
    "pair": "name: pair\njoints: [hip, head]\nparents: [null, hip]\n",
    "leg": "name: leg\njoints: [root, thigh, shin, foot]\nparents: [null, root, thigh, shin]\n",
    "arm": "name: arm\njoints: [Shoulder, Elbow, Wrist]\nparents: [null, Shoulder, Elbow]\n",
}


def write(folder: Path, kind: str) -> tuple[Path, dict[str, object]]:
    """One small recording of a kind, and the options it is read with; of a skeleton, the file of that."""
    path = folder / f"walk.{kind}"  # or, of a table, its suffix after the program
    for name, text in LAYOUTS.items():
        (folder / f"{name}.yaml").write_text(text)
    if kind == "npz":
        np.savez(folder / "body.npz", **model())
        rng = np.random.default_rng(0)
        return motion(folder, rng.normal(size=(3, 66))), {"body_model": folder / "body.npz"}
    if kind == "trc":
        path.write_bytes(PAIR)
    elif kind == "bvh":
        path.write_text(ARM)
    elif kind == "mvnx":
        path.write_bytes(mvnx(np.arange(1, 13).reshape(2, 2, 3) / 10, ["hip", "head"]))
    elif kind in ("amc", "asf"):
        path.with_suffix(".asf").write_text(LEG)
        path.with_suffix(".amc").write_text(STEP)
    elif kind in MATLAB:
        path.write_bytes(MATLAB[kind](np.arange(1, 13).reshape(2, 2, 3) / 10, ["hip", "head"]))
    elif kind in WRITERS:
        path.write_bytes(WRITERS[kind](["hip", "head"], np.arange(1, 13).reshape(2, 2, 3) * 100.0))
    else:
        points = np.random.default_rng(0).normal(size=(6, 2, 3)) * 500 + 1000
        path.write_bytes(c3d_bytes(points, ["hip", "head"], analog=3))
    layout = {"bvh": "arm", "amc": "leg", "asf": "leg"}.get(kind, "pair")
    return path, {"layout": str(folder / f"{layout}.yaml"), "axes": "y-up"}


def opened(path: Path, options: dict[str, object]) -> Source:
    """A recording of `write`; a skeleton is opened by its motion."""
    return open_poses(path.with_suffix(".amc") if path.suffix == ".asf" else path, **options)  # type: ignore[arg-type]


def damaged(name: str, data: bytes) -> HeldFile:
    """A recording of these bytes, or of a skeleton of these."""
    if name.endswith(".asf"):
        return held("walk.amc", STEP.encode(), held(name, data))
    return held(name, data, held("walk.asf", LEG.encode()))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
def test_a_damaged_file_gives_a_finite_clip_or_a_kineme_error(tmp_path: Path, kind: str, count: int) -> None:
    path, options = write(tmp_path, kind)
    source = opened(path, options)

    def read(data: bytes) -> None:
        clip = source.read(replace(source.items[0], files=(damaged(path.name, data),)))
        assert clip.xyz.shape[1] in (1, 2)
        assert clip.xyz.shape[2:] == (source.layout.num_joints, 3)
        assert np.isfinite(clip.xyz).all()

    good = path.read_bytes()
    assert survives(partial(read, good))
    with memory_below(200_000_000):
        well = sum(survives(partial(read, data)) for data in mutations(good, count, seed=0))
    assert 0.02 * count < well < 0.98 * count  # otherwise the damage is not where it matters


@pytest.mark.parametrize("kind", KINDS)
def test_opening_a_damaged_file_is_as_safe(tmp_path: Path, kind: str) -> None:
    path, options = write(tmp_path, kind)
    for data in mutations(path.read_bytes(), 60, seed=1):
        path.write_bytes(data)
        survives(lambda: opened(path, options))


@pytest.mark.parametrize("suffix", ["npz", "pkl"])
@pytest.mark.parametrize("count", [60, pytest.param(MANY, marks=pytest.mark.slow)])
def test_a_damaged_body_model_is_read_or_refused(tmp_path: Path, count: int, suffix: str) -> None:
    path = tmp_path / f"body.{suffix}"
    if suffix == "pkl":
        path.write_bytes(pickled(model()))
    else:
        np.savez(path, **model())
    for data in mutations(path.read_bytes(), count, seed=2):
        path.write_bytes(data)
        survives(lambda: read_body_model(path))
