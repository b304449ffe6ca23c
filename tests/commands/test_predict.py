"""`kineme predict`, as it is typed: taught classifiers, and detectors."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from evaluation.detection.recordings import write_recordings
from inference.classifying.test_teaching import examples_of, moving
from inference.models import model, write

from conftest import Settings
from kineme.__main__ import main
from kineme.clips.store import Clip, ClipStore
from kineme.commands.predict import _Tally
from kineme.evaluation.detection.detector import Detector
from kineme.evaluation.detection.found import find
from kineme.inference import Prediction, predict, read_classifier, teach
from kineme.loading import load_run
from kineme.training.run import train


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory: a run with a classifier of two ways, and a store of both and of another."""
    own = model(tmp_path / "run")
    teach(own, examples_of(["rise", "swing"], 6)).save(tmp_path / "run" / "classifiers" / "ways.safetensors")
    names = ["rise", "rise", "swing", "swing", "swing"]
    clips = [
        Clip(f"clip{i}", np.pad(moving(way, 40 + i), ((0, 0), (0, 1), (0, 0), (0, 0))), label=int(i > 0))
        for i, way in enumerate(names)
    ]
    write(tmp_path / "mine", clips, fps=30.0)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["predict", *words]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_a_table_and_the_accuracy(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The store calls the second rise a swing."""
    assert main(["predict", "run", "mine"]) == 0
    shown, aside = capsys.readouterr()
    assert "80.0 % (95 % interval 38 to 96) of the 5 labelled recordings are labelled correctly" in shown
    assert aside == "5 segments of 5 recordings written to predictions-mine.csv\n"
    with (folder / "predictions-mine.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["source", "name", "start", "end", "label", "probability", "p(rise)", "p(swing)"]
    own = load_run("run")
    expected = predict(own, read_classifier("run/classifiers/ways.safetensors", own), ["mine"])
    for row, each in zip(rows, expected, strict=True):
        (segment,) = each.segments
        assert (row["name"], row["label"], row["end"]) == (each.name, segment.label, "0.667")
        assert float(row["probability"]) == pytest.approx(segment.probability, abs=1e-4)
        assert float(row["p(rise)"]) + float(row["p(swing)"]) == pytest.approx(1, abs=2e-4)


def test_labels_that_were_not_taught_are_counted_apart(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = load_run("run")
    teach(own, examples_of(["rise", "push"], 6)).save("other.safetensors")
    assert main(["predict", "run", "mine", "--classifier", "other.safetensors", "--none", "0.1"]) == 0
    shown = capsys.readouterr().out
    assert "of the 1 labelled recordings" in shown
    assert "4 recordings have a label that was not taught; " in shown
    assert "of them are none of these" in shown


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["run"], "missing: INPUTS"),
        (["run", "nowhere"], "nowhere"),
        (
            ["run", "mine", "--classifier", "way"],
            "run: has no classifier 'way', and there is no such file; did you mean ways?",
        ),
        (["run", "mine", "--none", "0.01"], "--none: a rate of 0.01 takes 99 cross-validated examples"),
        (["run", "mine", "--none", "2"], "--none: is 2; it must be above 0 and below 1"),
        (["run", "mine", "--window", "2x"], "--window: 2x is not a time"),
        (["run", "mine", "--window", "0.5s", "--step", "1s"], "--step: 1 s is longer than a window of 0.5 s"),
        (
            ["run", "mine", "--out", "found.parquet"],
            "found.parquet: is not a table name; it must end in .csv",
        ),
        (
            ["run", "poses.csv", "--out", "poses.csv"],
            "poses.csv: is an input too; write elsewhere with --out",
        ),
        (
            ["run", "mine", "--classifier", "mine/index.npz"],
            "mine/index.npz: not a classifier that this Kineme can read",
        ),
    ],
)
def test_mistakes_earn_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], line: str
) -> None:
    before = set(folder.rglob("*"))
    assert line in refused(capsys, *words)
    assert set(folder.rglob("*")) == before


def test_an_earlier_table_outlives_a_failure(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "found.csv").write_text("precious")
    refused(capsys, "run", "mine", "nowhere", "--out", "found.csv")
    assert (folder / "found.csv").read_text() == "precious"


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recordings(tmp_path_factory.mktemp("stores") / "stick")


@pytest.fixture(scope="module")
def run(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with two detectors."""
    path = tmp_path_factory.mktemp("runs") / "run"
    train(Settings(recordings)(data_split="odd-even", data_window=16, train_epochs=1), path)
    for split in ("odd-even", "leave:1"):
        words = ["evaluate", "detect", str(path), "--split", split, "--window", "8", "--no-baselines"]
        assert main(words) == 0
    return path


def test_a_detector_finds_segments(run: Path, recordings: Path, tmp_path: Path) -> None:
    table = tmp_path / "found.csv"
    assert main(["predict", str(run), str(recordings), "--classifier", "detect", "--out", str(table)]) == 0
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["source", "name", "start", "end", "label", "probability"]
    detector = Detector.load(run / "results" / "detect.safetensors", load_run(run))
    expected = find(detector, ClipStore(recordings), device="cpu")
    assert [(row["name"], row["label"]) for row in rows] == [
        (each.recording, each.action) for each in expected
    ]
    assert [float(row["start"]) for row in rows] == pytest.approx([each.start for each in expected], abs=1e-3)
    assert [float(row["end"]) for row in rows] == pytest.approx([each.end for each in expected], abs=1e-3)
    assert [float(row["probability"]) for row in rows] == pytest.approx(
        [each.score for each in expected], abs=1e-4
    )


def test_the_detectors_that_there_are(
    run: Path, recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = [str(run), str(recordings)]
    assert "choose one of detect, detect-leave-1 by --classifier" in refused(capsys, *mine)
    error = refused(capsys, *mine, "--classifier", "detect-leave-2")
    assert (
        "has no classifier 'detect-leave-2', and there is no such file; did you mean detect-leave-1?" in error
    )
    error = refused(capsys, *mine, "--classifier", "detect", "--none", "0.1")
    assert "--none has no effect on a detector; drop it" in error
    error = refused(capsys, str(run), str(tmp_path), "--classifier", "detect")
    assert "a detector reads clip stores; prepare it with `kineme prepare`" in error


def test_capitals_of_labels_do_not_matter() -> None:
    tally = _Tally(classes=("Rise",))
    list(tally.watched([Prediction("mine", "a", [], shown="rise", label="Rise")]))
    assert (tally.labelled, tally.right, tally.others) == (1, 1, 0)
