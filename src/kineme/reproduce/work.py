"""Works a grid off, cell by cell; goes on where it was, and past cells that fail."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from functools import partial
from time import perf_counter

from rich.console import Console

from kineme.errors import KinemeError
from kineme.evaluation import fusion
from kineme.evaluation.results import save
from kineme.evaluation.task import open_task
from kineme.reproduce.grid import Cell, Measurement
from kineme.reproduce.plan import Plan, keep_fingerprints
from kineme.reproduce.protocols import PROTOCOLS
from kineme.training.directory import CONFIG, load_run_config
from kineme.training.run import train as train_run

Failures = dict[str, str]  # cell, or a measurement of it (see `measured`) → what went wrong


def work_off(
    plan: Plan, *, only: Sequence[str] = (), tell: Callable[[Failures], None] = lambda failures: None
) -> Failures:
    """Trains and measures what has not been, of the cells whose clips are there.

    Args:
        plan: what is to be done.
        only: patterns, of which a cell's name must match one, such as `aimclr-*` or `motion`; none: all.
        tell: is called whenever there is something new, with the failures so far.

    Returns:
        What went wrong, by cell.
    """
    keep_fingerprints(plan)
    failures: Failures = {}
    todo = [cell for cell in chosen(plan, only) if _is_open(plan, cell)]
    steps = Steps(plan, len(todo))

    def attempt(name: str, do: Callable[[], None]) -> bool:
        try:
            do()
        except KinemeError as error:
            failures[name] = str(error)
            steps.say(f"failed: {error}")
        tell(failures)
        return name not in failures

    for cell in todo:
        steps.begin(cell.name)
        if attempt(cell.name, partial(train, plan, cell, steps.say)):
            for each in cell.measurements:
                if not plan.missing(cell, each) and plan.result(cell, each) is None:
                    steps.say(f"{each}")
                    attempt(measured(cell, each), partial(measure, plan, cell, each))
    names = {cell.name for cell in chosen(plan, only)}
    for cells in plan.grid.fusions:
        ready = all(plan.result(cell, Measurement("linear")) for cell in cells)
        if ready and names & {cell.name for cell in cells} and plan.fused(cells) is None:
            attempt(fused(cells), partial(fuse, plan, cells))
    return failures


def measured(cell: Cell, measurement: Measurement) -> str:
    """What a measurement is called among failures."""
    return f"{cell.name} ({measurement})"


def fused(cells: Sequence[Cell]) -> str:
    """What a fusion is called among failures."""
    return f"{cells[0].kin} (fused)"


def chosen(plan: Plan, only: Sequence[str]) -> list[Cell]:
    """The cells whose names match one of the patterns, or contain it.

    Raises:
        KinemeError: no cell does.
    """
    found = [
        cell
        for cell in plan.grid.cells
        if not only or any(fnmatch(cell.name, f"*{pattern}*") for pattern in only)
    ]
    if not found:
        raise KinemeError(f"--only {' '.join(only)}: no cell of the grid is called so; --list shows them")
    return found


def train(plan: Plan, cell: Cell, say: Callable[[str], None]) -> None:
    """Pre-trains a cell, or what is left of it."""
    run, progress = plan.run(cell), plan.progress(cell)
    if progress == "interrupted":
        for half in run.glob(".*.partial-*"):  # of a process that was killed as it wrote
            half.unlink()
        say("pre-training goes on where it was")
        train_run(load_run_config(run), run, resume=True)
    elif progress == "to do":
        if run.exists() and not (run / CONFIG).is_file():  # killed before it had begun
            shutil.rmtree(run)
        say("pre-training")
        train_run(plan.config(cell), run, overwrite=True)


def measure(plan: Plan, cell: Cell, measurement: Measurement) -> None:
    """Measures a cell that is trained; the result lies where `kineme evaluate` would write it."""
    store = plan.stores[measurement.store or cell.store]
    protocol, path = PROTOCOLS[measurement.protocol], plan.result_path(cell, measurement)
    task = open_task(plan.run(cell), store=store.path, split=measurement.split, rows_of=protocol.rows_of)
    result, beside = protocol.measure(task, plan.seed, plan.grid.baselines)
    written = save(result, task.run, *task.qualifiers, *_seeded(plan), beside=beside)
    assert written == path, (written, path)
    assert plan.result(cell, measurement) is not None, path  # or it would be measured for ever


def fuse(plan: Plan, cells: Sequence[Cell]) -> None:
    """Adds up three streams that are measured; the result lies where `kineme fuse` would write it."""
    tasks = [open_task(plan.run(cell)) for cell in cells]
    streams = [fusion.open_stream(task, seed=plan.seed) for task in tasks]
    result, predictions = fusion.fuse(streams, seed=plan.seed)
    save(result, tasks[0].run, *tasks[0].qualifiers, *_seeded(plan), beside={".npz": predictions})


class Steps:
    """Says on standard error which cell of how many it is, and about how long the rest will take."""

    def __init__(self, plan: Plan, cells: int) -> None:
        self.minutes = plan.minutes
        self.cells = cells
        self.done = -1
        self._began = perf_counter()
        self._console = Console(stderr=True)

    def begin(self, name: str) -> None:
        """The next cell."""
        self.done += 1
        left = self.cells - self.done
        spent = perf_counter() - self._began
        each = spent / self.done if self.done else 60 * (self.minutes or 0)
        about = f", about {duration(each * left)} left" if each else ""
        self.say(f"{self.done + 1}/{self.cells} {name}{about}")

    def say(self, text: str) -> None:
        """One line."""
        self._console.print(text, highlight=False, soft_wrap=True, markup=False)


def duration(seconds: float) -> str:
    """As a person would say it: 42 s, 4.8 min, 7 h 10 min, 3 d 4 h."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    if seconds < 5970:
        return f"{seconds / 60:.1f} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def _is_open(plan: Plan, cell: Cell) -> bool:
    """Whether something of a cell can be done and has not been."""
    if plan.missing(cell):
        return False
    return plan.progress(cell) != "trained" or any(
        not plan.missing(cell, each) and plan.result(cell, each) is None for each in cell.measurements
    )


def _seeded(plan: Plan) -> list[str]:
    return [f"seed{plan.seed}"] if plan.seed else []
