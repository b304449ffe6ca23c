"""Few labels on a frozen encoder: linear probes fitted to a share of the labelled training clips.

This is what the released program of USDRL's journal version measures as semi-supervised. In the paper itself,
as in other papers, the encoder is fine-tuned: that is `finetune.semi`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from kineme.clips.subsets import label_subset
from kineme.errors import KinemeError
from kineme.evaluation.finetune import FRACTIONS, SEEDS, check_draws, mean, percent
from kineme.evaluation.linear import Epoch, logistic, sgd, with_rate
from kineme.evaluation.recognition import Outcome, evaluated
from kineme.evaluation.results import Predictions, Result
from kineme.evaluation.task import Task
from kineme.progress import Progress, silent
from kineme.typing import Array


def frozen(
    task: Task,
    *,
    fractions: Sequence[float] = FRACTIONS,
    seeds: int = SEEDS,
    lr: float | None = None,
    seed: int = 0,
    baselines: bool = True,
    progress: Progress = silent,
) -> tuple[Result, Predictions]:
    """Linear probes on few labels: mean and standard deviation over draws of them.

    `1 %` is the recipe's SGD probe, last epoch; `1 % logistic` is a logistic regression, which suits few
    clips better. Labels are drawn as in fine-tuning: from each class, or from all if the recipe says so.

    Args:
        task: what is measured on which clips.
        fractions: shares of the training labels, each above 0 and at most 1.
        seeds: number of draws.
        lr: learning rate of the SGD probe, instead of the recipe's.
        seed: the first of the consecutive seeds.
        baselines: also measure a random encoder and raw coordinates.
        progress: called with the clips done and in total: each is encoded, and each is probed.

    Raises:
        KinemeError: no rate is set, or a draw has clips of one class only.

    >>> import kineme
    >>> task = kineme.protocols.open_task(example_run)
    >>> result, _ = kineme.protocols.frozen(task, fractions=[0.5], baselines=False)
    >>> list(result.scores)
    ['50 %', '50 % logistic']
    """
    check_draws(seeds, fractions)
    probe = with_rate(task.model.protocols.linear, "linear", lr, task.run)
    draws = {
        fraction: [_drawn(task, fraction, each) for each in range(seed, seed + seeds)]
        for fraction in fractions
    }

    def measure(train: Array, test: Array, progress: Progress) -> dict[str, Outcome]:
        outcomes, labels = {}, task.test_labels
        done, total = 0, seeds * len(draws)
        for fraction, drawn in draws.items():
            by_sgd: list[Epoch] = []
            by_regression = []
            for each, places in enumerate(drawn, start=seed):
                x, y = train[places], task.train_labels[places]
                last, _ = sgd(x, y, test, labels, task.classes, probe, seed=each, device=task.device)
                by_sgd.append(last)
                by_regression.append(logistic(x, y, test, task.classes, device=task.device))
                done += 1
                progress(done, total)
            rates = [last.rate for last in by_sgd if last.rate is not None]
            outcomes[percent(fraction)] = mean([last.scores for last in by_sgd], labels, probe.epochs, rates)
            outcomes[f"{percent(fraction)} logistic"] = mean(by_regression, labels)
        return outcomes

    clips = {percent(fraction): len(drawn[0]) for fraction, drawn in draws.items()}
    settings = {"probe": asdict(probe), "seeds": seeds, "clips": clips}
    most = percent(max(fractions))
    return evaluated(task, measure, "semi-frozen", settings, seed, most, baselines, progress)


def _drawn(task: Task, fraction: float, seed: int) -> Array:
    """Places of a share of the labelled clips among the training clips."""
    by_class = task.model.protocols.finetune.draw == "class"
    rows = label_subset(task.train_rows, task.train_labels, fraction, seed, by_class=by_class)
    places: Array = np.flatnonzero(np.isin(task.train_rows, rows))
    if len(np.unique(task.train_labels[places])) < 2:
        raise KinemeError(f"{percent(fraction)} of the labels are of one class alone; raise `fractions`")
    return places
