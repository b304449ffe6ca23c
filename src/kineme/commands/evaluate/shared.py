"""What the protocols' commands share: opening a run, keeping and printing its result."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from kineme.commands.bar import progress_bar
from kineme.commands.outputs import hold
from kineme.commands.paths import check_models, check_stores
from kineme.commands.said import written
from kineme.evaluation.options import TaskOptions
from kineme.files import is_writable

if TYPE_CHECKING:
    from kineme.evaluation.results import Kept, Result
    from kineme.evaluation.task import Task

logger = logging.getLogger(__name__)

Options = Annotated[TaskOptions, Parameter(name="*")]


def open_run(run: Path, options: TaskOptions, protocol: str, *qualifiers: str, seed: int, **how: Any) -> Task:
    """What is measured on which clips (see `open_task`); no other process may write its result.

    Paths are checked before anything is imported that takes seconds, so the protocols import theirs after it.
    """
    check_models(run)
    check_stores(options.store)
    from kineme.evaluation.task import open_task

    task = open_task(run, options, **how)
    occupy(task, protocol, *qualifiers, seed=seed)
    return task


def occupy(task: Task, protocol: str, *qualifiers: str, seed: int) -> None:
    """Keeps other processes from writing a result; says so where a run cannot be written at all."""
    path = task.result_path(protocol, *qualifiers, seed=seed)
    if is_writable(path):
        hold(path)
    else:
        logger.warning("%s: cannot be written, so the result is shown but not saved", path)


def tune(task: Task, **settings: Any) -> None:
    """Fine-tunes with all labels."""
    from kineme.evaluation.finetune import finetune

    with progress_bar("fine-tuning") as progress:
        result, predicted = finetune(task, **settings, progress=progress)
    keep(task, result, {".npz": predicted})


def keep(task: Task, result: Result, beside: Mapping[str, Kept], *qualifiers: str) -> None:
    """Writes a result, and what belongs to it, into the run, and prints it."""
    from rich.console import Console

    from kineme.commands import tables
    from kineme.evaluation.results import save

    path = task.result_path(result.protocol, *qualifiers, seed=result.seed)
    kept = is_writable(path)
    if kept:
        save(result, path, beside=beside)
    own = {"detect": tables.detection, "early": tables.early, "robust": tables.robust}
    Console().print(own.get(result.protocol, tables.recognition)(result))
    if kept:
        written(path)
