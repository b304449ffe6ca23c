"""Temporal action detection."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from kineme.commands.bar import progress_bar
from kineme.commands.evaluate.shared import Options, keep, open_run
from kineme.errors import KinemeError, check_between
from kineme.evaluation.options import KIND, NEIGHBOURS, RULE, USUAL, WINDOW, Kind, Rule

if TYPE_CHECKING:
    from kineme.evaluation.results import Kept


def detect(
    run: Path,
    *,
    kind: Kind = KIND,
    window: int = WINDOW,
    step: int | None = None,
    context: int = NEIGHBOURS,
    segments: Rule = RULE,
    finetune: bool = False,
    epochs: int | None = None,
    lr: float | None = None,
    seed: int = 0,
    baselines: bool = True,
    options: Options = USUAL,
) -> None:
    """Temporal action detection in untrimmed recordings.

    A linear layer learns the class of every frame, or the background, from the frozen encoder's features;
    runs of frames become segments. Writes RUN/results/detect.json with all metrics by name, detect.npz with
    what was found where, and detect.safetensors, the detector, for `kineme predict`; another store, split or
    seed, tokens, rule A or B, or fine-tuning is appended to the name.

    Args:
        run: Run directory, or its model.safetensors.
        kind: Features of a frame: `centred`, the clip feature of the window about it, or `tokens`, those of
            its time in windows that overlap, which USDRL and SCD-Net have.
        window: Frames that a window spans.
        step: Frames from one window to the next; by default a sixteenth of a window, a quarter with tokens.
        context: Frames on each side, a quarter of a window apart, whose features the layer reads too; 0, as
            published, for the frame's own.
        segments: Rule by which frames become segments: `C`, runs of frames that show a class with more than
            25 % after smoothing, or as published `A`, with more than 2 %, or `B`, runs of smoothed activity.
        finetune: Train the encoder on the frames first.
        epochs: Of fine-tuning; by default 10.
        lr: Learning rate of fine-tuning; by default 0.0005.
        seed: Seed of all that is drawn.
        baselines: Measure a random encoder and raw coordinates beside it.
    """
    from kineme.evaluation.detection import finetune as tuning
    from kineme.evaluation.detection import protocol
    from kineme.evaluation.detection.classifier import context_for
    from kineme.evaluation.detection.frames import windows_for

    if not finetune and (epochs is not None or lr is not None):
        raise KinemeError("`epochs` and `lr` are of fine-tuning; set `finetune`, or leave them out")
    check_between("`context`", context, 0)
    differing = {"tokens": kind == "tokens", segments: segments != RULE, "finetune": finetune}
    named = [name for name, differs in differing.items() if differs]
    task = open_run(run, options, "detect", *named, seed=seed, rows_of=protocol.recorded)
    with progress_bar("evaluating") as progress:
        result, found, detector = protocol.detect(
            task,
            windows_for(task.model.encoder, kind, window, step),
            context=context_for(window, context, segments),
            rule=segments,
            training=tuning.settings(epochs, lr) if finetune else None,
            seed=seed,
            baselines=baselines,
            progress=progress,
        )
    beside: Mapping[str, Kept] = {".npz": found, ".safetensors": detector}
    keep(task, result, beside, *named)
