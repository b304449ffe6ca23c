"""`kineme fuse`: ensemble runs on joints, bones and motion."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from kineme.commands.outputs import hold
from kineme.commands.paths import check_models
from kineme.commands.said import written
from kineme.errors import KinemeError
from kineme.evaluation.options import USUAL, TaskOptions


def fuse(
    runs: list[Path],
    *,
    weights: list[float] | None = None,
    search: bool = False,
    out: Path | None = None,
    seed: int = 0,
    options: Annotated[TaskOptions, Parameter(name="*")] = USUAL,
) -> None:
    """Combine runs of one method on different streams by adding their scores.

    Reads what `kineme evaluate linear` wrote in each run, so run that first, with the same options. The
    logits of the SGD probe (last epoch), and the log-probabilities of logistic regression, are added with the
    weights of the first run's recipe (AimCLR's published joint 0.6, bone 0.6, motion 0.4; equal ones for
    other methods). Shows each stream alone and all fused, and writes results/fused.json into the first run.

    Args:
        runs: Run directories, each trained on a different stream.
        weights: One weight per run, in the same order.
        search: Choose the weights on a held-out fifth of the training clips.
        out: Directory for the result, instead of the first run.
        seed: Seed of that evaluation, and of what --search draws.
    """
    if search and weights:
        raise KinemeError("`search` finds the weights; leave out `weights`")
    check_models(*runs)
    from rich.console import Console

    from kineme.commands import tables
    from kineme.evaluation import fusion
    from kineme.evaluation.results import save
    from kineme.evaluation.task import open_task

    streams = [fusion.open_stream(open_task(run, options), seed=seed) for run in runs]
    task = streams[0].task
    searched = ["searched"] if search else []
    path = task.result_path("fused", *searched, seed=seed, run=out)
    hold(path)
    result, predictions = fusion.fuse(streams, weights=weights, search=search, seed=seed)
    save(result, path, beside={".npz": predictions})
    console = Console()
    console.print(tables.fusion(result))
    if held_out := result.settings["held_out"]:
        figures = ", ".join(
            f"{probe} {held_out['top1'][probe]:.1f} % (with the usual weights {usual:.1f} %)"
            for probe, usual in held_out["top1_of_usual_weights"].items()
        )
        console.print(f"weights chosen on {held_out['clips']} held-out training clips: {figures}")
    written(path)
