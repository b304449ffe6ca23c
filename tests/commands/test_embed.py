"""`kineme embed`, as it is typed."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from inference.models import model, motion, write

from kineme.__main__ import main
from kineme.clips.store import Clip
from kineme.inference.parts import Parts
from kineme.layouts import get_layout
from kineme.loading import load_run


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with a run and a store of 4.7 s and 1.5 s."""
    model(tmp_path / "run")
    write(
        tmp_path / "mine", [Clip("walk", motion(47, 0), subject="anna"), Clip("wave", motion(15, 1), label=0)]
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["embed", *words]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("warning: ")]
    assert len(lines) == 1
    return lines[0]


def test_a_store_becomes_a_file_beside_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["embed", "run", "mine"]) == 0
    assert "2 rows written to features-mine.npz" in capsys.readouterr().err
    with np.load(folder / "features-mine.npz") as table:
        np.testing.assert_allclose(table["features"], load_run("run").embed("mine"), rtol=0, atol=1e-6)
        assert table["label"].tolist() == ["", "rise"]


def test_a_store_with_a_dot_in_its_name_keeps_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "mine").rename(folder / "mine.v2")
    assert main(["embed", "run", "mine.v2"]) == 0
    assert "written to features-mine.v2.npz" in capsys.readouterr().err


def test_windows_of_a_store(folder: Path) -> None:
    words = ["embed", "run", "mine", "--window", "2s", "--step", "0.5s", "--out", "deep/table.csv"]
    assert main(words) == 0
    with (folder / "deep" / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["start"] for row in rows] == [f"{i / 2:.3f}" for i in range(6)] + ["0.000"]
    assert [row["name"] for row in rows] == ["walk"] * 6 + ["wave"]
    assert {row["subject"] for row in rows[:6]} == {"anna"}


def test_files_of_poses(folder: Path) -> None:
    own = model(folder / "run25", get_layout("ntu25"))
    for name in ("a", "b"):
        np.save(folder / f"{name}.npy", motion(30, ord(name), joints=25))
    words = ["embed", "run25", "a.npy", "b.npy", "--layout", "ntu25", "--fps", "15", "--out", "both.npz"]
    assert main(words) == 0
    with np.load(folder / "both.npz") as table:
        assert table["source"].tolist() == ["a.npy", "b.npy"]
        assert table["end"].tolist() == [2.0, 2.0]
        expected = [own.embed(motion(30, ord(name), joints=25)) for name in "ab"]
        np.testing.assert_allclose(table["features"], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["run"], "missing: INPUTS"),
        (["run", "mine", "--window", "2x"], "--window: 2x is not a time; write seconds, such as 2s"),
        (["run", "mine", "--window", "0s"], "--window: is 0 s; it must be longer than 0 s"),
        (["run", "mine", "--step", "1s"], "--step has no effect without --window"),
        (["run", "mine", "--out", "table.txt"], "table.txt: is not a table name"),
        (["run", "nowhere"], "nowhere"),
        (["nowhere", "mine"], "nowhere: no such run or weights"),
        (["run", "mine", "--layout", "coco17"], "--layout has no effect on the store mine"),
        (
            ["run", "one.csv", "--out", "one.csv"],
            "one.csv: is an input too; write elsewhere with --out",
        ),
    ],
)
def test_mistakes_earn_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], line: str
) -> None:
    before = {path.name for path in folder.iterdir()}
    assert line in refused(capsys, *words)
    assert {path.name for path in folder.iterdir()} == before


def test_an_interrupted_one_goes_on(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["embed", "run", "mine", "--window", "1s", "--step", "0.1s", "--out", "table.csv"]
    assert main([*words[:-1], "whole.csv"]) == 0
    monkeypatch.setattr("kineme.inference.embed.ROWS", 10)
    keep, kept = Parts.keep, []

    def interrupted(self: Parts, *rest: Any) -> None:
        keep(self, *rest)
        kept.append(rest)
        if len(kept) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Parts, "keep", interrupted)
    capsys.readouterr()
    assert main(words) == 130
    assert "to continue, run the same command again\n" in capsys.readouterr().err
    assert not (folder / "table.csv").exists()
    assert main(words) == 0
    assert "table.csv.parts: continues after 20 rows of an interrupted run" in capsys.readouterr().err
    assert not (folder / "table.csv.parts").exists()
    one, other = ((folder / name).read_text().splitlines() for name in ("whole.csv", "table.csv"))
    assert [line.split(",")[:6] for line in one] == [line.split(",")[:6] for line in other]


def test_a_damaged_file_among_others_leaves_no_table(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model(folder / "run25", get_layout("ntu25"))
    (folder / "raw").mkdir()
    np.save(folder / "raw" / "a.npy", motion(30, 0, joints=25))
    np.save(folder / "raw" / "b.npy", np.full((30, 25, 3), np.nan))
    error = refused(capsys, "run25", "raw", "--layout", "ntu25", "--out", "table.npz")
    assert "b.npy" in error or "b: " in error
    assert not (folder / "table.npz").exists()
