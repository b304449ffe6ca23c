"""What a grid means here: how far each run has come, and which results are of its cells."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from reproduce.runs import GRID, RECIPE, MakePlan, fake_training, measure_by_hand

from conftest import write_store
from kineme.clips.store import ClipStore
from kineme.config import check
from kineme.errors import KinemeError
from kineme.evaluation import fusion
from kineme.evaluation.results import save
from kineme.evaluation.task import open_task
from kineme.fitting import MINUTES, fitted_config
from kineme.packaged import grids
from kineme.reproduce.grid import Cell, load_grid
from kineme.reproduce.plan import Plan, keep_fingerprints, make_plan
from kineme.training.directory import STATE
from kineme.training.timing import with_epochs


def trained(plan: Plan) -> Cell:
    """Trains the first cell of a plan."""
    cell = plan.grid.cells[0]
    fake_training(plan.config(cell), plan.run(cell))
    return cell


def test_a_cell_is_its_recipe_on_its_clips(plan_of: MakePlan, moves: Path) -> None:
    plan = plan_of(seed=3)
    (cell,) = plan.grid.cells
    config = plan.config(cell)
    assert (config.data.store, config.data.split, config.data.stream) == (str(moves), "odd-even", "joint")
    assert (config.train.epochs, config.train.seed) == (2, 3)
    assert plan_of(epochs=6).config(cell).train.epochs == 6
    timed = plan_of(minutes=1.5).config(cell).train
    assert (timed.minutes, timed.knn_every) == (1.5, 0)
    bounded = plan_of(recipe=RECIPE.replace("device: cpu", "device: cpu, max_minutes: 5"), minutes=1.5)
    check(bounded.config(cell))  # minutes of the grid take the place of the recipe's


def test_the_default_is_what_fits_the_clips_on_the_terms_of_the_grid(plan_of: MakePlan, moves: Path) -> None:
    grid = GRID.replace("mine.yaml", "default").replace("stores: moves", "stores: moves, streams: motion")
    plan = plan_of(grid, minutes=2.0, seed=3)
    (cell,) = plan.grid.cells
    config, fitted = plan.config(cell), fitted_config(moves).config
    assert (config.data.store, config.data.split, config.data.stream) == (str(moves), "odd-even", "motion")
    assert (config.train.minutes, config.train.max_minutes, config.train.knn_every) == (2.0, None, 0)
    assert (config.method, config.train.batch_size, config.train.seed) == (
        fitted.method,
        fitted.train.batch_size,
        3,
    )
    assert plan_of(grid, epochs=4).config(cell).train.epochs == 4


def test_settings_of_a_grid_are_in_the_place_of_the_recipes(plan_of: MakePlan) -> None:
    changed = "settings: {full: {}, wide: {encoder.hidden: 16, train.epochs: 7}}, protocols"
    grid = GRID.replace("protocols", changed)
    full, wide = (plan_of(grid).config(cell) for cell in plan_of(grid).grid.cells)
    assert (full.encoder["hidden"], full.train.epochs) == (8, 2)
    assert (wide.encoder["hidden"], wide.train.epochs) == (16, 7)
    by_default = plan_of(grid.replace("full: {}, ", "").replace("mine.yaml", "default"))
    assert by_default.config(by_default.grid.cells[0]).encoder["hidden"] == 16
    with pytest.raises(KinemeError, match=r"settings.wide sets train.epochs, but `epochs` or `minutes`"):
        plan_of(grid, epochs=3)


def test_other_settings_of_the_same_name_are_refused_and_new_ones_are_trained(plan_of: MakePlan) -> None:
    grid = GRID.replace("protocols", "settings: {full: {}, wide: {encoder.hidden: 16}}, protocols")
    trained(plan_of(grid))
    added = plan_of(grid.replace("full: {}", "full: {}, slow: {train.lr: 1e-4}"))
    assert [added.progress(cell) for cell in added.grid.cells] == ["trained", "to do", "to do"]
    with pytest.raises(KinemeError, match=r"mine-full-moves-joint: was trained with train.lr=.*, and now"):
        plan_of(grid.replace("full: {}", "full: {train.lr: 1e-4}"))


def test_the_default_takes_the_bounds_of_the_device_that_it_is_trained_on(
    plan_of: MakePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = GRID.replace("mine.yaml", "default")
    plan = plan_of(grid)
    (cell,) = plan.grid.cells
    assert plan.config(cell).train.max_minutes == MINUTES[False]
    trained(plan)
    monkeypatch.setattr("kineme.reproduce.plan.resolve_device", lambda train: ("cuda", "32-true"))
    assert plan.config(cell).train.max_minutes == MINUTES[True]
    assert plan_of(grid).progress(cell) == "trained"  # it goes on, wherever the run was trained


def test_clips_behind_an_address_are_read_from_there(
    plan_of: MakePlan, moves: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsspec = pytest.importorskip("fsspec")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    fsspec.filesystem("memory").put(str(moves), "/bucket/moves", recursive=True)
    grid = plan_of().grid
    plan = make_plan(grid, tmp_path / "out", {"moves": Path("memory://bucket/moves")})
    (cell,) = plan.grid.cells
    assert ClipStore(str(plan.config(cell).data.store)).names.tolist() == ClipStore(moves).names.tolist()
    assert plan.result_path(cell, cell.measurements[0]).name == "knn.json"


def test_a_recipe_of_several_devices_has_the_clips_of_a_step_on_one(plan_of: MakePlan) -> None:
    recipe = RECIPE.replace("batch_size: 8", "batch_size: 4, devices: 2, nodes: 2")
    plan = plan_of(recipe=recipe, minutes=1.5)
    (cell,) = plan.grid.cells
    train = plan.config(cell).train
    assert (train.devices, train.nodes, train.batch_size, train.accumulate) == (1, 1, 16, 1)
    assert train.minutes == 1.5


def test_a_run_that_was_trained_on_several_devices_by_hand_counts(plan_of: MakePlan) -> None:
    recipe = RECIPE.replace("batch_size: 8", "batch_size: 4, devices: 2")
    plan = plan_of(recipe=recipe)
    (cell,) = plan.grid.cells
    config = plan.config(cell)
    fake_training(replace(config, train=replace(config.train, batch_size=4, devices=2)), plan.run(cell))
    assert plan.progress(cell) == "trained"
    assert plan_of(recipe=recipe).grid.cells == (cell,)
    with pytest.raises(KinemeError, match=r"was trained with train\.batch_size=8, and now it is 16"):
        plan_of(recipe=recipe.replace("batch_size: 4", "batch_size: 8"))


def test_the_published_grid_can_be_planned_without_any_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plan = make_plan(load_grid(grids()["published"]), tmp_path / "out", {})
    assert plan.stores == {}
    assert {plan.progress(cell) for cell in plan.grid.cells} == {"to do"}
    assert any(config.train.devices > 1 for config in plan.recipes.values())


def test_seeds_of_a_grid_are_added_to_that_of_the_plan(plan_of: MakePlan) -> None:
    plan = plan_of("seeds: 2\n" + GRID, seed=5)
    assert [plan.config(cell).train.seed for cell in plan.grid.cells] == [5, 6]
    first, second = plan.grid.cells
    for cell in (first, second):
        fake_training(plan.config(cell), plan.run(cell))
    measure_by_hand(plan.run(second), seed=6)
    assert second.linear is not None
    assert plan.result(second, second.linear) is not None
    assert first.linear is not None
    assert plan.result(first, first.linear) is None


def test_how_far_a_cell_has_come_is_read_from_its_run(plan_of: MakePlan) -> None:
    plan = plan_of()
    (cell,) = plan.grid.cells
    assert plan.progress(cell) == "to do"
    trained(plan)
    assert plan.progress(cell) == "trained"
    fake_training(plan.config(cell), plan.run(cell), epochs=1)  # of two
    assert plan.progress(cell) == "to do"
    (plan.run(cell) / STATE).touch()
    assert plan.progress(cell) == "interrupted"


def test_a_result_by_hand_counts_if_it_has_the_settings_of_the_run(plan_of: MakePlan) -> None:
    plan = plan_of()
    cell = trained(plan)
    assert cell.linear is not None
    assert plan.result(cell, cell.linear) is None
    measure_by_hand(plan.run(cell))
    assert plan.result(cell, cell.linear) is not None
    measure_by_hand(plan.run(cell), lr=0.7)
    assert plan.result(cell, cell.linear) is None


def test_a_grid_may_have_settings_of_its_own(plan_of: MakePlan) -> None:
    plan = plan_of(GRID.replace("linear]", "{linear: {lr: 0.7}}]"))
    cell = trained(plan)
    assert cell.linear is not None
    assert cell.linear.settings == (("lr", 0.7),)
    measure_by_hand(plan.run(cell))
    assert plan.result(cell, cell.linear) is None
    measure_by_hand(plan.run(cell), lr=0.7)
    assert plan.result(cell, cell.linear) is not None


def test_a_result_of_other_weights_clips_or_seeds_is_none(plan_of: MakePlan) -> None:
    plan = plan_of()
    cell = trained(plan)
    assert cell.linear is not None
    path = plan.result_path(cell, cell.linear)
    measure_by_hand(plan.run(cell))
    kept = json.loads(path.read_text())
    for change in ({"weights": "0"}, {"fingerprint": "0"}, {"split": "all"}, {"seed": 1}):
        path.write_text(json.dumps({**kept, **change}))
        assert plan.result(cell, cell.linear) is None, change
    path.write_text(json.dumps(kept))
    assert plan.result(cell, cell.linear) is not None
    with_baselines = replace(plan, grid=replace(plan.grid, baselines=True))
    assert with_baselines.result(cell, cell.linear) is None
    path.write_text(path.read_text()[:-9])  # damaged, and to be made again
    assert plan.result(cell, cell.linear) is None


def test_results_lie_where_a_command_would_write_them(plan_of: MakePlan) -> None:
    grid = GRID.replace("knn,", "{transfer: other, split: 'subjects:1,2'},")
    plan = plan_of(grid, seed=2)
    plan = replace(plan, stores={**plan.stores, "other": plan.stores["moves"]})
    (cell,) = plan.grid.cells
    names = [plan.result_path(cell, each).name for each in cell.measurements]
    assert names == [
        "transfer-subjects-1-2-seed2.json",
        "linear-seed2.json",
    ]  # the same clips by another name


def test_settings_of_protocols_that_change_in_a_recipe_are_warned_of(
    plan_of: MakePlan, caplog: pytest.LogCaptureFixture
) -> None:
    cell = trained(plan_of())
    assert not caplog.messages
    plan = plan_of(recipe=RECIPE.replace("lr: 0.1", "lr: 0.2"))
    assert f"{plan.run(cell)}: keeps the `evaluate` settings it was trained with" in caplog.text
    measure_by_hand(plan.run(cell))
    assert cell.linear is not None
    result = plan.result(cell, cell.linear)
    assert result is not None
    assert result.settings["lr"] == 0.1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 5}, "was trained with train.epochs=2, and now it is 5"),
        ({"seed": 1}, "was trained with train.seed=0, and now it is 1"),
        ({"recipe": RECIPE.replace("batch_size: 8", "batch_size: 6")}, "train.batch_size=8, and now it is 6"),
        ({"recipe": RECIPE.replace("depth: 1", "depth: 2")}, "encoder.depth=1, and now it is 2"),
    ],
)
def test_runs_of_other_settings_are_refused(plan_of: MakePlan, options: dict[str, Any], message: str) -> None:
    trained(plan_of())
    with pytest.raises(KinemeError) as refused:
        plan_of(**options)
    assert message in str(refused.value)
    remedy = "remove that run to train it anew, choose another `out`, or the same settings"
    assert str(refused.value).endswith(remedy)


@pytest.mark.parametrize("bound", ["minutes: 1.0", "max_minutes: 1.0"])
def test_a_run_has_as_many_epochs_as_fitted_into_its_time(plan_of: MakePlan, bound: str) -> None:
    recipe = RECIPE.replace("device: cpu", f"device: cpu, {bound}")
    plan = plan_of(recipe=recipe)
    (cell,) = plan.grid.cells
    config = plan.config(cell)
    fake_training(replace(config, train=with_epochs(config.train, 1)), plan.run(cell))
    assert plan_of(recipe=recipe).progress(cell) == "trained"


def test_settings_that_only_watch_may_change(plan_of: MakePlan) -> None:
    cell = trained(plan_of())
    plan = plan_of(recipe=RECIPE.replace("device: cpu", "device: auto, knn_every: 1, loggers: [csv]"))
    assert plan.progress(cell) == "trained"


def test_other_clips_under_the_same_name_are_refused(plan_of: MakePlan, moves: Path, tmp_path: Path) -> None:
    plan = plan_of()
    keep_fingerprints(plan)
    plan_of()
    other = {"moves": write_store(tmp_path / "other", labelled=False)}
    with pytest.raises(
        KinemeError, match=r"started with other clips than .*other as moves; choose another `out`"
    ):
        make_plan(plan.grid, plan.out, other)


@pytest.mark.parametrize(
    ("name", "text"), [("table.md", "| mine |"), ("table.csv", "mine"), ("stores.json", '{"shop": "Paris"}')]
)
def test_a_folder_with_a_table_of_another_program_is_refused(plan_of: MakePlan, name: str, text: str) -> None:
    out = plan_of().out
    out.mkdir(exist_ok=True)
    (out / name).write_text(text)
    with pytest.raises(KinemeError, match=f"{name}: was not written by `kineme reproduce`; choose another"):
        plan_of()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "`epochs` is 0; it must be above 0"),
        ({"minutes": -1.0}, "`minutes` is -1.0; it must be above 0"),
        ({"seed": -1}, "`seed`: is -1; it must be at least 0"),
        ({"epochs": 1, "minutes": 1.0}, "`epochs` and `minutes` exclude each other; drop one of the two"),
    ],
)
def test_impossible_terms_are_refused(plan_of: MakePlan, options: dict[str, Any], message: str) -> None:
    with pytest.raises(KinemeError) as refused:
        plan_of(**options)
    assert str(refused.value) == message


# Fusion


@pytest.fixture
def streams(plan_of: MakePlan) -> tuple[Plan, tuple[Cell, ...]]:
    """Three streams, trained and measured."""
    plan = plan_of(GRID.replace("stores: moves,", "stores: moves, streams: [joint, bone, motion],"))
    for cell in plan.grid.cells:
        fake_training(plan.config(cell), plan.run(cell))
        measure_by_hand(plan.run(cell))
    (cells,) = plan.grid.fusions
    return plan, cells


def fuse_by_hand(plan: Plan, cells: tuple[Cell, ...], **options: Any) -> None:
    """As `kineme fuse` does."""
    found = [fusion.open_stream(open_task(plan.run(cell))) for cell in cells]
    save(fusion.fuse(found, **options)[0], plan.fused_path(cells))


def test_a_fusion_is_of_the_results_and_weights_that_are_there(
    streams: tuple[Plan, tuple[Cell, ...]],
) -> None:
    plan, cells = streams
    assert plan.fused(cells) is None
    fuse_by_hand(plan, cells)
    result = plan.fused(cells)
    assert result is not None
    assert result.settings["weights"]["last"] == {"joint": 1.0, "bone": 2.0, "motion": 1.0}  # of the recipe
    fuse_by_hand(plan, cells, weights=[1, 1, 1])
    assert plan.fused(cells) is None
    fuse_by_hand(plan, cells)
    measure_by_hand(plan.run(cells[1]), lr=3.0)  # which is not the recipe's
    assert plan.fused(cells) is None
