"""`kineme fuse`: runs on joints, bones and motion become one score."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.table import Table

    from kineme.evaluation.results import Result


def fuse(
    runs: list[Path],
    *,
    weights: list[float] | None = None,
    search: bool = False,
    out: Path | None = None,
    store: Path | None = None,
    split: str | None = None,
    seed: int = 0,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    allow_preprocessing: bool = False,
    leave_out_overlap: bool = False,
    map_joints: bool = False,
    joint_map: Path | None = None,
) -> None:
    """Adds up what runs of one method on different streams say of the test clips.

    Reads what `kineme evaluate linear` left in each run, so run that first, with the same options. The logits
    of the SGD probe (last epoch), and the log-probabilities of logistic regression, are added with AimCLR's
    published weights (joint 0.6, bone 0.6, motion 0.4); for other methods they are equal. Shows each stream
    alone and all fused, and writes results/fused.json into the first run.

    Args:
        runs: Run directories, each trained on another stream.
        weights: A weight for each run, in their order.
        search: Choose the weights on a fifth of the training clips that is held out for it.
        out: Directory for the result, instead of the first run.
        store: Clip store that was measured on; by default that of the pre-training.
        split: Its division into training and test part; by default that of the pre-training.
        seed: Seed of that evaluation, and of what --search draws.
        device: Where to compute; auto takes the GPU if there is one.
        allow_preprocessing: Accept a store of another preprocessing than the encoder's.
        leave_out_overlap: Leave out test clips that the encoder has seen in pre-training.
        map_joints: Give clips of another layout the encoder's joints, found by their names.
        joint_map: YAML file that names a joint's sources where names do not tell.
    """
    from rich.console import Console

    from kineme.errors import KinemeError
    from kineme.evaluation import fusion
    from kineme.evaluation.results import save
    from kineme.evaluation.task import open_task

    if search and weights:
        raise KinemeError("--search finds the weights; leave out --weights")
    tasks = [
        open_task(
            run,
            store=store,
            split=split,
            device=device,
            allow_preprocessing=allow_preprocessing,
            leave_out_overlap=leave_out_overlap,
            map_joints=map_joints,
            joint_map=joint_map,
        )
        for run in runs
    ]
    streams = [fusion.open_stream(task, seed=seed) for task in tasks]
    result, predictions = fusion.fuse(streams, weights=weights, search=search, seed=seed)
    qualifiers = [*tasks[0].qualifiers, *(["searched"] if search else []), *([f"seed{seed}"] if seed else [])]
    path = save(result, out or tasks[0].run, *qualifiers, beside={".npz": predictions})
    Console().print(_table(result))
    if held_out := result.settings["held_out"]:
        figures = ", ".join(
            f"{probe} {held_out['top1'][probe]:.1f} % (with the usual weights {usual:.1f} %)"
            for probe, usual in held_out["top1_of_usual_weights"].items()
        )
        Console().print(f"weights chosen on {held_out['clips']} held-out training clips: {figures}")
    Console(stderr=True).print(f"written to {path}", highlight=False, soft_wrap=True)


def _table(result: Result) -> Table:
    """Each stream alone and all of them fused, with intervals, for the terminal."""
    from rich.table import Table

    from kineme.evaluation.fusion import PROBES
    from kineme.evaluation.results import COLUMNS, cell

    title = f"{result.method} on {result.store}, {result.split}: top-1 %"
    caption = f"{result.test_clips} test clips; below: 95 % bootstrap interval"
    shown = Table(
        title=title, caption=caption, title_justify="left", caption_justify="left", min_width=len(title)
    )
    shown.add_column("")
    for probe in PROBES:
        shown.add_column(COLUMNS[probe], justify="right")
        shown.add_column("weight", justify="right")
    weights = result.settings["weights"]
    for stream, scores in result.baselines.items():
        cells = [
            each for probe in PROBES for each in (cell(scores[probe], True), f"{weights[probe][stream]:g}")
        ]
        shown.add_row(stream, *cells)
    shown.add_row(
        "fused",
        *[each for probe in PROBES for each in (cell(result.scores[probe], True), "")],
        style="bold",
    )
    return shown
