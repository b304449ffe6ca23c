"""The table of a grid as text and as files."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from kineme.reproduce.rows import TableRow
from kineme.reproduce.table import epochs, markdown, measured_as, notes, obtained, terms, write

from .runs import GRID, MakePlan

DONE = TableRow(
    "usdrl-small", "moves", "odd-even", "joint", "linear", "last", "done", obtained=71.26, low=60.0,
    high=80.04, published=70.0, source="a paper", difference=1.26, pretraining_seconds=287.0,
    evaluation_seconds=9.0,
    epochs=2, recipe_epochs=2, commit="0123456789abcdef-dirty",
)  # fmt: skip
TO_DO = TableRow("usdrl-small", "ntu60", "", "joint", "knn", "knn", "no data", note="ntu60 (a command)")


@pytest.mark.parametrize(
    ("protocol", "score", "name"),
    [
        ("linear", "last", "linear: SGD last"),
        ("linear (lr 0.03)", "last", "linear (lr 0.03): SGD last"),
        ("knn", "knn", "knn"),
        ("finetune", "best", "Fine-tuned best"),
        ("finetune (epochs 5)", "best", "Fine-tuned best (epochs 5)"),
        ("transfer to other (xsub)", "knn", "transfer to other (xsub): kNN"),
        ("semi", "10 %", "semi: 10 %"),
        ("fused", "logistic", "fused: Logistic"),
    ],
)
def test_a_score_is_called_as_in_other_tables(protocol: str, score: str, name: str) -> None:
    assert measured_as(replace(DONE, protocol=protocol, score=score)) == name


def test_a_figure_has_its_interval_and_deviation_or_a_reason() -> None:
    assert obtained(DONE) == "71.3 [60.0–80.0]"
    assert obtained(replace(DONE, deviation=1.5, low=None)) == "71.3 ± 1.5"
    assert obtained(replace(DONE, note="2 of 3 seeds")) == "71.3 [60.0–80.0] (2 of 3 seeds)"
    assert obtained(TO_DO) == "no data: ntu60 (a command)"
    assert obtained(replace(TO_DO, state="to do", note="")) == "to do"


def test_epochs_are_told_beside_those_of_the_recipe_where_they_differ() -> None:
    assert (epochs(DONE), epochs(TO_DO)) == ("2", "")
    assert epochs(replace(DONE, recipe_epochs=300)) == "2 (recipe 300)"


def test_each_reason_is_told_once() -> None:
    assert notes([DONE, TO_DO, TO_DO]) == ["no data: ntu60 (a command)"]
    partly = replace(DONE, note="2 of 3 seeds", failure="loss is not finite")
    assert notes([partly, TO_DO, partly]) == ["no data: ntu60 (a command)", "failed: loss is not finite"]


def test_how_long_and_by_which_seed() -> None:
    def said(seeds: int = 1, **changes: float) -> str:
        plan = {"epochs": None, "minutes": None, "seed": 3, "grid": SimpleNamespace(seeds=seeds), **changes}
        return terms(SimpleNamespace(**plan))  # type: ignore[arg-type]

    assert said() == "epochs as in each recipe, seed 3"
    assert said(epochs=60) == "60 epochs each, seed 3"
    assert said(minutes=2.5) == "2.5 min of pre-training each, seed 3"
    assert said(seeds=3) == "epochs as in each recipe, seeds 3 to 5"


def test_the_table_as_markdown_leaves_empty_columns_out(plan_of: MakePlan) -> None:
    lines = markdown(plan_of(), [DONE, TO_DO]).splitlines()
    assert lines[0] == "# grid"
    columns = [each.strip() for each in lines[4].strip("|").split("|")]
    assert "random" not in columns
    cells = [[each.strip() for each in line.strip("|").split("|")] for line in lines[6:8]]
    first = dict(zip(columns, cells[0], strict=True))
    assert first == {
        "recipe": "usdrl-small",
        "data": "moves, odd-even",
        "stream": "joint",
        "protocol": "linear: SGD last",
        "published": "70.0",
        "obtained [95 % interval]": "71.3 [60.0–80.0]",
        "difference": "+1.3",
        "pre-training": "4.8 min",
        "evaluation": "9 s",
        "epochs": "2",
        "commit": "01234567-dirty",
    }
    assert dict(zip(columns, cells[1], strict=True))["data"] == "ntu60"
    assert lines[-1] == "- 70.0: a paper"


def test_why_a_seed_failed_stands_below_the_table(plan_of: MakePlan) -> None:
    partly = replace(DONE, note="2 of 3 seeds", failure="loss is not finite", source=None)
    lines = markdown(plan_of(), [partly]).splitlines()
    assert "71.3 [60.0–80.0] (2 of 3 seeds)" in lines[-5]
    assert lines[-3:] == ["Of the other seeds:", "", "- failed: loss is not finite"]


def test_three_files_hold_the_same_rows(plan_of: MakePlan) -> None:
    plan = plan_of()
    write(plan, [DONE, TO_DO])
    data = json.loads((plan.out / "table.json").read_text())
    assert (data["unit"], data["grid"], data["seed"]) == ("per cent", "grid", 0)
    assert data["stores"] == {"moves": plan.stores["moves"].manifest.fingerprint}
    assert [TableRow(**row) for row in data["rows"]] == [DONE, TO_DO]
    first, second = csv.DictReader((plan.out / "table.csv").open())
    assert (first["obtained"], first["note"], second["obtained"]) == ("71.26", "", "")
    assert (plan.out / "table.md").read_text() == markdown(plan, [DONE, TO_DO])
    assert not (plan.out / "seeds.csv").exists()


def test_single_seeds_have_a_file_of_their_own(plan_of: MakePlan) -> None:
    plan = plan_of("seeds: 2\n" + GRID)
    write(plan, [replace(DONE, seed=0), replace(DONE, seed=1, obtained=73.26)])
    (mean,) = csv.DictReader((plan.out / "table.csv").open())
    assert (mean["obtained"], mean["seeds"], mean["seed"]) == ("72.26", "2", "")
    singles = list(csv.DictReader((plan.out / "seeds.csv").open()))
    assert [(each["seed"], each["obtained"]) for each in singles] == [("0", "71.26"), ("1", "73.26")]
