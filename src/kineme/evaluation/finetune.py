"""Fine-tuning: the whole encoder trained with labels, all of them or few.

`finetune` trains on every labelled clip of a split's training part, `semi` on a share of them, drawn several
times: from each class, or from all at once if the recipe says so. Both start from the pre-trained encoder and
a fresh classifier; their baseline is the same network trained from scratch, with the same settings.

Deviation: the papers of AimCLR, SCD-Net and USDRL say how clips are augmented in fine-tuning, but not the
other settings. In their recipes, the optimiser, learning rate, weight decay and batch size are therefore
those of each method's pre-training; epochs and milestones are those of its linear evaluation. MAMP's settings
are as published, and so are SLiM's, apart from epochs and schedule, which are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, fields, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from kineme.clips.subsets import label_subset
from kineme.config import FinetuneConfig, TrainConfig
from kineme.errors import KinemeError, check_positive
from kineme.evaluation.linear import EVALUATE_EVERY, with_rate
from kineme.evaluation.recognition import Outcome, report
from kineme.evaluation.results import PRETRAINED, SCRATCH, Predictions, Result, Score
from kineme.evaluation.task import Task, on_device_of
from kineme.model import Model, random_like
from kineme.progress import Progress, silent, within
from kineme.training.devices import resolve_device
from kineme.typing import Array

FRACTIONS = (0.01, 0.05, 0.1, 0.2)
SEEDS = 3
# Few clips make few steps, too few for SGD at rates that were found on large data. Where an epoch has fewer
# batches than these, it gets as many smaller ones, and Adam, whose steps do not depend on the gradients'
# scale; a recipe's own AdamW stays, and SGD that spares the encoder. With a fifth of the labels of three of
# UTD-MHAD's training subjects, tested on the fourth, 30 epochs give SCD-Net 51.9 instead of 37.0 %, AimCLR
# 50.0 instead of 44.4, USDRL 75.9 instead of 80.6.
LEAST_BATCHES, LEAST_BATCH = 8, 16


def settings_for(
    config: FinetuneConfig,
    clips: int,
    run: Path,
    *,
    epochs: int | None = None,
    lr: float | None = None,
    batch_size: int | None = None,
) -> FinetuneConfig:
    """The settings of fine-tuning on so many labelled clips.

    Args:
        config: the recipe's.
        clips: labelled ones to train on.
        run: the recipe is of this run, for messages.
        epochs: instead of the recipe's; its milestones and warm-up move in proportion.
        lr: instead of the recipe's.
        batch_size: instead of the recipe's.

    Raises:
        KinemeError: no rate is set, or an override is not above 0.
    """
    check_positive(epochs=epochs, batch_size=batch_size)
    settings = with_rate(config, "finetune", lr, run)
    if clips < LEAST_BATCHES * config.batch_size:
        batch = min(max(LEAST_BATCH, clips // LEAST_BATCHES), config.batch_size)
        settings = replace(settings, batch_size=batch)
        if config.optimizer != "adamw" and config.encoder_lr is None:
            settings = replace(settings, optimizer="adam", lr=5e-4, weight_decay=1e-5)
    if epochs is not None:
        moved = tuple(round(milestone * epochs / config.epochs) for milestone in config.milestones)
        warmup = settings.warmup * epochs / config.epochs
        settings = replace(settings, epochs=epochs, milestones=moved, warmup=warmup)
    return replace(settings, lr=lr or settings.lr, batch_size=batch_size or settings.batch_size)


def finetune(
    task: Task,
    *,
    epochs: int | None = None,
    lr: float | None = None,
    batch_size: int | None = None,
    from_scratch: bool = False,
    seed: int = 0,
    progress: Progress = silent,
) -> tuple[Result, Predictions]:
    """Fine-tuning on every labelled training clip: the last epoch, and the one best on the test clips.

    Args:
        task: what is trained and measured on which clips.
        epochs: passes over the clips, instead of the recipe's; its milestones scale with them.
        lr: learning rate, instead of the recipe's.
        batch_size: clips per step, instead of the recipe's.
        from_scratch: also train a freshly initialised encoder in the same way, as the supervised baseline.
        seed: of the linear layer, the order, the views and the fresh encoder.
        progress: called with the clips trained on and in total, over all epochs.

    Raises:
        KinemeError: no rate is set, a setting has no meaning, or the training diverges.
    """
    from kineme.evaluation.classifier import classify  # imports Lightning, which `fewlabels` does without

    began = perf_counter()
    config, clips = task.model.protocols.finetune, len(task.train_rows)
    settings = settings_for(config, clips, task.run, epochs=epochs, lr=lr, batch_size=batch_size)
    beginnings = _beginnings(task, from_scratch)
    work = settings.epochs * clips
    outcomes = {}
    for number, (row, begin) in enumerate(beginnings.items()):
        found = classify(
            task,
            begin(seed),
            task.train_rows,
            training(settings, seed),
            fresh=row == SCRATCH,
            every=EVALUATE_EVERY,
            progress=within(progress, number * work, len(beginnings) * work),
        )
        best = max(found, key=lambda each: each.top1)  # of equals the first
        outcomes[row] = {
            name: Outcome.of(each.scores, task.test_labels, each.epoch)
            for name, each in (("last", found[-1]), ("best", best))
        }
    told = {**described(settings), "precision": _precision(task)}
    return report(task, outcomes, "finetune", told, seed, "last", began)


def semi(
    task: Task,
    *,
    fractions: Sequence[float] = FRACTIONS,
    seeds: int = SEEDS,
    epochs: int | None = None,
    lr: float | None = None,
    batch_size: int | None = None,
    from_scratch: bool = False,
    seed: int = 0,
    progress: Progress = silent,
) -> Result:
    """Fine-tuning on few labels: mean and standard deviation over draws of them, last epoch.

    No best epoch is reported: chosen on the test clips, it would use more labels than were given.

    Args:
        task: what is trained and measured on which clips.
        fractions: shares of the training labels, each above 0 and at most 1.
        seeds: number of draws; everything else that is random is drawn anew with them.
        epochs, lr, batch_size, from_scratch, progress: as for `finetune`.
        seed: the first of the consecutive seeds.

    Raises:
        KinemeError: no rate is set, a setting has no meaning, or the training diverges.
    """
    from kineme.evaluation.classifier import classify  # as in `finetune`

    check_draws(seeds, fractions)
    began = perf_counter()
    by_class = task.model.protocols.finetune.draw == "class"
    draws = {
        fraction: [
            label_subset(task.train_rows, task.train_labels, fraction, each, by_class=by_class)
            for each in range(seed, seed + seeds)
        ]
        for fraction in fractions
    }
    own = partial(settings_for, task.model.protocols.finetune)
    settings = {
        fraction: own(len(drawn[0]), task.run, epochs=epochs, lr=lr, batch_size=batch_size)
        for fraction, drawn in draws.items()
    }
    beginnings = _beginnings(task, from_scratch)
    total = len(beginnings) * sum(settings[each].epochs * seeds * len(draws[each][0]) for each in draws)
    done = 0
    outcomes: dict[str, dict[str, Outcome]] = {}
    for row, begin in beginnings.items():
        outcomes[row] = {}
        for fraction, drawn in draws.items():
            found = []
            for each, rows in enumerate(drawn, start=seed):
                train = training(settings[fraction], each)
                found += classify(
                    task,
                    begin(each),
                    rows,
                    train,
                    fresh=row == SCRATCH,
                    progress=within(progress, done, total),
                )
                done += settings[fraction].epochs * len(rows)
            scores = [each.scores for each in found]
            outcomes[row][percent(fraction)] = mean(scores, task.test_labels, found[-1].epoch)
    precision = _precision(task)
    told = {
        percent(fraction): {"clips": len(draws[fraction][0]), **described(each), "precision": precision}
        for fraction, each in settings.items()
    }
    settled = {"seeds": seeds, "training": told}
    return report(task, outcomes, "semi", settled, seed, percent(max(fractions)), began)[0]


def training(settings: FinetuneConfig, seed: int) -> TrainConfig:
    """The settings as training takes them."""
    shared = {each.name for each in fields(TrainConfig)} & {each.name for each in fields(settings)}
    return TrainConfig(**{name: getattr(settings, name) for name in shared}, seed=seed)


def described(settings: FinetuneConfig) -> dict[str, Any]:
    """What decides the result, apart from the precision, which follows from the device."""
    return asdict(settings)


def percent(fraction: float) -> str:
    """Name of a share of the labels."""
    return f"{100 * fraction:g} %"


def _precision(task: Task) -> str:
    return resolve_device(on_device_of(task, TrainConfig()))[1]


def _beginnings(task: Task, from_scratch: bool) -> dict[str, Callable[[int], Model]]:
    """Row of the table → the encoder that training begins with, by seed."""
    scratch = {SCRATCH: partial(random_like, task.model)} if from_scratch else {}
    return {**scratch, PRETRAINED: lambda seed: task.model}


def check_draws(seeds: int, fractions: Sequence[float]) -> None:
    """Refuses to average nothing.

    Raises:
        KinemeError: no seeds, or no fractions.
    """
    if seeds < 1 or not fractions:
        raise KinemeError("nothing to average; set `seeds` to at least 1, and name one of `fractions`")


def mean(
    found: Sequence[Array], labels: Array, epoch: int | None = None, rates: Sequence[float] = ()
) -> Outcome:
    """The outcome of several seeds: the mean figure, its deviation and the interval over the test clips.

    Args:
        found: (N', classes) scores of each.
        labels: (N',) true classes.
        epoch: of the training.
        rates: learning rate of each, if they are probes.
    """
    each = [Score.of(scores, labels) for scores in found]
    predicted = np.stack([scores.argmax(axis=1) for scores in found])
    values = tuple(score.value for score in each)
    ranked = [score.top5 for score in each if score.top5 is not None]
    score = replace(
        Score.of_hits((predicted == labels).mean(axis=0)),
        top5=float(np.mean(ranked)) if ranked else None,
        epoch=epoch,
        deviation=float(np.std(values, ddof=1)) if len(values) > 1 else None,
        values=values,
        rates=tuple(rates) or None,
    )
    return Outcome(score, predicted)
