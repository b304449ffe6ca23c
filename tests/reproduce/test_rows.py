"""The figures of a grid: published, obtained, how long they took, or why there is none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kineme.evaluation.results import RANDOM, Result, Score, save
from kineme.reproduce.cost import cost_of_run
from kineme.reproduce.plan import Plan
from kineme.reproduce.rows import TableRow, rows
from kineme.reproduce.work import fuse, fused, measured
from kineme.training.history import HISTORY

from .runs import GRID, MakePlan, fake_training, measure_by_hand

STREAMS = GRID.replace("stores: moves,", "stores: moves, streams: [joint, bone, motion],")


def states(plan: Plan, failures: dict[str, str] | None = None) -> list[tuple[str, str, str, str]]:
    return [(row.protocol, row.score, row.state, row.note) for row in rows(plan, failures or {})]


def test_what_is_not_measured_says_why(plan_of: MakePlan) -> None:
    plan = plan_of()
    (cell,) = plan.grid.cells
    assert states(plan) == [("knn", "knn", "to do", ""), ("linear", "last", "to do", "")]
    reasons = {measured(cell, cell.measurements[1]): "the disk is full"}
    assert states(plan, reasons)[1] == ("linear", "last", "failed", "the disk is full")
    assert [state for *_, state, _ in states(plan, {cell.name: "not finite"})] == ["failed", "failed"]
    absent = replace(plan, stores={})
    assert states(absent)[0] == ("knn", "knn", "no data", "moves (kineme generate stores/moves)")


def test_a_figure_stands_with_all_that_belongs_to_it(plan_of: MakePlan) -> None:
    plan = plan_of()
    (cell,) = plan.grid.cells
    fake_training(plan.config(cell), plan.run(cell))
    measure_by_hand(plan.run(cell))
    assert cell.linear is not None
    path = plan.result_path(cell, cell.linear)
    result = Result.from_json(path)
    scores = {
        "last": Score(60.0, (50.0, 70.0), epoch=5),
        "best": Score(65.0, epoch=5, deviation=1.5),
        "logistic": Score(62.0),
    }
    random = {RANDOM: {"last": Score(40.0)}}
    save(replace(result, scores=scores, baselines=random, seconds=7.5, commit="c"), path)
    knn, last, best, logistic = rows(plan, {})
    assert knn.state == "to do"
    assert last == TableRow(
        recipe="mine",
        store="moves",
        split="odd-even",
        stream="joint",
        protocol="linear",
        score="last",
        state="done",
        obtained=60.0,
        low=50.0,
        high=70.0,
        baseline=40.0,
        pretraining_seconds=3.0,  # the last row of history.csv
        evaluation_seconds=7.5,
        epochs=2,
        recipe_epochs=2,
        parameters=1504,
        flops=last.flops,
        probe_epoch=5,
        commit="c",
        seed=0,
    )
    assert last.flops == cost_of_run(plan.run(cell)).flops
    assert (best.obtained, best.deviation, best.baseline) == (65.0, 1.5, None)
    assert logistic.obtained == 62.0


@pytest.mark.parametrize("history", [None, "", "epoch,seconds\n", "epoch\n1\n", "epoch,seconds\n1,soon\n"])
def test_a_history_that_says_nothing_costs_only_the_time(plan_of: MakePlan, history: str | None) -> None:
    plan = plan_of()
    (cell,) = plan.grid.cells
    fake_training(plan.config(cell), plan.run(cell))
    measure_by_hand(plan.run(cell))
    (plan.run(cell) / HISTORY).unlink()
    if history is not None:
        (plan.run(cell) / HISTORY).write_text(history)
    row = rows(plan, {})[1]
    assert (row.state, row.pretraining_seconds) == ("done", None)


def test_a_fusion_is_a_row_below_its_streams(plan_of: MakePlan) -> None:
    plan = plan_of(STREAMS.replace("knn, ", ""))
    (cells,) = plan.grid.fusions
    for cell in cells:
        fake_training(plan.config(cell), plan.run(cell))
        measure_by_hand(plan.run(cell))
    waiting = rows(plan, {})[-1]
    assert (waiting.stream, waiting.protocol, waiting.state) == ("joint+bone+motion", "fused", "to do")
    assert rows(plan, {fused(cells): "it failed"})[-1].note == "it failed"
    fuse(plan, cells)
    result = plan.fused(cells)
    assert result is not None
    last, logistic = rows(plan, {})[-2:]
    assert (last.score, last.obtained) == ("last", result.scores["last"].value)
    assert (logistic.score, logistic.obtained) == ("logistic", result.scores["logistic"].value)
    assert last.pretraining_seconds == 9.0  # of all three


def test_settings_of_the_grid_are_part_of_the_protocols_name(plan_of: MakePlan) -> None:
    plan = plan_of(GRID.replace("linear]", "{linear: {lr: 0.7}}]"))
    assert rows(plan, {})[1].protocol == "linear (lr 0.7)"


def test_settings_of_an_entry_have_a_column(plan_of: MakePlan) -> None:
    plan = plan_of(GRID.replace("protocols", "settings: {full: {}, wide: {encoder.hidden: 16}}, protocols"))
    assert [(row.recipe, row.settings) for row in rows(plan, {}) if row.protocol == "knn"] == [
        ("mine", "full"),
        ("mine", "wide"),
    ]


def test_what_is_published_was_measured_by_the_settings_of_the_recipe(plan_of: MakePlan) -> None:
    grid = """
    stores: {moves: kineme prepare ntu60 RAW stores/moves}
    runs: [{recipes: usdrl-dste-ntu60-xview, stores: moves, protocols: [PROTOCOL]}]
    """

    def published(protocol: str) -> float | None:
        plan = replace(plan_of(grid.replace("PROTOCOL", protocol)), stores={})
        (row,) = rows(plan, {})
        return row.published

    assert published("linear") == 91.7
    assert published("{linear: {lr: 0.5}}") is None
