"""`kineme reproduce` from a grid to its table: resumed, repeated, past what fails and what is not there."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from conftest import write_store
from kineme.__main__ import USAGE_ERROR, main
from kineme.evaluation.results import Result
from kineme.loading import load_run
from kineme.training.directory import load_run_config

AIMCLR = """\
data: {split: odd-even, frames: 8}
train: {epochs: 2, batch_size: 8, milestones: [1], device: cpu}
method: {name: aimclr, queue: 16, projection: 4}
encoder: {name: stgcn, channels: [8, 16], strided: [1]}
evaluate: {linear: {lr: 3.0, epochs: 20, milestones: [15]}}
"""
USDRL = """\
data: {split: odd-even, frames: 8}
train: {epochs: 1, batch_size: 8, optimizer: adam, lr: 0.001, device: cpu}
method: {name: usdrl}
encoder: {name: sttr, hidden: 32, depth: 1}
evaluate: {linear: {lr: 0.1, epochs: 20, milestones: []}, finetune: {lr: 0.0005, epochs: 160, min_crop: 0.1}}
"""
GRID = """\
baselines: true
stores:
  moves: kineme generate stores/moves
  ntu60: kineme prepare ntu60 RAW stores/ntu60
runs:
  - recipes: [aimclr.yaml, usdrl.yaml]
    stores: moves
    protocols: [linear, knn]
  - recipes: usdrl-dste-ntu60-xsub
    stores: ntu60
    protocols: linear
"""
SCORES = {"linear": ("last", "best", "logistic"), "knn": ("knn",)}


@pytest.fixture
def here(tmp_path: Path, moves: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a grid, its recipes and one of its two stores."""
    (tmp_path / "aimclr.yaml").write_text(AIMCLR)
    (tmp_path / "usdrl.yaml").write_text(USDRL)
    (tmp_path / "grid.yaml").write_text(GRID)
    (tmp_path / "stores").mkdir()
    (tmp_path / "stores" / "moves").symlink_to(moves)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(out: Path = Path("reproduced/grid")) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((out / "table.json").read_text())["rows"]
    return found


def last_seconds(run: Path) -> float:
    return float(list(csv.DictReader((run / "history.csv").open()))[-1]["seconds"])


def times(out: Path) -> dict[str, int]:
    """When each file of the runs was last written."""
    return {str(path): path.stat().st_mtime_ns for path in out.rglob("runs/**/*") if path.is_file()}


def test_the_table_says_what_the_results_say(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "grid.yaml"]) == 0
    shown = capsys.readouterr()
    out = here / "reproduced" / "grid"
    found = rows(out)
    wanted = [(r, p, s) for r in ("aimclr", "usdrl") for p in ("linear", "knn") for s in SCORES[p]]
    assert [(row["recipe"], row["protocol"], row["score"]) for row in found[:-1]] == wanted
    for row in found[:-1]:
        run = out / "runs" / f"{row['recipe']}-moves-joint"
        result = Result.from_json(run / "results" / f"{row['protocol']}.json")
        score = result.scores[row["score"]]
        assert (row["obtained"], (row["low"], row["high"])) == (score.value, score.interval)
        assert row["baseline"] == result.baselines["random encoder"][row["score"]].value
        assert (row["probe_epoch"], row["commit"]) == (score.epoch, result.commit)
        assert row["evaluation_seconds"] == result.seconds
        assert row["pretraining_seconds"] == last_seconds(run)
        assert row["epochs"] == row["recipe_epochs"] == (2 if row["recipe"] == "aimclr" else 1)
        assert (row["state"], row["split"], row["published"], row["difference"]) == (
            "done",
            "odd-even",
            None,
            None,
        )
        assert f"{score.value:.1f} [{score.interval[0]:.1f}–{score.interval[1]:.1f}]" in shown.out
    # What is not there keeps its published figure, and says how it is made.
    absent = found[-1]
    assert (absent["state"], absent["published"], absent["obtained"]) == ("no data", 85.2, None)
    assert absent["note"] == "ntu60 (kineme prepare ntu60 RAW stores/ntu60)"
    assert "no data: ntu60 (kineme prepare ntu60 RAW stores/ntu60)" in shown.out
    assert "1/2 aimclr-moves-joint\n" in shown.err
    assert re.search(r"2/2 usdrl-moves-joint, about [\d.]+ (s|min) left\n", shown.err)
    # The three files hold the same rows.
    columns = list(csv.DictReader((out / "table.csv").open()))
    assert [{k: "" if v is None else str(v) for k, v in row.items()} for row in found] == columns
    markdown = (out / "table.md").read_text()
    assert markdown.count("\n| ") == len(found) + 1
    assert "- 85.2: USDRL (arXiv 2412.09220), table 1" in markdown

    # Once more: nothing is made again, and the table stays.
    before = times(out)
    assert main(["reproduce", "grid.yaml"]) == 0
    assert times(out) == before
    assert rows(out) == found
    assert "1/2" not in capsys.readouterr().err

    # A result of other settings, measured by hand, is measured again, and it alone.
    run = out / "runs" / "usdrl-moves-joint"
    path = run / "results" / "linear.json"
    assert main(["evaluate", "linear", str(run), "--lr", "0.7"]) == 0
    assert main(["reproduce", "grid.yaml"]) == 0
    assert Result.from_json(path).settings["lr"] == 0.1
    changed = {str(path), str(path.with_suffix(".npz"))}
    assert {file for file, when in times(out).items() if before.get(file) != when} == changed

    # One of the grid's settings, measured by hand, counts.
    assert main(["evaluate", "linear", str(run), "--lr", "0.7"]) == 0
    before = times(out)
    (here / "grid.yaml").write_text(GRID.replace("[linear, knn]", "[{linear: {lr: 0.7}}, knn]"))
    assert main(["reproduce", "grid.yaml", "--only", "usdrl-moves"]) == 0
    assert times(out) == before
    found = {row["protocol"] for row in rows() if row["recipe"] == "usdrl" and row["state"] == "done"}
    assert found == {"linear (lr 0.7)", "knn"}


def test_a_list_does_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "grid.yaml", "--list"]) == 0
    shown = capsys.readouterr().out
    assert not (here / "reproduced").exists()
    assert re.search(r"aimclr-moves-joint +to do +linear, knn", shown)
    assert re.search(r"usdrl-dste-ntu60-xsub-ntu60-joint +no data +linear: no data", shown)
    assert "no data: ntu60 (kineme prepare ntu60 RAW stores/ntu60)\n" in shown
    assert main(["reproduce", "grid.yaml", "--only", "usdrl", "--epochs", "1"]) == 0
    capsys.readouterr()
    assert main(["reproduce", "grid.yaml", "--list", "--epochs", "1"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"aimclr-moves-joint +to do +linear, knn", shown)
    assert re.search(r"usdrl-moves-joint +trained +linear, knn", shown)


def test_equal_terms(here: Path) -> None:
    """The same epochs for all, milestones in proportion; or as many as fit into the same time."""
    assert main(["reproduce", "grid.yaml", "--epochs=4", "--out=e", "--seed=3", "--only", "aimclr"]) == 0
    config = load_run_config(here / "e" / "runs" / "aimclr-moves-joint")
    assert (config.train.epochs, list(config.train.milestones), config.train.seed) == (4, [2], 3)
    row = rows(here / "e")[0]
    assert (row["epochs"], row["recipe_epochs"]) == (4, 2)
    assert (here / "e" / "runs" / "aimclr-moves-joint" / "results" / "linear-seed3.json").is_file()
    assert main(["reproduce", "grid.yaml", "--minutes=0.002", "--out=m", "--only", "moves"]) == 0
    for name in ("aimclr", "usdrl"):
        config = load_run_config(here / "m" / "runs" / f"{name}-moves-joint")
        assert config.train.minutes == 0.002
        mine = [row for row in rows(here / "m") if row["recipe"] == name]
        assert {row["epochs"] for row in mine} == {config.train.epochs}
    # The same command goes on with the epochs that were counted, and finds nothing to do.
    before = times(here / "m")
    assert main(["reproduce", "grid.yaml", "--minutes=0.002", "--out=m", "--only", "moves"]) == 0
    assert times(here / "m") == before


def test_other_terms_and_other_clips_need_another_place(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    only = ["--only", "usdrl-moves"]
    assert main(["reproduce", "grid.yaml", *only]) == 0
    before = times(here)
    capsys.readouterr()
    for options, message in (
        (["--epochs", "2"], "was trained with train.epochs=1, and now it is 2"),
        (["--minutes", "2"], "was trained with train.minutes=None, and now it is 2.0"),
        (["--seed", "1"], "was trained with train.seed=0, and now it is 1"),
    ):
        assert main(["reproduce", "grid.yaml", *only, *options]) == USAGE_ERROR
        assert message in capsys.readouterr().err
    (here / "stores" / "moves").unlink()
    write_store(here / "stores" / "moves", labelled=False)
    assert main(["reproduce", "grid.yaml", *only]) == USAGE_ERROR
    assert (
        "was started with other clips than stores/moves as moves; choose another --out"
        in capsys.readouterr().err
    )
    assert {file: when for file, when in times(here).items() if file in before} == before


def test_a_cell_that_fails_does_not_stop_the_others(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "aimclr.yaml").write_text(AIMCLR.replace("batch_size: 8", "batch_size: 80"))
    assert main(["reproduce", "grid.yaml"]) == USAGE_ERROR
    err = capsys.readouterr().err
    assert err.splitlines()[-1] == (
        "kineme reproduce: error: 1 of 3 cells failed: aimclr-moves-joint; the table says why"
    )
    failed, other = rows()[0], rows()[2]
    assert failed["state"] == "failed"
    assert failed["note"].startswith("12 training clips do not fill one batch of 80")
    assert (other["recipe"], other["state"]) == ("usdrl", "done")


def test_three_streams_become_a_row(here: Path) -> None:
    grid = GRID.replace("    stores: moves\n", "    stores: moves\n    streams: [joint, bone, motion]\n")
    (here / "grid.yaml").write_text(
        grid.replace("[aimclr.yaml, usdrl.yaml]", "usdrl.yaml").replace(", knn", "")
    )
    assert main(["reproduce", "grid.yaml", "--only", "joint", "bone"]) == 0
    (row,) = (row for row in rows() if row["protocol"] == "fused")
    assert (row["state"], row["obtained"]) == ("to do", None)
    assert main(["reproduce", "grid.yaml"]) == 0
    runs = here / "reproduced" / "grid" / "runs"
    fused = Result.from_json(runs / "usdrl-moves-joint" / "results" / "fused.json")
    assert set(fused.baselines) == {"joint", "bone", "motion"}
    found = {row["score"]: row for row in rows() if row["protocol"] == "fused"}
    assert set(found) == {"last", "logistic"}
    for score, row in found.items():
        assert (row["stream"], row["obtained"]) == ("joint+bone+motion", fused.scores[score].value)
    alone = [last_seconds(runs / f"usdrl-moves-{stream}") for stream in ("joint", "bone", "motion")]
    assert found["last"]["pretraining_seconds"] == pytest.approx(sum(alone))
    # New weights of one stream make a new fusion.
    shutil.rmtree(runs / "usdrl-moves-bone")
    (here / "usdrl.yaml").write_text(USDRL)
    assert main(["reproduce", "grid.yaml"]) == 0
    assert [row["state"] for row in rows() if row["protocol"] == "fused"] == ["done"] * 2


def test_another_data_set_is_transferred_to(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grid = GRID.replace("[linear, knn]", "[{transfer: other, split: 'subjects:1,2'}]")
    grid = grid.replace("[aimclr.yaml, usdrl.yaml]", "usdrl.yaml")
    (here / "grid.yaml").write_text(
        grid.replace("  ntu60:", "  other: kineme generate stores/other\n  ntu60:")
    )
    assert main(["reproduce", "grid.yaml"]) == 0
    row = rows()[0]
    assert (row["state"], row["note"]) == ("no data", "other (kineme generate stores/other)")
    write_store(here / "elsewhere")
    assert main(["reproduce", "grid.yaml", "--store", "other=elsewhere"]) == 0
    found = {row["score"]: row for row in rows() if row["recipe"] == "usdrl"}
    path = here / "reproduced/grid/runs/usdrl-moves-joint/results/transfer-elsewhere-subjects-1-2.json"
    result = Result.from_json(path)
    assert {name: row["obtained"] for name, row in found.items()} == {
        name: result.scores[name].value for name in ("last", "best", "logistic", "knn")
    }
    assert found["knn"]["protocol"] == "transfer to other (subjects:1,2)"


def test_actions_are_detected_in_recordings(here: Path) -> None:
    few = ["--subjects", "4", "--repetitions", "1", "--cameras", "1", "--actions", "wave", "bow", "sit down"]
    assert main(["generate", "stores/short", *few]) == 0
    assert main(["generate", "stores/long", "--untrimmed", "--seconds", "15", *few]) == 0
    grid = "stores: {short: kineme generate stores/short, long: kineme generate stores/long}\nruns:\n"
    cell = "  - {recipes: usdrl.yaml, stores: short, protocols: [{detect: long}]}\n"
    (here / "usdrl.yaml").write_text(USDRL.replace("batch_size: 8", "batch_size: 6"))
    (here / "grid.yaml").write_text(grid + cell)
    assert main(["reproduce", "grid.yaml"]) == 0
    results = here / "reproduced" / "grid" / "runs" / "usdrl-short-joint" / "results"
    scores = Result.from_json(results / "detect-long.json").scores
    names = ["mAP_a@0.5 (PKU-MMD)", "mAP_v@0.5 (PKU-MMD)", "frame accuracy"]
    assert [(row["protocol"], row["score"], row["obtained"]) for row in rows()] == [
        ("detect in long", name, scores[name].value) for name in names
    ]
    assert {path.suffix for path in results.iterdir()} == {".json", ".npz", ".safetensors"}


@pytest.mark.slow
def test_encoders_are_fine_tuned(here: Path) -> None:
    grid = GRID.replace("[linear, knn]", "[finetune, semi]").replace(
        "[aimclr.yaml, usdrl.yaml]", "usdrl.yaml"
    )
    (here / "grid.yaml").write_text(grid.replace("baselines: true\n", ""))
    assert main(["reproduce", "grid.yaml", "--only", "usdrl-moves"]) == 0
    found = {f"{row['protocol']} {row['score']}": row for row in rows()[:-1]}
    shares = ["semi 1 %", "semi 5 %", "semi 10 %", "semi 20 %"]
    assert [*found] == ["finetune last", "finetune best", *shares]
    semi = Result.from_json(here / "reproduced/grid/runs/usdrl-moves-joint/results/semi.json")
    for share in shares:
        score = semi.scores[share.removeprefix("semi ")]
        assert (found[share]["obtained"], found[share]["deviation"]) == (score.value, score.deviation)
    before = times(here)
    assert main(["reproduce", "grid.yaml", "--only", "usdrl-moves"]) == 0
    assert times(here) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["grid.yaml", "--store", "move=x"],
            "--store move: the grid has no store of this name; did you mean",
        ),
        (["grid.yaml", "--store", "moves"], "--store moves: write NAME=PATH"),
        (["grid.yaml", "--store", "moves=nowhere"], "nowhere: no such clip store"),
        (["grid.yaml", "--epochs", "2", "--minutes", "1"], "--epochs and --minutes exclude each other"),
        (["grid.yaml", "--minutes", "0"], "--minutes: is 0.0; it must be above 0"),
        (["grid.yaml", "--seed", "-1"], "--seed: is -1; it must be at least 0"),
        (
            ["grid.yaml", "--only", "scdnet"],
            "--only scdnet: no cell of the grid has such a name; one is aimclr-moves-joint",
        ),
        (["grip"], "grip: no such grid; choose from published, small"),
    ],
)
def test_mistakes_earn_one_line(
    here: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reproduce", *words]) == USAGE_ERROR
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"kineme reproduce: error: {message}")


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Weights are equal bit for bit for the same number of threads only."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(
    "moment",
    [
        "runs/aimclr-moves-joint/model.safetensors",
        pytest.param("runs/usdrl-moves-joint/config.yaml", marks=pytest.mark.slow),
    ],
)
def test_a_grid_that_was_killed_goes_on(here: Path, moment: str, one_thread: None) -> None:
    """Killed while the first cell trains, or as the second begins; it ends as if nothing had been."""
    (here / "aimclr.yaml").write_text(AIMCLR.replace("epochs: 2", "epochs: 12"))
    words = [sys.executable, "-m", "kineme", "reproduce", "grid.yaml", "--only", "moves", "--out"]
    quiet = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [*words, "killed"], env=quiet, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    while not (here / "killed" / moment).is_file() and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait(60) == -signal.SIGKILL
    if "aimclr" in moment:
        epochs = load_run(here / "killed" / "runs" / "aimclr-moves-joint").epochs
        assert epochs is not None
        assert epochs < 12
    for out in ("killed", "whole"):
        assert main([*words[3:], out]) == 0
    for name in ("aimclr", "usdrl"):
        killed, whole = (here / out / "runs" / f"{name}-moves-joint" for out in ("killed", "whole"))
        assert load_run(killed).weights == load_run(whole).weights
    same = ("recipe", "score", "state", "obtained", "low", "high", "baseline", "epochs")
    killed_rows, whole_rows = (
        [[row[key] for key in same] for row in rows(here / out)] for out in ("killed", "whole")
    )
    assert killed_rows == whole_rows
    assert not list((here / "killed").rglob("*.partial-*"))
