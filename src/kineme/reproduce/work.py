"""Works through a grid, cell by cell: resumes where it stopped, and carries on past cells that fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import partial
from time import perf_counter

import lightning as L

from kineme.errors import KinemeError
from kineme.evaluation import fusion
from kineme.evaluation.results import save
from kineme.evaluation.task import open_task
from kineme.files import unlock
from kineme.progress import Progress, silent
from kineme.reproduce.grid import Cell, Measurement
from kineme.reproduce.plan import Plan, keep_fingerprints, on_one_device
from kineme.reproduce.protocols import PROTOCOLS
from kineme.training.directory import load_run_config
from kineme.training.run import train as train_run

Failures = dict[str, str]  # cell, or a measurement of it (see `measured`) → what went wrong


@dataclass(frozen=True)
class Hooks:
    """What a caller is told as a grid is worked through.

    Attributes:
        say: is called with a line for each cell, its training and each of its measurements.
        tell: is called whenever there is something new, with the failures so far.
        bar: description → a context that gives the progress hook of a measurement.
        callbacks: Lightning callbacks of each training.
    """

    say: Callable[[str], None] = lambda line: None
    tell: Callable[[Failures], None] = lambda failures: None
    bar: Callable[[str], AbstractContextManager[Progress]] = lambda description: nullcontext(silent)
    callbacks: Sequence[L.Callback] = ()


QUIET = Hooks()


def work_through(plan: Plan, *, only: Sequence[str] = (), hooks: Hooks = QUIET) -> Failures:
    """Trains and measures what has not been, of the cells whose clips are there.

    Args:
        plan: what is to be done.
        only: patterns, of which a cell's name must match one, such as `aimclr-*` or `motion`; none: all.
        hooks: what the caller is told.

    Returns:
        What went wrong, by cell.
    """
    keep_fingerprints(plan)
    failures: Failures = {}
    todo = [cell for cell in chosen(plan, only) if _is_open(plan, cell)]
    began = perf_counter()

    def attempt(name: str, do: Callable[[], None]) -> bool:
        try:
            do()
        except KinemeError as error:
            failures[name] = str(error)
            hooks.say(f"failed: {error}")
        hooks.tell(failures)
        return name not in failures

    for number, cell in enumerate(todo):
        each = (perf_counter() - began) / number if number else 60 * (plan.minutes or 0)
        left = f", about {duration(each * (len(todo) - number))} left" if each else ""
        hooks.say(f"{number + 1}/{len(todo)} {cell.name}{left}")
        if attempt(cell.name, partial(train, plan, cell, hooks)):
            for measurement in cell.measurements:
                if not plan.missing(cell, measurement) and plan.result(cell, measurement) is None:
                    lacking = ", ".join(plan.lacking(cell, measurement))
                    why = f": measured again, as its result lacks {lacking}" if lacking else ""
                    hooks.say(f"{measurement}{why}")
                    attempt(measured(cell, measurement), partial(measure, plan, cell, measurement, hooks))
    names = {cell.name for cell in chosen(plan, only)}
    for cells in plan.grid.fusions:
        ready = all(cell.linear and plan.result(cell, cell.linear) for cell in cells)
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
        raise KinemeError(
            f"`only` {' '.join(only)}: no cell of the grid has such a name; one is {plan.grid.cells[0].name}"
        )
    return found


def train(plan: Plan, cell: Cell, hooks: Hooks = QUIET) -> None:
    """Pre-trains a cell, or what is left of it."""
    run, progress = plan.run(cell), plan.progress(cell)
    if progress == "interrupted":
        hooks.say("resuming pre-training")
        train_run(on_one_device(load_run_config(run)), run, resume=True, callbacks=hooks.callbacks)
    elif progress == "to do":
        hooks.say("pre-training")
        train_run(plan.config(cell), run, overwrite=True, callbacks=hooks.callbacks)
    else:
        unlock(run)  # of a process that was killed when all was trained


def measure(plan: Plan, cell: Cell, measurement: Measurement, hooks: Hooks = QUIET) -> None:
    """Measures a cell that is trained, by the settings of its run and the grid."""
    protocol = PROTOCOLS[measurement.protocol]
    task = open_task(plan.run(cell), plan.options(cell, measurement), rows_of=protocol.rows_of)
    with hooks.bar(str(measurement)) as progress:
        result, beside = protocol.measure(
            task,
            baselines=plan.grid.baselines,
            seed=plan.seed_of(cell),
            progress=progress,
            **dict(measurement.settings),
        )
    save(result, plan.result_path(cell, measurement), beside=beside)
    assert plan.result(cell, measurement) is not None, measurement  # or it would be measured for ever


def fuse(plan: Plan, cells: tuple[Cell, ...]) -> None:
    """Fuses three streams that are measured."""
    seed = plan.seed_of(cells[0])
    streams = [fusion.open_stream(open_task(plan.run(cell)), seed=seed) for cell in cells]
    result, predictions = fusion.fuse(streams, seed=seed)
    save(result, plan.fused_path(cells), beside={".npz": predictions})


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
