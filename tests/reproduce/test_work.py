"""Working through a grid: what is done, in which order, and what is said of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kineme.clips.store import Clip, ClipStore
from kineme.clips.writer import StoreWriter
from kineme.errors import KinemeError
from kineme.evaluation.results import Result
from kineme.layouts import Layout
from kineme.progress import Progress
from kineme.reproduce import work
from kineme.reproduce.work import Failures, Hooks, chosen, duration, work_through
from kineme.training.directory import STATE

from .runs import GRID, RECIPE, MakePlan, fake_training

STREAMS = GRID.replace("stores: moves,", "stores: moves, streams: [joint, bone, motion],")


class Notes:
    """Hooks that keep what they are told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.failures: list[Failures] = []
        self.bars: list[str] = []
        self.hooks = Hooks(say=self.said.append, tell=lambda f: self.failures.append(dict(f)), bar=self.bar)

    @contextmanager
    def bar(self, description: str) -> Iterator[Progress]:
        self.bars.append(description)
        yield lambda done, total: None


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, dict[str, Any]]]:
    """Stands for training; keeps which runs were trained, and how."""
    calls: list[tuple[Path, dict[str, Any]]] = []

    def train(config: Any, run: Path, **options: Any) -> None:
        calls.append((run, options))
        fake_training(config, run)

    monkeypatch.setattr(work, "train_run", train)
    return calls


def test_every_cell_is_trained_measured_and_fused(plan_of: MakePlan, training: list[Any]) -> None:
    plan, notes = plan_of(STREAMS), Notes()
    assert work_through(plan, hooks=notes.hooks) == {}
    assert [run.name for run, _ in training] == [f"mine-moves-{each}" for each in ("joint", "bone", "motion")]
    runs = plan.out / "runs"
    assert {path.name for path in runs.glob("*/results/*.json")} == {"knn.json", "linear.json", "fused.json"}
    (cells,) = plan.grid.fusions
    assert plan.fused(cells) is not None
    assert notes.said[:4] == ["1/3 mine-moves-joint", "pre-training", "knn", "linear"]
    assert notes.said[4].startswith("2/3 mine-moves-bone, about ")
    assert notes.bars == ["knn", "linear"] * 3
    assert notes.failures == [{}] * (3 * 3 + 1)  # after each training, measurement and fusion


def test_what_is_there_is_left_alone(plan_of: MakePlan, training: list[Any]) -> None:
    plan, notes = plan_of(), Notes()
    work_through(plan)
    (cell,) = plan.grid.cells
    knn = plan.result_path(cell, cell.measurements[0])
    knn.unlink()
    before = plan.result_path(cell, cell.measurements[1]).stat().st_mtime_ns
    work_through(plan, hooks=notes.hooks)
    assert notes.said == ["1/1 mine-moves-joint", "knn"]
    assert knn.is_file()
    assert plan.result_path(cell, cell.measurements[1]).stat().st_mtime_ns == before
    notes = Notes()
    work_through(plan, hooks=notes.hooks)
    assert notes.said == []
    assert len(training) == 1


def test_a_result_that_lacks_a_setting_is_measured_again(plan_of: MakePlan, training: list[Any]) -> None:
    plan = plan_of(GRID)
    work_through(plan)
    cell = plan.grid.cells[0]
    knn = next(each for each in cell.measurements if each.protocol == "knn")
    path = plan.result_path(cell, knn)
    told = json.loads(path.read_text())
    told["settings"].pop("k")
    path.write_text(json.dumps(told))
    notes = Notes()
    assert work_through(plan, hooks=notes.hooks) == {}
    assert "knn: measured again, as its result lacks k" in notes.said
    assert Result.from_json(path).settings == {"k": 1}


def test_an_interrupted_training_is_resumed(plan_of: MakePlan, training: list[Any]) -> None:
    plan = plan_of()
    (cell,) = plan.grid.cells
    run = plan.run(cell)
    fake_training(plan.config(cell), run, epochs=1)  # of two
    (run / STATE).touch()
    work.train(plan, cell)
    assert [options for _, options in training] == [{"resume": True, "callbacks": ()}]


def test_the_lock_of_a_training_that_was_killed_at_its_very_end_is_removed(
    plan_of: MakePlan, training: list[Any]
) -> None:
    plan = plan_of()
    (cell,) = plan.grid.cells
    run = plan.run(cell)
    fake_training(plan.config(cell), run)
    lock = run.with_name(f".{run.name}.lock")
    lock.write_text("1")
    work_through(plan)
    assert training == []
    assert not lock.exists()


def test_a_failure_is_told_and_the_others_go_on(plan_of: MakePlan, training: list[Any]) -> None:
    plan, notes = plan_of(recipe=RECIPE.replace("linear: {lr: 0.1, ", "linear: {")), Notes()
    failures = work_through(plan, hooks=notes.hooks)
    run = plan.run(plan.grid.cells[0])
    reason = f"{run}: the recipe sets no evaluate.linear.lr; set it there, or pass `lr`"
    assert failures == {"mine-moves-joint (linear)": reason}
    assert notes.said[-1] == f"failed: {reason}"
    assert notes.failures[-1] == failures
    knn = plan.result(plan.grid.cells[0], plan.grid.cells[0].measurements[0])
    assert isinstance(knn, Result)


def test_settings_of_the_grid_are_passed_to_the_protocol(plan_of: MakePlan, training: list[Any]) -> None:
    plan = plan_of(GRID.replace("linear]", "{linear: {lr: 0.7}}]"))
    assert work_through(plan) == {}
    (cell,) = plan.grid.cells
    assert cell.linear is not None
    result = plan.result(cell, cell.linear)
    assert result is not None
    assert result.settings["lr"] == 0.7


def test_cells_are_chosen_by_patterns(plan_of: MakePlan, training: list[Any]) -> None:
    plan = plan_of(STREAMS)
    assert [cell.stream for cell in chosen(plan, ["motion", "*-joint"])] == ["joint", "motion"]
    assert len(chosen(plan, [])) == 3
    with pytest.raises(KinemeError) as refused:
        chosen(plan, ["aimclr", "x"])
    assert str(refused.value) == (
        "`only` aimclr x: no cell of the grid has such a name; one is mine-moves-joint"
    )
    work_through(plan, only=["bone"])
    assert [run.name for run, _ in training] == ["mine-moves-bone"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (99.4, "99 s"),
        (99.5, "1.7 min"),
        (287, "4.8 min"),
        (7 * 3600 + 600, "7 h 10 min"),
        (47.9 * 3600, "47 h 54 min"),
        (76 * 3600, "3 d 4 h"),
    ],
)
def test_durations_as_people_say_them(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def reordered(store: Path, out: Path) -> ClipStore:
    """The same clips, with their joints in another order."""
    old = ClipStore(store)
    layout = Layout.from_names("other", ["hip", "hand", "neck"], [None, "neck", "hip"])
    with StoreWriter(out, replace(old.manifest, layout=layout), old.bodies) as writer:
        for row, name in enumerate(old.names.tolist()):
            subject, label = str(old.index["subject"][row]), int(old.labels[row])
            writer.add(Clip(name, old.clip(row)[:, :, [0, 2, 1]], label=label, subject=subject))
    return ClipStore(out)


def test_a_store_of_another_layout_is_measured_once(
    plan_of: MakePlan, training: list[Any], moves: Path, tmp_path: Path
) -> None:
    grid = GRID.replace("[knn, linear]", "[{transfer: other, map_joints: true}]")
    plan = plan_of(grid)
    plan = replace(plan, stores={**plan.stores, "other": reordered(moves, tmp_path / "reordered")})
    (cell,) = plan.grid.cells
    assert work_through(plan) == {}
    result = plan.result(cell, cell.measurements[0])
    assert result is not None
    assert (plan.run(cell) / "results" / "transfer-reordered.json").is_file()
    assert result.fingerprint != plan.stores["other"].manifest.fingerprint  # but that of the mapped clips
