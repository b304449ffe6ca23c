"""`kineme teach`, as it is typed."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from inference.classifying.test_teaching import moving
from inference.models import model, write

from kineme.__main__ import main
from kineme.clips.store import Clip
from kineme.inference import read_classifier
from kineme.loading import load_run

WAYS = ("rise", "swing", "push")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with a run, a store of ten clips of each way, and a table of four of each."""
    model(tmp_path / "run")
    clips = [
        Clip(f"{way}{i}", np.pad(moving(way, i), ((0, 0), (0, 1), (0, 0), (0, 0))), subject=f"s{i % 2}")
        for way in WAYS
        for i in range(10)
    ]
    write(tmp_path / "mine", clips)
    rows = [f"{way}{i},{way}" for way in WAYS for i in range(4)]
    (tmp_path / "ways.csv").write_text("\n".join(["name,label", *rows, "rise9,"]) + "\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["teach", *words]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_a_classifier_is_taught_and_explained(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["teach", "run", "ways.csv", "--store", "mine"]) == 0
    shown, aside = capsys.readouterr()
    assert "accuracy 100.0 % (95 % interval 76 to 100), cross-validated: 2 folds, no person" in shown
    assert "12 of 12 examples judged" in shown
    assert "by examples per class, 1: 100 %, 2: 100 %" in shown
    assert "a person may be in two folds" not in shown
    assert "five more examples of a class would add less than a point to its recall" in shown
    assert aside.splitlines() == [
        "1 row has no label yet and was skipped",
        "written to run/classifiers/ways.safetensors",
    ]
    classifier = read_classifier("run/classifiers/ways.safetensors", load_run("run"))
    assert (classifier.class_names, classifier.counts) == (("push", "rise", "swing"), (4, 4, 4))


def test_suggestions_come_back_with_labels(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["teach", "run", "ways.csv", "--store", "mine", "--suggest", "5"]) == 0
    shown, aside = capsys.readouterr()
    following = folder / "ways-next.csv"
    with following.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5
    assert all(row["label"] == "" and row["name"] in shown for row in rows)
    assert not {row["name"] for row in rows} & {f"{way}{i}" for way in WAYS for i in range(4)}
    again = "kineme teach run ways.csv ways-next.csv --store mine"
    assert aside.endswith(f"written to ways-next.csv\nnext: fill in its column label, then {again}\n")

    assert "ways-next.csv: exists" in refused(capsys, "run", "ways.csv", "--store", "mine", "--suggest", "5")
    lines = [f"{row['name']},{row['name'][:-1]}" for row in rows]
    following.write_text("\n".join(["name,label", *lines]) + "\n")
    words = ["run", "ways.csv", "ways-next.csv", "--store", "mine", "--name", "more"]
    assert main(["teach", *words]) == 0
    assert sum(read_classifier("run/classifiers/more.safetensors", load_run("run")).counts) == 17


def test_one_example_of_a_class_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "few.csv").write_text("name,label\nrise0,up\nrise1,up\nswing0,side\nswing1,side\npush0,out\n")
    assert main(["teach", "run", "few.csv", "--store", "mine", "--out", "elsewhere.safetensors"]) == 0
    shown, aside = capsys.readouterr()
    assert "not cross-validated, examples of one person only: out" in shown
    assert "written to elsewhere.safetensors" in aside
    assert not (folder / "run" / "classifiers").exists()

    (folder / "single.csv").write_text("name,label\nrise0,up\nswing0,side\n")
    assert main(["teach", "run", "single.csv", "--store", "mine"]) == 0
    alone = "no class has examples of two recordings, so the classifier could not be cross-validated"
    assert alone in capsys.readouterr().out

    parts = ["rise0,up,0,0.5", "rise0,up,0.5,1", "swing0,side,0,0.5", "swing0,side,0.5,1"]
    (folder / "parts.csv").write_text("\n".join(["name,label,start,end", *parts]) + "\n")
    assert main(["teach", "run", "parts.csv", "--store", "mine"]) == 0
    assert alone in capsys.readouterr().out
    (folder / "more.csv").write_text("\n".join(["name,label,start,end", *parts, "rise2,up,,"]) + "\n")
    assert main(["teach", "run", "more.csv", "--store", "mine"]) == 0
    shown = capsys.readouterr().out
    assert "not cross-validated, examples of one recording only: side" in shown
    assert "a person may be in two folds" in shown
    assert "column subject" in shown


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["run"], "missing: LABELS"),
        (["nowhere", "ways.csv"], "nowhere: no such run or weights"),
        (["run", "none.csv"], "none.csv: no such folder or file"),
        (
            ["run", "ways.csv"],
            "ways.csv, line 2: there is no file rise0; if it is the name of a clip, pass its --store",
        ),
        (["run", "ways.csv", "--store", "nowhere"], "nowhere: no such clip store"),
        (["run", "ways.csv", "ways.csv", "--store", "mine"], "ways.csv, line 2: rise0 is labelled already"),
        (["run", "one.csv", "--store", "mine"], "one.csv: every label is 'up'; a classifier takes two"),
        (["run", "empty.csv", "--store", "mine"], "empty.csv: no row has a label"),
        (
            ["run", "ways.csv", "--store", "mine", "--name", "../x"],
            "--name: '../x' cannot be the name of a file",
        ),
        (
            ["run", "ways.csv", "--store", "mine", "--out", "ways.csv"],
            "ways.csv: is an input too; write elsewhere with --out",
        ),
        (["run", "ways.csv", "--store", "mine", "--suggest", "0"], "--suggest: is 0; it must be at least 1"),
        (["run", "ways.csv", "--suggest", "3"], "--suggest needs a store to choose from; pass --store"),
        (["run", "ways.csv", "--suggestions", "x.csv"], "--suggestions has no effect without --suggest"),
    ],
)
def test_mistakes_earn_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], line: str
) -> None:
    (folder / "one.csv").write_text("name,label\nrise0,up\nrise1,up\n")
    (folder / "empty.csv").write_text("name,label\nrise0,\n")
    before = set(folder.rglob("*"))
    assert line in refused(capsys, *words)
    assert set(folder.rglob("*")) == before
