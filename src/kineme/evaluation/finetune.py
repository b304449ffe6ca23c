"""Fine-tuning: the whole encoder trained with labels, all of them or few.

`finetune` trains on every labelled clip of a split's training part, `semi` on a share of them, drawn class by
class and several times. Both start from the pre-trained encoder and a fresh linear layer; their baseline is
the same network trained from scratch, with the same settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

from kineme.clips.subsets import label_subset
from kineme.config import TrainConfig
from kineme.errors import KinemeError
from kineme.evaluation.classifier import classify, where_measured
from kineme.evaluation.linear import EVALUATE_EVERY, Epoch
from kineme.evaluation.recognition import Outcome, report
from kineme.evaluation.results import PRETRAINED, SCRATCH, Predictions, Result, Score
from kineme.evaluation.task import Task
from kineme.model import Model, random_like
from kineme.training.run import resolve_device
from kineme.typing import Array

FRACTIONS = (0.01, 0.05, 0.1, 0.2)

# Deviation: the papers say how clips are augmented in fine-tuning, not how the rest is set. Optimiser, rate,
# weight decay and batch are therefore those of each method's published pre-training, epochs and milestones
# those of its published linear evaluation.
SETTINGS = {
    "aimclr": TrainConfig(epochs=100, batch_size=128, lr=0.1, weight_decay=1e-4, milestones=(80,)),
    "scdnet": TrainConfig(epochs=80, batch_size=64, lr=0.01, weight_decay=1e-4, milestones=(50, 70)),
    "usdrl": TrainConfig(
        epochs=160, batch_size=356, optimizer="adam", lr=5e-4, weight_decay=1e-5, milestones=(120, 140)
    ),
}
# Few clips make few steps, too few for SGD at rates that were found on large data. Where an epoch has fewer
# batches than these, it gets as many smaller ones, and Adam at USDRL's rate, whose steps do not depend on the
# gradients' scale. With a fifth of the labels of three of UTD-MHAD's training subjects, tested on the fourth,
# 30 epochs give SCD-Net 51.9 instead of 37.0 %, AimCLR 50.0 instead of 44.4, USDRL 75.9 instead of 80.6.
LEAST_BATCHES, LEAST_BATCH = 8, 16


def settings_for(
    method: str,
    clips: int,
    *,
    epochs: int | None = None,
    lr: float | None = None,
    batch_size: int | None = None,
) -> TrainConfig:
    """The settings of a method for so many labelled clips; AimCLR's, the field's usual ones, for any other.

    Args:
        method: its name.
        clips: labelled ones to train on.
        epochs: instead of the method's; its milestones move in proportion.
        lr: instead of the method's.
        batch_size: instead of the method's.

    Raises:
        KinemeError: an override has no meaning.
    """
    for name, value in (("epochs", epochs), ("lr", lr), ("batch-size", batch_size)):
        if value is not None and value <= 0:
            raise KinemeError(f"--{name} {value}: must be over 0")
    settings = SETTINGS.get(method, SETTINGS["aimclr"])
    if clips < LEAST_BATCHES * settings.batch_size:
        smaller = max(LEAST_BATCH, clips // LEAST_BATCHES)
        batch = min(smaller, settings.batch_size)
        settings = replace(settings, batch_size=batch, optimizer="adam", lr=5e-4, weight_decay=1e-5)
    if epochs is not None:
        moved = tuple(round(milestone * epochs / settings.epochs) for milestone in settings.milestones)
        settings = replace(settings, epochs=epochs, milestones=moved)
    return replace(settings, lr=lr or settings.lr, batch_size=batch_size or settings.batch_size)


def finetune(
    task: Task,
    *,
    epochs: int | None = None,
    lr: float | None = None,
    batch_size: int | None = None,
    from_scratch: bool = False,
    seed: int = 0,
) -> tuple[Result, Predictions]:
    """Fine-tuning on every labelled training clip: the last epoch, and the one best on the test clips.

    Args:
        task: what is trained and measured on which clips.
        epochs: passes over the clips, instead of the method's; its milestones move along.
        lr: learning rate, instead of the method's.
        batch_size: clips a step, instead of the method's.
        from_scratch: train a freshly initialised encoder alike, as the supervised baseline.
        seed: of the linear layer, the order, the views and the fresh encoder.

    Raises:
        KinemeError: a setting has no meaning, or the training diverges.
    """
    began = perf_counter()
    own = partial(settings_for, task.pretrained.method, epochs=epochs, lr=lr, batch_size=batch_size)
    settings = replace(own(len(task.train)), seed=seed)
    beginnings = _beginnings(task, from_scratch)
    outcomes = {}
    with _progress(len(beginnings) * settings.epochs * len(task.train)) as advance:
        for row, begin in beginnings.items():
            found = classify(
                task, begin(seed), task.train, settings, every=EVALUATE_EVERY, advance=advance(row)
            )
            best = max(found, key=lambda each: each.top1)  # of equals the first
            outcomes[row] = {
                name: Outcome.of(each.scores, task.test_labels, each.epoch)
                for name, each in (("last", found[-1]), ("best", best))
            }
    return report(
        task,
        outcomes,
        "finetune",
        _described(settings, task),
        seed,
        detailed="last",
        seconds=perf_counter() - began,
    )


def semi(
    task: Task,
    *,
    fractions: Sequence[float] = FRACTIONS,
    seeds: int = 3,
    epochs: int | None = None,
    lr: float | None = None,
    batch_size: int | None = None,
    from_scratch: bool = False,
    seed: int = 0,
) -> Result:
    """Fine-tuning on few labels: mean and standard deviation over draws of them, last epoch.

    There is no best epoch: chosen on the test clips, it would use more labels than it was given.

    Args:
        task: what is trained and measured on which clips.
        fractions: shares of the training labels, each over 0 and at most 1.
        seeds: how many draws; every other random thing is drawn anew with them.
        epochs: passes over the clips, instead of the method's; its milestones move along.
        lr: learning rate, instead of the method's.
        batch_size: clips a step, instead of the method's.
        from_scratch: train a freshly initialised encoder alike, as the supervised baseline.
        seed: the first of the seeds, which follow one another.

    Raises:
        KinemeError: a setting has no meaning, or the training diverges.
    """
    if seeds < 1 or not fractions:
        raise KinemeError("nothing to average; --seeds must be at least 1, and --fractions name one")
    began = perf_counter()
    own = partial(settings_for, task.pretrained.method, epochs=epochs, lr=lr, batch_size=batch_size)
    draws = {
        fraction: [
            label_subset(task.train, task.labels, fraction, each) for each in range(seed, seed + seeds)
        ]
        for fraction in fractions
    }
    settings = {fraction: own(len(drawn[0])) for fraction, drawn in draws.items()}
    beginnings = _beginnings(task, from_scratch)
    work = sum(settings[fraction].epochs * seeds * len(drawn[0]) for fraction, drawn in draws.items())
    outcomes: dict[str, dict[str, Outcome]] = {}
    with _progress(len(beginnings) * work) as advance:
        for row, begin in beginnings.items():
            outcomes[row] = {}
            for fraction, drawn in draws.items():
                found = []
                for each, rows in enumerate(drawn, start=seed):
                    name = f"{row}, {_percent(fraction)} of the labels, seed {each}"
                    train = replace(settings[fraction], seed=each)
                    found += classify(task, begin(each), rows, train, advance=advance(name))
                outcomes[row][_percent(fraction)] = _mean(found, task.test_labels)
    described = {
        _percent(fraction): {"clips": len(draws[fraction][0]), **_described(train, task)}
        for fraction, train in settings.items()
    }
    result, _ = report(
        task,
        outcomes,
        "semi",
        {"seeds": seeds, "training": described},
        seed,
        detailed=_percent(max(fractions)),
        seconds=perf_counter() - began,
    )
    return result


def _beginnings(task: Task, from_scratch: bool) -> dict[str, Callable[[int], Model]]:
    """Row of the table → the encoder that training begins with, by seed."""
    scratch = {SCRATCH: partial(random_like, task.pretrained)} if from_scratch else {}
    return {**scratch, PRETRAINED: lambda seed: task.pretrained}


def _mean(found: Sequence[Epoch], labels: Array) -> Outcome:
    """The outcome of several seeds: the mean figure, its deviation and the interval over the test clips."""
    each = [Score.of(one.scores, labels, one.epoch) for one in found]
    predicted = np.stack([one.scores.argmax(axis=1) for one in found])
    values = tuple(score.value for score in each)
    ranked = [score.top5 for score in each if score.top5 is not None]
    score = replace(
        Score.of_hits((predicted == labels).mean(axis=0)),
        top5=float(np.mean(ranked)) if ranked else None,
        epoch=each[-1].epoch,
        deviation=float(np.std(values, ddof=1)) if len(values) > 1 else None,
        values=values,
    )
    return Outcome(score, predicted)


def _described(settings: TrainConfig, task: Task) -> dict[str, Any]:
    """What of the settings decides the result."""
    names = ("epochs", "batch_size", "optimizer", "lr", "weight_decay", "schedule", "milestones")
    _, precision = resolve_device(where_measured(settings, task))
    return {**{name: getattr(settings, name) for name in names}, "precision": precision}


def _percent(fraction: float) -> str:
    return f"{100 * fraction:g} %"


@contextmanager
def _progress(clips: int) -> Iterator[Callable[[str], Callable[[int], None]]]:
    """One bar over all that is trained, in clips; gives what moves it, under a description."""
    columns = ("{task.description}", BarColumn(), "{task.percentage:>3.0f}%")
    with Progress(
        *columns,
        TimeElapsedColumn(),
        "left",
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task("", total=clips)

        def under(description: str) -> Callable[[int], None]:
            bar.update(task, description=description)
            return lambda done: bar.advance(task, done)

        yield under
