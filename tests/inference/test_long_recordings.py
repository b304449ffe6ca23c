"""Recordings that are too long to be held are read in stretches, with the same outcome as at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from inference import models
from inference.classifying.test_teaching import examples_of

from conftest import STICK
from kineme.clips.store import Clip
from kineme.errors import KinemeError
from kineme.inference import predict, teach
from kineme.inference import recordings as inputs
from kineme.inference.clustering.cluster import cluster_opened
from kineme.inference.embed import embed_table
from kineme.inference.parts import Parts
from kineme.inference.recordings import open_input
from kineme.inference.tables import COLUMNS, Block
from kineme.model import Model
from kineme.report.kinds import write_kinds
from kineme.sources.poses import long, open_poses
from kineme.sources.reading import Reading
from kineme.typing import Array

FRAMES, FPS = 1000, 10.0


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return models.model(tmp_path / "run")


@pytest.fixture
def in_stretches(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """What has more than 100 frames is read 64 at a time."""
    with monkeypatch.context() as patched:
        for module in (long, inputs):
            patched.setattr(module, "LONG", 100)
            patched.setattr(module, "STRETCH", 64)
        yield patched


def motion(frames: int = FRAMES) -> Array:
    """(T, V, 3): a body about 1.7 m tall that walks and waves."""
    rng, time = np.random.default_rng(0), np.arange(frames)[:, None] / FPS
    hip = np.concatenate([np.sin(time / 9), 1 + 0 * time, np.cos(time / 7)], axis=1)
    hand = np.concatenate([np.sin(3 * time), np.cos(2 * time), 0.3 + 0 * time], axis=1)
    neck = hip + np.array([0, 0.7, 0])
    joints = np.stack([hip, neck, neck + hand], axis=1)
    return (joints + 0.01 * rng.normal(size=joints.shape)).astype(np.float32)


def with_gaps(joints: Array) -> Array:
    """Short gaps at the ends of stretches, and a long one in which nobody is there."""
    joints = joints.copy()
    joints[62:66] = np.nan  # bridged
    joints[126:131, 2] = np.nan
    joints[190:580] = np.nan
    return joints


def table(model: Model, path: Path, **options: Any) -> Block:
    """Windows of 3 s, by 1 s."""
    options = {"layout": STICK, "fps": FPS, "window": 3.0, "step": 1.0, "device": "cpu", **options}
    blocks = list(embed_table(model, [path], **options))
    columns = ("features", *COLUMNS)
    return Block(**{name: np.concatenate([getattr(block, name) for block in blocks]) for name in columns})


def assert_same(found: Block, expected: Block) -> None:
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    np.testing.assert_allclose(found.features, expected.features, rtol=1e-4, atol=1e-5)


def written(folder: Path, how: str) -> Path:
    """A recording as a file of one kind."""
    joints = with_gaps(motion())
    path = folder / f"day.{'npy' if how == 'array' else 'csv'}"
    if how == "array":
        np.save(path, joints.astype(np.float64))
        return path
    names = [f"{joint}_{axis}" for joint in STICK.joints for axis in "xyz"]
    numbers = [[f"{value:.6f}" if np.isfinite(value) else "" for value in row.ravel()] for row in joints]
    clock = np.arange(FRAMES) / FPS
    there = [row for row in range(FRAMES) if not 200 <= row < 500]  # lines of these are left out
    beside: dict[str, tuple[list[str], list[list[str]]]] = {
        "rows": ([], [[] for _ in range(FRAMES)]),
        "frames": (["frame"], [[str(7 + 3 * row)] for row in range(FRAMES)]),
        "times": (["time"], [[f"{1.01 * each + 0.03 * np.sin(row):.5f}"] for row, each in enumerate(clock)]),
        "people": (["frame", "person"], [[str(row), "a"] for row in range(FRAMES)]),
    }
    header, columns = beside[how]
    rows = there if how in ("frames", "people") else range(FRAMES)
    lines = [",".join([*header, *names])]
    for row in rows:
        lines.append(",".join([*columns[row], *numbers[row]]))
        if how == "people" and 600 <= row < 700:
            lines.append(",".join([str(row), "b", *numbers[row - 1]]))
    path.write_text("\n".join(lines) + "\n")
    return path


KINDS = ["array", "rows", "frames", "times", "people"]


@pytest.mark.parametrize("kind", KINDS)
def test_windows_are_those_of_the_recording_as_a_whole(
    kind: str, tmp_path: Path, model: Model, request: pytest.FixtureRequest
) -> None:
    path = written(tmp_path, kind)
    whole = table(model, path)
    request.getfixturevalue("in_stretches")
    source = open_poses(path, layout=STICK, fps=FPS)
    assert source.stretched is not None
    stretched = source.stretched(source.items[0])
    assert stretched is not None
    assert (stretched.frames, stretched.step) == (len(source.read(source.items[0]).xyz), 64)
    assert_same(table(model, path), whole)


def test_segments_are_those_of_the_recording_as_a_whole(
    tmp_path: Path, model: Model, request: pytest.FixtureRequest
) -> None:
    classifier = teach(model, examples_of(["rise", "swing", "push"], 4, people=2))
    path, options = written(tmp_path, "array"), Reading(layout=STICK, fps=FPS)
    (whole,) = predict(model, classifier, [path], window=2.0, device="cpu", **options)
    request.getfixturevalue("in_stretches")
    (found,) = predict(model, classifier, [path], window=2.0, device="cpu", **options)
    assert len(found.segments) > 2
    for one, other in zip(found.segments, whole.segments, strict=True):
        assert (one.start, one.end, one.label) == (other.start, other.end, other.label)
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-4)


def test_kinds_of_windows_are_drawn_as_those_of_the_recording_as_a_whole(
    tmp_path: Path, model: Model, request: pytest.FixtureRequest
) -> None:
    """Exemplars alone are read for the page; the whole would be refused."""
    path, options = written(tmp_path, "array"), Reading(layout=STICK, fps=FPS)
    pages = []
    for name in ("whole", "stretches"):
        opened = [open_input(model, path, options)]
        found = cluster_opened(model, opened, k=2, window=2.0, device="cpu")
        write_kinds(found, tmp_path / f"{name}.html", opened)
        pages.append((tmp_path / f"{name}.html").read_text(encoding="utf-8"))
        patch: pytest.MonkeyPatch = request.getfixturevalue("in_stretches")
        patch.setattr("kineme.sources.poses.arrays.MAX_FRAMES", 500)
    frames = [re.findall(r'data-frames="(\d+)" .*?data-first="(\d+)"', page, re.DOTALL) for page in pages]
    assert frames[0] == frames[1] != []


def test_a_recording_of_a_store(tmp_path: Path, model: Model, request: pytest.FixtureRequest) -> None:
    xyz = np.pad(motion()[:, None], ((0, 0), (0, 1), (0, 0), (0, 0)))
    clips = [
        Clip("day", xyz - xyz[:, :, :1], intervals=[(50, 70, 0), (300, 900, 1)]),
        Clip("short", xyz[:50]),
    ]
    store = models.write(tmp_path / "store", clips)
    whole = table(model, store.path, layout=None, fps=None)
    assert {"rise", "swing", ""} <= set(whole.label.tolist())
    request.getfixturevalue("in_stretches")
    assert_same(table(model, store.path, layout=None, fps=None), whole)


def test_an_interrupted_table_goes_on_within_a_recording(
    tmp_path: Path, model: Model, in_stretches: pytest.MonkeyPatch
) -> None:
    in_stretches.setattr("kineme.inference.embed.FRAMES", 150)  # of a block
    path, parts = written(tmp_path, "array"), tmp_path / "parts"
    whole = table(model, path)
    options: Any = {"layout": STICK, "fps": FPS, "window": 3.0, "step": 1.0, "device": "cpu", "parts": parts}
    blocks = embed_table(model, [path], **options)
    for _ in range(3):
        next(blocks)
    blocks.close()  # type: ignore[attr-defined]
    (key,) = parts.iterdir()
    assert [recordings for _, recordings in Parts(parts, key.name).kept()] == [0, 0, 0]
    assert_same(table(model, path, parts=parts), whole)
    assert [recordings for _, recordings in Parts(parts, key.name).kept()][-1] == 1


def test_without_windows_it_is_held_or_refused(
    tmp_path: Path, model: Model, in_stretches: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, "array")
    assert len(table(model, path, window=None, step=None)) == 1
    in_stretches.setattr("kineme.inference.windows.MAX_FRAMES", 500)
    refusal = "day: has 1,000 frames, too many to be held as one clip; cut it into windows by `window`"
    with pytest.raises(KinemeError, match=refusal):
        table(model, path, window=None, step=None)
    assert len(table(model, path)) == 98 - 37  # in those that begin from 19 to 55 s nobody is


def test_nobody_in_a_whole_recording(tmp_path: Path, model: Model, in_stretches: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "day.npy", np.full((FRAMES, 3, 3), np.nan))
    with pytest.raises(KinemeError, match=r"day\.npy: has nobody in any frame; remove it"):
        table(model, tmp_path / "day.npy")


def test_a_table_that_cannot_be_read_in_stretches_is_held(
    tmp_path: Path, in_stretches: pytest.MonkeyPatch
) -> None:
    """With a row per joint, or with people one after another."""
    places = motion(150)
    joints, people = ["frame,joint,x,y,z"], ["frame,person,x0,y0,z0,x1,y1,z1,x2,y2,z2"]
    joints += [f"{t},{v},{','.join(map(str, places[t, v]))}" for t in range(150) for v in range(3)]
    people += [f"{t},{m},{','.join(map(str, places[t].ravel() + m))}" for m in range(2) for t in range(150)]
    for name, rows in (("joints", joints), ("people", people)):
        (tmp_path / f"{name}.csv").write_text("\n".join(rows))
        source = open_poses(tmp_path / f"{name}.csv", layout=STICK, fps=FPS)
        xyz = source.read(source.items[0]).xyz
        assert xyz.shape[:2] == (150, 1 if name == "joints" else 2)
        np.testing.assert_allclose(xyz[:, 0], places, atol=1e-6)


@pytest.mark.parametrize(
    ("lines", "refusal"),
    [
        (["frame,person,x0,y0,z0,x1,y1,z1,x2,y2,z2",
          *(f"{row % 200},{row // 200}" + 9 * ",1" for row in range(400))],
         r"day\.csv, line 202: has an earlier frame than the line before; sort it"),
        (["frame,joint,x,y,z", *(f"{row // 3},{row % 3},1,2,3" for row in range(600))],
         r"day\.csv: has 600 rows, one a joint; write a row per frame, or cut it into shorter clips"),
        (["frame,x0,y0,z0,x1,y1,z1,x2,y2,z2", *(f"{row}" + 9 * ",1" for row in range(200)), "200,1"],
         r"day\.csv, line 202: has 2 fields, the header 10; fix the file"),
    ],
)  # fmt: skip
def test_what_is_too_large_to_be_held_and_cannot_be_read_in_stretches(
    lines: list[str], refusal: str, tmp_path: Path, model: Model, in_stretches: pytest.MonkeyPatch
) -> None:
    in_stretches.setattr(long, "MAX_CSV_BYTES", 1000)
    (tmp_path / "day.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(KinemeError, match=refusal):
        table(model, tmp_path / "day.csv")
