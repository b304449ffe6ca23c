"""`kineme info` from the command line."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from inference.models import model
from rich.console import Console

from kineme.__main__ import USAGE_ERROR, main
from kineme.clips.store import Clip, ClipStore, Manifest
from kineme.clips.summary import summarise
from kineme.clips.writer import StoreWriter
from kineme.commands.info import classes, overview
from kineme.layouts import Layout
from kineme.preprocessing import get_preprocessing
from kineme.reproduce.cost import cost_of

STICK = Layout.from_names("stick", ["hip", "neck", "hand"], [None, "hip", "neck"])


def test_a_store_is_described(moves: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(moves)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for words in (
        "preprocessing plain",
        "clips 24",
        "9 frames (0.3 s) to 13 frames (0.4 s), median 11 frames (0.4 s)",
        "3 of 3 classes, 8 clips per class",
        "262 at 30 fps: 8.7 seconds",
        "subjects 4: 1, 2, 3, 4",
        "2 in 24 clips",
        "3 (stick), in metres: hip, neck, hand",
        "odd-even: 12 train, 12 test",
        f"fingerprint {ClipStore(moves).manifest.fingerprint}",
        "1 swing 8",
    ):
        assert words in shown
    assert "xview" not in shown
    assert "cameras" not in shown


def test_a_run_is_described(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trained = model(tmp_path / "run")
    (tmp_path / "run" / "classifiers").mkdir()
    (tmp_path / "run" / "classifiers" / "throws.safetensors").touch()
    assert main(["info", str(tmp_path / "run"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    cost = cost_of(trained.encoder)
    assert (told["method"], told["encoder"], told["features"]) == ("usdrl", "sttr", trained.encoder.dim)
    assert (told["parameters"], told["MFLOP a clip"]) == (cost.parameters, round(cost.flops / 1e6, 1))
    assert (told["joints"], told["classifiers"], told["weights"]) == (
        "3 (stick)",
        ["throws"],
        trained.weights,
    )
    assert told["clips/s here"] > 0
    assert main(["info", str(tmp_path / "run")]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"parameters {cost.parameters:,} " in shown
    assert "results" not in shown  # there are none
    assert main(["info", str(tmp_path / "run"), "--figure", "x.png"]) == USAGE_ERROR
    assert "--figure has no effect on a run; drop it" in capsys.readouterr().err


def test_clips_without_labels_have_no_table_of_classes(
    unlabelled_moves: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", str(unlabelled_moves)]) == 0
    shown = capsys.readouterr().out
    assert "labels          none" in shown
    assert "swing" not in shown


def test_letters_that_the_output_lacks_are_replaced(moves: Path) -> None:
    """Bars and dashes, where Windows writes to a file or a pipe."""
    words = [sys.executable, "-m", "kineme", "info", str(moves)]
    shown = subprocess.run(
        words, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii"}, check=True
    )
    assert b"swing" in shown.stdout
    assert shown.stderr == b""


def test_json_is_printed_alone(moves: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(moves), "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    data = json.loads(captured.out)
    assert (data["clips"], data["frames"]) == (24, sum(9 + i % 5 for i in range(24)))
    assert data["classes"] == {"rise": 8, "swing": 8, "push": 8}
    assert data["splits"]["odd-even"] == {"train": 12, "test": 12}


def test_recordings_are_described_by_their_intervals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "--subjects 1 --repetitions 1 --cameras 1 --untrimmed --seconds 20"
    assert main(["generate", str(tmp_path / "long"), *words.split()]) == 0
    count = len(ClipStore(tmp_path / "long").intervals["label"])
    capsys.readouterr()
    assert main(["info", str(tmp_path / "long"), "--figure", str(tmp_path / "f.svg")]) == 0
    captured = capsys.readouterr()
    assert f"intervals       {count}, covering " in captured.out
    assert captured.err == f"written to {tmp_path / 'f.svg'}\n"
    spans = ClipStore(tmp_path / "long").intervals
    median = np.median(spans["end"] - spans["start"]) / 30
    assert f"median {median:.1f} s" in (tmp_path / "f.svg").read_text()  # of intervals, not recordings


def test_one_is_singular(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = Manifest(STICK, get_preprocessing("plain"), "mine", ("wave",))
    with StoreWriter(tmp_path / "one", manifest, 1) as writer:
        writer.add(Clip("a", np.ones((1, 1, 3, 3), np.float32), label=0))
        writer.add(Clip("b", np.ones((2, 1, 3, 3), np.float32)))
    assert main(["info", str(tmp_path / "one")]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "1 of 1 classes, 1 clip per class; 1 clip without a label" in shown
    assert "1 frame (0.0 s) to 2 frames (0.1 s)" in shown
    assert "bodies 1 in 2 clips" in shown


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["/nowhere"], "/nowhere: no such clip store"),
        (["MOVES", "--figure", "f.jpeg"], "--figure f.jpeg: must end in .png or .svg"),
        ([], "missing: STORE"),
    ],
)
def test_mistakes_earn_one_line(
    moves: Path, words: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", *(word.replace("MOVES", str(moves)) for word in words)]) == USAGE_ERROR
    assert reason in capsys.readouterr().err.strip().splitlines()[-1]


def test_empty_classes_are_folded_and_splits_without_a_part_left_out(moves: Path) -> None:
    store = ClipStore(moves)
    summary = summarise(store)
    counts = summary.class_clips.copy()
    counts[1:3] = 0
    lacking = replace(summary, class_clips=counts, splits={"xsub": (24, 0), "odd-even": (12, 12)})
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(overview(store, lacking), classes(lacking))
    text = console.export_text()
    assert "xsub" not in text
    assert "odd-even: 12 train, 12 test" in text
    assert "2 more without clips" in text
    assert f" {summary.manifest.class_names[1]} " not in text


def test_clips_that_lack_joints_are_counted_by_joint(tmp_path: Path) -> None:
    manifest = Manifest(STICK, get_preprocessing("plain"), "test")
    with StoreWriter(tmp_path / "store", manifest, bodies=1) as writer:
        for name, present in (("all", [1, 1, 1]), ("no hand", [1, 1, 0]), ("hip", [1, 0, 0])):
            writer.add(Clip(name, np.ones((4, 1, 3, 3)), present=np.array(present, dtype=bool)))
    store = ClipStore(tmp_path / "store")
    summary = summarise(store)
    assert summary.to_dict()["absent"] == {"clips": 2, "joints": {"hip": 0, "neck": 1, "hand": 2}}
    console = Console(file=io.StringIO(), width=100)
    console.print(overview(store, summary))
    assert "2 clips without some: hand in 2, neck in 1" in console.file.getvalue()  # type: ignore[attr-defined]


def test_actions_of_ntu_are_called_by_their_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = Path(__file__).parents[1] / "golden" / "ntu_raw"
    assert main(["prepare", "ntu60", str(raw), str(tmp_path / "store")]) == 0
    capsys.readouterr()
    assert main(["info", str(tmp_path / "store")]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"^49 +punching/slapping other person +1", printed, re.MULTILINE)
    assert "56 more without clips" in printed
