"""Measure a pre-trained encoder by the field's protocols."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from kineme.commands.bar import progress_bar
from kineme.commands.outputs import hold
from kineme.commands.said import written
from kineme.errors import KinemeError, check_between
from kineme.evaluation.options import (
    AS_IN_RECIPE,
    KIND,
    NEIGHBOURS,
    RULE,
    USUAL,
    WINDOW,
    FinetuneOptions,
    Kind,
    Rule,
    TaskOptions,
)
from kineme.files import is_writable

if TYPE_CHECKING:
    from kineme.evaluation.results import Kept, Result
    from kineme.evaluation.task import Task

logger = logging.getLogger(__name__)

Options = Annotated[TaskOptions, Parameter(name="*")]
Training = Annotated[FinetuneOptions, Parameter(name="*")]


def linear(
    run: Path, *, seed: int = 0, lr: float | None = None, baselines: bool = True, options: Options = USUAL
) -> None:
    """Linear evaluation: one linear layer on the frozen encoder.

    Reports two probes: the published protocol of the run's recipe (SGD; last and best epoch, of which the
    best is chosen on the test clips) and a logistic regression on standardised features. Writes
    RUN/results/linear.json; another store, split or seed is appended to the name.

    Args:
        run: Run directory, or its model.safetensors.
        seed: Seed of the probe and of the random encoder.
        lr: Learning rate of the SGD probe, instead of the recipe's.
        baselines: Measure a random encoder and raw coordinates beside it.
    """
    from kineme.evaluation import recognition

    task = _open(run, options, "linear", seed=seed)
    with progress_bar("evaluating") as progress:
        result, predicted = recognition.linear(task, seed=seed, lr=lr, baselines=baselines, progress=progress)
    _report(task, result, {".npz": predicted})


def knn(run: Path, *, k: int = 1, seed: int = 0, baselines: bool = True, options: Options = USUAL) -> None:
    """Retrieval: a test clip takes the label of its nearest training clips, by cosine similarity.

    Also how the training clips of its class rank: recall@k, the share of test clips with one among the k
    nearest, and mAP, the mean average precision. Writes RUN/results/knn.json; another store, split, k or seed
    is appended to the name.

    Args:
        run: Run directory, or its model.safetensors.
        k: Number of neighbours that vote.
        seed: Seed of the random encoder.
        baselines: Measure a random encoder and raw coordinates beside it.
    """
    from kineme.evaluation import recognition

    named = [f"k{k}"] if k != 1 else []
    task = _open(run, options, "knn", *named, seed=seed)
    with progress_bar("evaluating") as progress:
        result, predicted = recognition.knn(task, k=k, seed=seed, baselines=baselines, progress=progress)
    _report(task, result, {".npz": predicted}, *named)


def transfer(
    run: Path,
    *,
    seed: int = 0,
    lr: float | None = None,
    finetune: bool = False,
    baselines: bool = True,
    options: Options = USUAL,
) -> None:
    """Transfer: linear evaluation and retrieval on another data set than that of the pre-training.

    Linear probes and nearest neighbours are fitted to the training part of the other store and measured on
    its test part. Writes RUN/results/transfer-STORE.json; another split or seed is appended to the name. With
    --finetune it also does, and writes, what `kineme evaluate finetune` does.

    Args:
        run: Run directory, or its model.safetensors.
        seed: Seed of the probe and of the random encoder.
        lr: Learning rate of the SGD probe, instead of the recipe's.
        finetune: Fine-tune on the other store too, as a third measure.
        baselines: Measure a random encoder and raw coordinates beside it.
    """
    from kineme.evaluation import recognition

    if options.store is None:
        raise KinemeError("transfer is to another data set than that of the pre-training; pass `store`")
    task = _open(run, options, "transfer", seed=seed)
    with progress_bar("evaluating") as progress:
        result, predicted = recognition.transfer(
            task, seed=seed, lr=lr, baselines=baselines, progress=progress
        )
    _report(task, result, {".npz": predicted})
    if finetune:
        _hold(task, "finetune", seed=seed)
        _finetune(task, from_scratch=baselines, seed=seed)


def early(
    run: Path,
    *,
    whole: bool = False,
    seed: int = 0,
    lr: float | None = None,
    baselines: bool = True,
    options: Options = USUAL,
) -> None:
    """Early prediction: linear evaluation of clips of which only the first 10, 20, ... 100 % is seen.

    The encoder is frozen and the same for all shares; each has a linear probe, trained by SGD as the run's
    recipe says. Writes RUN/results/early.json with the accuracy at each share and their mean; another store,
    split or seed is appended to the name.

    Args:
        run: Run directory, or its model.safetensors.
        whole: Fit one probe, to whole training clips; by default each is fitted to clips that are cut alike.
        seed: Seed of the probes and of the random encoder.
        lr: Learning rate of the probes, instead of the recipe's.
        baselines: Measure a random encoder and raw coordinates beside it.
    """
    from kineme.evaluation import early as prediction

    named = ["whole"] if whole else []
    task = _open(run, options, "early", *named, seed=seed)
    with progress_bar("evaluating") as progress:
        result, predicted = prediction.early(
            task, whole=whole, seed=seed, lr=lr, baselines=baselines, progress=progress
        )
    _report(task, result, {".npz": predicted}, *named)


def fewshot(
    run: Path,
    *,
    shots: int = 1,
    draws: int = 20,
    seed: int = 0,
    baselines: bool = True,
    options: Options = USUAL,
) -> None:
    """Few-shot recognition: a test clip takes the class of its nearest exemplar; nothing is trained.

    Exemplars are drawn from the training part, several times; reported are mean and standard deviation. With
    --split oneshot, on NTU RGB+D 120, they are the twenty of its one-shot protocol. Writes
    RUN/results/fewshot.json; another store, split, number of shots or seed is appended to the name.

    Args:
        run: Run directory, or its model.safetensors.
        shots: Exemplars of each class.
        draws: How often they are drawn.
        seed: Seed of the first draw and of the random encoder.
        baselines: Measure a random encoder and raw coordinates beside it.
    """
    from kineme.evaluation import fewshot as few

    named = [f"{shots}shots"] if shots != 1 else []
    task = _open(run, options, "fewshot", *named, seed=seed)
    with progress_bar("evaluating") as progress:
        result, predicted = few.fewshot(
            task, shots=shots, draws=draws, seed=seed, baselines=baselines, progress=progress
        )
    _report(task, result, {".npz": predicted}, *named)


def finetune(
    run: Path, *, training: Training = AS_IN_RECIPE, seed: int = 0, options: Options = USUAL
) -> None:
    """Fine-tuning: encoder and linear layer trained together on all labels.

    Reports the last epoch, and the best, which is chosen on the test clips. Writes RUN/results/finetune.json;
    another store, split or seed is appended to the name.

    Args:
        run: Run directory, or its model.safetensors.
        seed: Seed of all that is drawn.
    """
    _finetune(_open(run, options, "finetune", seed=seed), **asdict(training), seed=seed)


def semi(
    run: Path,
    *,
    fractions: list[float] | None = None,
    seeds: int = 3,
    frozen: bool = False,
    training: Training = AS_IN_RECIPE,
    seed: int = 0,
    options: Options = USUAL,
) -> None:
    """Semi-supervised: fine-tuning on a share of the labels.

    Of each class that share of the training clips is drawn, at least one, several times; reported are mean
    and standard deviation at the last epoch. Writes RUN/results/semi.json; another store, split or seed is
    appended to the name.

    Args:
        run: Run directory, or its model.safetensors.
        fractions: Shares of the labels; by default 0.01 0.05 0.1 0.2.
        seeds: How often labels are drawn, and all else that is random with them.
        frozen: Fit linear probes to the frozen encoder instead, into semi-frozen.json.
        seed: The first of the seeds; the others follow it.
    """
    from kineme.evaluation import finetune as tuning

    draws: dict[str, Any] = {"fractions": fractions or tuning.FRACTIONS, "seeds": seeds, "seed": seed}
    if frozen and training != replace(AS_IN_RECIPE, lr=training.lr):
        raise KinemeError("with `frozen` nothing is fine-tuned; of its options only `lr` has an effect")
    task = _open(run, options, "semi-frozen" if frozen else "semi", seed=seed)
    if frozen:
        _frozen(task, lr=training.lr, **draws)
        return
    with progress_bar("evaluating") as progress:
        result = tuning.semi(task, **draws, **asdict(training), progress=progress)
    _report(task, result, {})


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
    seed, tokens, rule B or fine-tuning is appended to the name.

    Args:
        run: Run directory, or its model.safetensors.
        kind: Features of a frame: `centred`, the clip feature of the window about it, or `tokens`, those of
            its time in windows that overlap, which USDRL and SCD-Net have.
        window: Frames that a window spans.
        step: Frames from one window to the next; by default a sixteenth of a window, a quarter with tokens.
        context: Frames on each side, a quarter of a window apart, whose features the layer reads too; 0, as
            published, for the frame's own.
        segments: Rule by which frames become segments: `A`, runs of frames that show a class with more than
            2 %, or `B`, runs of smoothed activity.
        finetune: Train the encoder on the frames first.
        epochs: Of fine-tuning; by default 10.
        lr: Learning rate of fine-tuning; by default 0.0005.
        seed: Seed of all that is drawn.
        baselines: Measure a random encoder and raw coordinates beside it.
    """
    from kineme.evaluation.detection import finetune as tuning
    from kineme.evaluation.detection import protocol
    from kineme.evaluation.detection.classifier import Context
    from kineme.evaluation.detection.frames import windows_for

    if not finetune and (epochs is not None or lr is not None):
        raise KinemeError("`epochs` and `lr` are of fine-tuning; set `finetune`, or leave them out")
    check_between("`context`", context, 0)
    differing = {"tokens": kind == "tokens", "B": segments == "B", "finetune": finetune}
    named = [name for name, differs in differing.items() if differs]
    task = _open(run, options, "detect", *named, seed=seed, rows_of=protocol.recorded)
    with progress_bar("evaluating") as progress:
        result, found, detector = protocol.detect(
            task,
            windows_for(task.model.encoder, kind, window, step),
            context=Context(context, max(window // 4, 1)),
            rule=segments,
            training=tuning.settings(epochs, lr) if finetune else None,
            seed=seed,
            baselines=baselines,
            progress=progress,
        )
    beside: Mapping[str, Kept] = {".npz": found, ".safetensors": detector}
    _report(task, result, beside, *named)


def _open(run: Path, options: TaskOptions, protocol: str, *qualifiers: str, seed: int, **how: Any) -> Task:
    """What is to be measured; keeps other processes from writing the same result."""
    from kineme.evaluation.task import open_task

    task = open_task(run, options, **how)
    _hold(task, protocol, *qualifiers, seed=seed)
    return task


def _hold(task: Task, protocol: str, *qualifiers: str, seed: int) -> None:
    path = task.result_path(protocol, *qualifiers, seed=seed)
    if is_writable(path):
        hold(path)
    else:
        logger.warning("%s: cannot be written, so the result is shown and not kept", path)


def _frozen(task: Task, **settings: Any) -> None:
    from kineme.evaluation.fewlabels import frozen

    with progress_bar("evaluating") as progress:
        result, _ = frozen(task, **settings, progress=progress)
    _report(task, result, {})


def _finetune(task: Task, **settings: Any) -> None:
    from kineme.evaluation.finetune import finetune

    with progress_bar("fine-tuning") as progress:
        result, predicted = finetune(task, **settings, progress=progress)
    _report(task, result, {".npz": predicted})


def _report(task: Task, result: Result, beside: Mapping[str, Kept], *qualifiers: str) -> None:
    """Writes a result, and what belongs to it, into the run, and prints it."""
    from rich.console import Console

    from kineme.commands import tables
    from kineme.evaluation.results import save

    path = task.result_path(result.protocol, *qualifiers, seed=result.seed)
    kept = is_writable(path)
    if kept:
        save(result, path, beside=beside)
    shown = {"detect": tables.detection, "early": tables.early}.get(result.protocol, tables.recognition)
    Console().print(shown(result))
    if kept:
        written(path)


COMMANDS: dict[str, Callable[..., None]] = {
    "linear": linear,
    "knn": knn,
    "early": early,
    "fewshot": fewshot,
    "transfer": transfer,
    "finetune": finetune,
    "semi": semi,
    "detect": detect,
}
