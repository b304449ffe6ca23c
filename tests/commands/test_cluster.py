"""`kineme cluster`, as it is typed."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from inference.clustering.test_changes import recording
from inference.models import model, motion, write

from conftest import STICK
from kineme import inference
from kineme.__main__ import main
from kineme.clips.store import Clip, Manifest
from kineme.clips.writer import StoreWriter
from kineme.commands.cluster import _show
from kineme.inference.clustering.segments import Kinds, Segment, described
from kineme.loading import load_run
from kineme.preprocessing import get_preprocessing


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with a run, a store of two motions in eight clips each, and one of a clip."""
    model(tmp_path / "run")
    rng = np.random.default_rng(0)
    two = [motion(30, 1), motion(30, 2)]
    clips = [
        Clip(
            f"clip{i:02}",
            two[i % 2] + 0.001 * rng.standard_normal(two[0].shape).astype(np.float32),
            label=i % 2,
        )
        for i in range(16)
    ]
    write(tmp_path / "mine", clips)
    write(tmp_path / "one", clips[:1])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["cluster", *words]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_a_table_and_a_page_beside_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cluster", "run", "mine"]) == 0
    told = capsys.readouterr()
    assert told.err.splitlines() == ["written to segments-mine.csv", "written to segments-mine.html"]
    assert "adjusted mutual information with labels: 100.0 %" in told.out
    assert "rise 100 %" in told.out
    assert "people" not in told.out  # nobody says who moves
    with (folder / "segments-mine.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == [f"clip{i:02}" for i in range(16)]
    assert [row["kind"] for row in rows] == ["1", "2"] * 8
    assert "already trimmed" in (folder / "segments-mine.html").read_text()


def test_as_many_kinds_as_asked_for_and_files_where_told(folder: Path) -> None:
    words = ["--k", "3", "--out", "deep/table.csv", "--page", "other/page.html", "--seed", "1"]
    assert main(["cluster", "run", "mine", *words]) == 0
    with (folder / "deep" / "table.csv").open(newline="") as file:
        assert {row["kind"] for row in csv.DictReader(file)} == {"1", "2", "3"}
    assert (folder / "other" / "page.html").is_file()
    assert sorted(path.name for path in folder.iterdir()) == ["deep", "mine", "one", "other", "run"]


def test_a_long_recording_is_cut_where_motions_begin_and_end(folder: Path) -> None:
    xyz, _ = recording([40, 60, 30], [40, 30, 50, 60])
    write(folder / "long", [Clip("long", xyz)], fps=30.0)
    assert main(["cluster", "run", "long", "--k", "2"]) == 0
    with (folder / "segments-long.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 7
    assert main(["cluster", "run", "long", "--k", "2", "--window", "1s"]) == 0
    with (folder / "segments-long.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 10


def test_what_is_said_of_a_recording_is_said_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rod = replace(STICK, name="rod")
    with StoreWriter(folder / "rods", Manifest(rod, get_preprocessing("plain"), "test"), 2) as writer:
        for i in range(4):
            writer.add(Clip(f"clip{i}", motion(30, i)))
    assert main(["cluster", "run", "rods", "--k", "2"]) == 0
    notes = capsys.readouterr().err.splitlines()
    assert notes[0] == "rods: joints of stick found among those of rod by their names"
    assert notes[1:] == ["written to segments-rods.csv", "written to segments-rods.html"]


def test_nothing_is_alike(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder / "few", [Clip(f"clip{i}", motion(30, i)) for i in range(3)])
    assert main(["cluster", "run", "few"]) == 0
    told = capsys.readouterr().out
    assert "like no other" in told
    assert "too few similar segments to form a kind; set a number of kinds with --k" in told
    assert (folder / "segments-few.html").is_file()


def test_long_recordings_among_short_ones_can_be_cut(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = [30, 30, 30, 360]
    write(folder / "mixed", [Clip(f"clip{i}", motion(length, i)) for i, length in enumerate(frames)])
    assert main(["cluster", "run", "mixed"]) == 0
    advice = "cut long recordings into motions with --cut motions, or set a number of kinds with --k"
    assert f"too few similar segments to form a kind; {advice}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["run"], "missing: INPUTS"),
        (["run", "mine", "--k", "17"], "--k: is 17; it must be 2 to 16, the number of segments"),
        (["run", "one"], "one segment to cluster; give more recordings"),
        (["run", "nowhere"], "nowhere"),
        (["nowhere", "mine"], "nowhere: no such run or weights"),
        (["run", "mine", "--window", "2x"], "--window: 2x is not a time; write seconds, such as 2s"),
        (["run", "mine", "--step", "1s"], "--step has no effect without --window"),
        (["run", "mine", "--window", "1s", "--cut", "clips"], "--cut has no effect beside --window"),
        (["run", "mine", "--cut", "parts"], "--cut is parts; it must be one of auto, clips, motions"),
        (["run", "mine", "--prominence", "0"], "--prominence: is 0.0; it must be at least 0.001"),
        (["run", "mine", "--out", "table.txt"], "table.txt: is not a table name; it must end in .csv"),
        (["run", "mine", "--page", "page.pdf"], "--page: page.pdf is not a page name; it must end in .html"),
        (["run", "mine", "--layout", "coco17"], "--layout has no effect on the store mine"),
        (["run", "poses.csv", "--out", "poses.csv"], "poses.csv: is an input too; write elsewhere"),
    ],
)
def test_mistakes(folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], line: str) -> None:
    assert line in refused(capsys, *words)
    assert not list(folder.glob("segments*"))


def test_the_seed_is_that_of_the_grouping(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without clear kinds, where k-means ends depends on where it begins."""
    store = write(folder / "random", [Clip(f"clip{i}", motion(20, i)) for i in range(40)])
    kinds = {}
    for seed in (0, 1):
        assert main(["cluster", "run", "random", "--k", "12", "--seed", str(seed)]) == 0
        with (folder / "segments-random.csv").open(newline="") as file:
            kinds[seed] = [int(row["kind"]) for row in csv.DictReader(file)]
        found = inference.cluster(load_run("run"), store, k=12, seed=seed)
        assert kinds[seed] == [each.kind for each in found.segments]
    assert kinds[0] != kinds[1]


def test_labels_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    segments = [Segment("mine", "a", 0, 1, 1, 1.0, "", "[red]wave[/red]")]
    _show(Kinds(tuple(segments), described(segments), {}, untrimmed=False))
    assert "[red]wave[/red] 100 %" in capsys.readouterr().out
