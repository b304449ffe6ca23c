"""Tables for the terminal, from results that are made up."""

from __future__ import annotations

from io import StringIO
from types import SimpleNamespace
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from kineme.commands import grids, tables
from kineme.evaluation.detection.scores import ACCURACY, SHOWN
from kineme.evaluation.results import RANDOM, RAW, Result, Score, details
from kineme.evaluation.robust import KNN
from kineme.reproduce.rows import TableRow

LABELS, PREDICTED = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])


def result(**changes: Any) -> Result:
    values = {
        "protocol": "linear", "method": "aimclr", "encoder": "STGCN", "stream": "joint", "weights": "ab" * 32,
        "pretrained_epochs": 300, "preprocessing": "plain", "crop": 1.0, "settings": {}, "seed": 0,
        "version": "0.1.0", "commit": None, "store": "walks", "fingerprint": "cd" * 32,
        "store_preprocessing": "plain", "split": "odd-even", "train_clips": 6, "test_clips": 4,
        "scores": {"logistic": Score(80.0), "last": Score(75.0), "best": Score(77.5, (60.0, 85.25))},
        "baselines": {RAW: {"logistic": Score(50.0)}, RANDOM: {"logistic": Score(62.5), "last": Score(60.0)}},
        "detailed": "last", "class_names": ("wave", "sit", "never seen"), **details(LABELS, PREDICTED, 3),
        "time": "2026-01-01T00:00:00+00:00", "seconds": 1.5, **changes,
    }  # fmt: skip
    return Result(**values)


def printed(table: Table) -> str:
    console = Console(width=140, file=StringIO())
    console.print(table)
    return console.file.getvalue()


def cells(table: Table) -> list[list[str]]:
    lines = [line.split("│") for line in printed(table).splitlines() if "│" in line]
    return [[cell.strip() for cell in line[1:-1]] for line in lines]


def test_baselines_stand_first_and_protocols_side_by_side() -> None:
    knn = result(
        protocol="knn",
        scores={"knn": Score(81.25)},
        baselines={RAW: {"knn": Score(70.0)}, RANDOM: {"knn": Score(71.0)}},
        detailed="knn",
    )
    assert cells(tables.recognition(result(), knn)) == [
        ["raw coordinates", "50.0", "", "", "70.0"],
        ["random encoder", "62.5", "60.0", "", "71.0"],
        ["pre-trained encoder", "80.0", "75.0", "77.5", "81.2"],
        ["", "", "", "60.0–85.2", ""],
    ]


def test_the_other_metrics_are_a_line_below() -> None:
    assert "SGD last: balanced accuracy 75.0, macro-F1 73.3" in printed(tables.recognition(result()))
    assert "SGD last:" not in printed(tables.recognition(result(metrics={})))  # of older results


def test_the_title_says_what_the_figures_are() -> None:
    ranking = result(
        protocol="knn", scores={"knn": Score(81.25), "mAP": Score(70.0)}, baselines={}, detailed="knn"
    )
    assert str(tables.recognition(ranking).title).endswith("odd-even: top-1, recall and mAP %")
    assert str(tables.recognition(result()).title).endswith("odd-even: top-1 %")


def test_several_seeds_are_shown_with_their_deviation() -> None:
    seeds = result(scores={"last": Score(71.04, deviation=1.26)}, baselines={})
    assert cells(tables.recognition(seeds)) == [["pre-trained encoder", "71.0 ± 1.3"]]


def test_seen_test_clips_are_counted() -> None:
    seen = printed(tables.recognition(result(seen_clips=3)))
    assert "3 of the test clips were seen in pre-training" in seen


def test_a_fusion_shows_each_stream_with_its_weight() -> None:
    scores = {"logistic": Score(60.0), "last": Score(50.0, (40.0, 60.0))}
    logistic, last = {"joint": 0.6, "bone": 0.4}, {"joint": 0.5, "bone": 0.25}
    fused = result(
        protocol="fused",
        settings={"weights": {"logistic": logistic, "last": last}},
        scores=scores,
        baselines={"joint": scores, "bone": scores},
    )
    assert cells(tables.fusion(fused)) == [
        ["joint", "60.0", "0.6", "50.0", "0.5"],
        ["", "", "", "40.0–60.0", ""],
        ["bone", "60.0", "0.4", "50.0", "0.25"],
        ["", "", "", "40.0–60.0", ""],
        ["fused", "60.0", "", "50.0", ""],
        ["", "", "", "40.0–60.0", ""],
    ]


def test_detection_shows_the_main_metrics_by_name() -> None:
    scores = {name: Score(12.34) for name in SHOWN}
    found = result(
        protocol="detect",
        scores={**scores, ACCURACY: Score(50.0, (40.0, 60.0)), "AP@0.1 (PKU-MMD)": Score(1.0)},
        baselines={RAW: scores},
    )
    shown = cells(tables.detection(found))
    assert shown[0] == [ACCURACY, "12.3", "50.0 (40.0–60.0)"]
    assert [row[0] for row in shown] == [*SHOWN]


def test_robustness_shows_one_probe_below_the_other() -> None:
    conditions = ("clean", "noise 2 cm", "half of the body")
    names = [name + probe for name in conditions for probe in ("", KNN)]
    found = result(protocol="robust", scores={name: Score(50.0) for name in names}, baselines={})
    shown = [row[0] for row in cells(tables.robust(found))]
    assert shown == [*conditions, *(name + KNN for name in conditions)]


def test_a_grid_shows_figures_of_some_seeds_and_the_state_of_the_others() -> None:
    some = TableRow("mine", "moves", "", "joint", "knn", "knn", "done", "2 of 3 seeds", obtained=82.04)
    none = TableRow("mine", "other", "", "joint", "knn", "knn", "no data", "other (a command that makes it)")
    plan = SimpleNamespace(epochs=2, seed=0, grid=SimpleNamespace(name="small", seeds=3))
    shown = printed(grids.grid(plan, [some, none]))  # type: ignore[arg-type]
    assert "82.0 (2 of 3 seeds)" in shown
    assert "no data" in shown
    assert "a command" not in shown
