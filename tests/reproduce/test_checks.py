"""What cannot work is told before anything is trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from conftest import STICK, write_store
from kineme.clips.store import ClipStore
from kineme.errors import KinemeError
from kineme.reproduce.checks import check_cells
from kineme.reproduce.plan import Plan
from kineme.training.run import train

from .runs import GRID, RECIPE, MakePlan, fake_training

NO_RATE = RECIPE.replace("finetune: {lr: 0.001, epochs: 2}", "finetune: {epochs: 2}")


def refused(plan: Plan) -> str:
    with pytest.raises(KinemeError) as found:
        check_cells(plan, plan.grid.cells)
    assert not plan.out.exists()
    return str(found.value)


def test_what_works_is_not_refused(plan_of: MakePlan) -> None:
    plan = plan_of("seeds: 2\n" + GRID.replace("linear]", "linear, finetune, semi, early]"))
    check_cells(plan, plan.grid.cells)
    check_cells(default := plan_of(GRID.replace("mine.yaml", "default")), default.grid.cells)
    assert not plan.out.exists()


def test_a_stream_that_the_method_does_not_take(plan_of: MakePlan) -> None:
    recipe = RECIPE.replace("name: usdrl", "name: mpct")
    assert refused(plan_of(recipe=recipe)) == (
        "mine-moves-joint: data.stream is joint, but mpct trains on three streams together; set data.stream "
        "to joint+bone+motion; in a grid, data.stream is streams"
    )
    plan = plan_of(GRID.replace("stores: moves,", "stores: moves, streams: joint+bone+motion,"), recipe)
    check_cells(plan, plan.grid.cells)


def test_settings_that_training_refuses(plan_of: MakePlan) -> None:
    plan = plan_of(recipe=RECIPE.replace("name: usdrl", "name: usdrl, min_crop: 2"))
    message = refused(plan)
    (cell,) = plan.grid.cells
    with pytest.raises(KinemeError) as later:
        train(plan.config(cell), plan.run(cell))
    assert message == f"mine-moves-joint: {later.value}"


@pytest.mark.parametrize("protocol", ["finetune", "semi"])
def test_a_protocol_without_its_learning_rate(plan_of: MakePlan, tmp_path: Path, protocol: str) -> None:
    grid = GRID.replace("linear]", f"{protocol}]")
    assert refused(plan_of(grid, NO_RATE)) == (
        f"mine-moves-joint: {protocol} needs a learning rate; set evaluate.finetune.lr in "
        f"{tmp_path / 'mine.yaml'}, or write {{{protocol}: {{lr: ...}}}} in the grid"
    )
    plan = plan_of(GRID.replace("linear]", f"{{{protocol}: {{lr: 0.01}}}}]"), NO_RATE)
    check_cells(plan, plan.grid.cells)


def test_a_rate_that_a_grid_cannot_set_is_the_recipes_to_set(plan_of: MakePlan, tmp_path: Path) -> None:
    recipe = RECIPE.replace("linear: {lr: 0.1, epochs: 5}", "linear: {epochs: 5}")
    message = refused(plan_of(GRID.replace("linear]", "early]"), recipe))
    assert message.endswith(
        f"early needs a learning rate; set evaluate.linear.lr in {tmp_path / 'mine.yaml'}"
    )


def test_rates_are_looked_at_where_the_clips_are_missing(plan_of: MakePlan) -> None:
    message = refused(
        plan_of(
            GRID.replace("stores: moves, protocols: [knn, linear]", "stores: other, protocols: finetune"),
            NO_RATE,
        )
    )
    assert message.startswith("mine-other-joint: finetune needs a learning rate")


def test_a_trained_run_counts_by_its_own_rate(plan_of: MakePlan) -> None:
    grid = GRID.replace("linear]", "finetune]")
    plan = plan_of(grid)
    (cell,) = plan.grid.cells
    fake_training(plan.config(cell), plan.run(cell))
    check_cells(plan, plan_of(grid, NO_RATE).grid.cells)


def test_a_split_that_the_clips_do_not_have(plan_of: MakePlan) -> None:
    message = refused(plan_of(GRID.replace("stores: moves,", "stores: moves, split: 'subjects:9',")))
    assert message.startswith("mine-moves-subjects-9-joint: ")
    assert message.endswith("has no subject '9'; choose from 1, 2, 3, 4")


def test_clips_without_the_labels_of_a_measurement(plan_of: MakePlan) -> None:
    message = refused(plan_of(GRID.replace("[knn, linear]", "[{detect: moves}]")))
    assert "its clips have no intervals, so there is nothing to detect" in message


def test_another_layout_needs_its_joints_found(plan_of: MakePlan, tmp_path: Path) -> None:
    write_store(tmp_path / "elsewhere", layout=replace(STICK, name="other"))

    def transferred(more: str) -> Plan:
        plan = plan_of(GRID.replace("[knn, linear]", f"[{{transfer: other, split: odd-even{more}}}]"))
        return replace(plan, stores={**plan.stores, "other": ClipStore(tmp_path / "elsewhere")})

    assert "write `map_joints: true` beside the store" in refused(transferred(""))
    mapped = transferred(", map_joints: true")
    check_cells(mapped, mapped.grid.cells)
