"""What the protocols' commands share: opening a run, keeping and printing its result."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from kineme.commands.bar import progress_bar
from kineme.commands.said import written
from kineme.evaluation.options import TaskOptions

if TYPE_CHECKING:
    from kineme.evaluation.results import Kept, Result
    from kineme.evaluation.task import Task

Options = Annotated[TaskOptions, Parameter(name="*")]


def open_run(run: Path, options: TaskOptions, **how: Any) -> Task:
    """What is measured on which clips; see `open_task`."""
    from kineme.evaluation.task import open_task

    return open_task(run, options, **how)


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
    save(result, path, beside=beside)
    upright = {"detect": tables.detection, "early": tables.early, "robust": tables.robust}
    Console().print(upright.get(result.protocol, tables.recognition)(result))
    written(path)
