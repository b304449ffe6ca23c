"""Temporal action detection."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from kineme.commands.bar import progress_bar
from kineme.commands.evaluate.shared import Options, keep, open_run
from kineme.commands.paths import check_models, check_stores
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
    linear: bool = False,
    finetune: bool = False,
    epochs: int | None = None,
    lr: float | None = None,
    seed: int = 0,
    baselines: bool = True,
    options: Options = USUAL,
) -> None:
    """Temporal action detection in untrimmed recordings.

    A small network learns the class of every frame, or the background, from the frozen encoder's features;
    runs of frames become segments; with rule C a second network, on shorter windows, moves their starts and
    ends. Writes RUN/results/detect.json with all metrics by name, detect.npz with
    what was found where, and detect.safetensors, the detector, for `kineme predict`. A different store, split
    or seed, tokens, rule A or B, and fine-tuning are added to the file names.

    Args:
        run: Run directory, or its model.safetensors.
        kind: Features of a frame: `centred`, the clip feature of the window around it, or `tokens`, those of
            its time step in overlapping windows, which USDRL and SCD-Net have.
        window: Frames per window.
        step: Frames from one window to the next; by default a sixteenth of a window, or a quarter with
            tokens.
        context: Number of frames on each side, a quarter of a window apart, whose features the network also
            reads; 0, as published, for the frame's own only.
        segments: Rule that turns frames into segments: `C`, runs of frames that show a class with a
            probability above 25 % after smoothing; or, as published, `A`, above 2 %, or `B`, runs of smoothed
            activity.
        linear: Classify frames by a linear layer, and leave boundaries where they are, as rules A and B
            always do; with rule C there is a hidden layer of 128 units, and boundaries are moved.
        finetune: Train the encoder on the frames first.
        epochs: Epochs of fine-tuning; by default 10.
        lr: Learning rate of fine-tuning; by default 0.0005.
        seed: Seed of everything random.
        baselines: Also measure a random encoder and raw coordinates.
    """
    if not finetune and (epochs is not None or lr is not None):
        raise KinemeError("`epochs` and `lr` are of fine-tuning; set `finetune`, or leave them out")
    check_between("`context`", context, 0)
    differing = {
        "tokens": kind == "tokens",
        segments: segments != RULE,
        "linear": linear and segments == RULE,
        "finetune": finetune,
    }
    named = [name for name, differs in differing.items() if differs]
    check_models(run)
    check_stores(options.store)
    from kineme.evaluation.detection import protocol
    from kineme.evaluation.detection.classifier import classifier_for, context_for
    from kineme.evaluation.detection.frames import windows_for

    training = None
    if finetune:
        from kineme.evaluation.detection.finetune import settings

        training = settings(epochs, lr)
    task = open_run(run, options, "detect", *named, seed=seed, rows_of=protocol.recorded)
    with progress_bar("evaluating") as progress:
        result, found, detector = protocol.detect(
            task,
            windows_for(task.model.encoder, kind, window, step),
            context=context_for(window, context, segments),
            rule=segments,
            classifier=classifier_for(segments, linear=linear),
            training=training,
            seed=seed,
            baselines=baselines,
            progress=progress,
        )
    beside: Mapping[str, Kept] = {".npz": found, ".safetensors": detector}
    keep(task, result, beside, *named)
