"""Early prediction: how soon a motion is recognised, from the first 10, 20, ... 100 % of its frames.

The encoder is frozen and the same for all shares: the visible part of a clip is resized to the encoder's
number of frames, like a whole clip. The probe is the recipe's linear one, last epoch. (Wang et al., arXiv
2508.12586.)

Deviation: the authors' encoder attends only to earlier frames in its temporal part. Here, future frames are
cut off before the encoder, which is what the figures depend on: it cannot see what it is not given.
"""

from __future__ import annotations

from dataclasses import asdict
from time import perf_counter
from typing import Any

import numpy as np

from kineme.config import LinearConfig
from kineme.evaluation.features import raw_coordinates
from kineme.evaluation.linear import sgd, with_rate
from kineme.evaluation.recognition import Outcome, compared, report
from kineme.evaluation.results import Predictions, Result, Score
from kineme.evaluation.task import Task
from kineme.model import Model
from kineme.progress import Progress, share, silent, within
from kineme.typing import Array

SHARES = tuple(range(10, 101, 10))  # per cent of a clip's frames
MEAN = "mean"  # over the shares
SHOWN = ("10 %", "50 %", "100 %", MEAN)  # where there is no room for all


def early(
    task: Task,
    *,
    whole: bool = False,
    seed: int = 0,
    lr: float | None = None,
    baselines: bool = True,
    progress: Progress = silent,
) -> tuple[Result, Predictions]:
    """Top-1 of test clips of which only the beginning is seen, by the share of frames: `10 %` to `100 %`.

    `mean` is the mean over these shares. A beginning has at least 3 frames. A recipe's `evaluate.crop` is not
    used: at 100 %, clips are seen whole.

    Args:
        task: what is measured on which clips.
        whole: fit a single probe, to whole training clips, as for a viewer who does not know how much is
            still to come; by default the probe of each share is fitted to training clips cut to that share.
        seed: of the probes and of the random encoder.
        lr: learning rate of the probes, instead of the recipe's.
        baselines: also measure a random encoder and raw coordinates.
        progress: called with the clips done and in total: each is encoded, and each is probed.

    Raises:
        KinemeError: no learning rate is set.

    >>> import kineme
    >>> task = kineme.protocols.open_task(example_run)
    >>> result, predictions = kineme.protocols.early(task, baselines=False)
    >>> list(result.scores)[:2], list(result.scores)[-2:]
    (['10 %', '20 %'], ['100 %', 'mean'])
    """
    began = perf_counter()
    settings = with_rate(task.model.protocols.linear, "linear", lr, task.run)
    rows = compared(task, seed, baselines)
    fits = [SHARES] if whole else [(seen,) for seen in SHARES]  # the shares that a probe is fitted for
    clips = len(task.train_rows) * len(fits) + len(task.test_rows) * len(SHARES)
    done, total = 0, 2 * clips * len(rows)
    outcomes: dict[str, dict[str, Outcome]] = {row: {} for row in rows}
    for row, model in rows.items():
        for shares in fits:
            features = []
            trained = (100 if whole else shares[0], task.train_rows)
            for cut, part in (trained, *((seen, task.test_rows) for seen in shares)):
                features.append(_features(task, model, part, cut, within(progress, done, total)))
                done += len(part)
            probed = sum(map(len, features))
            last, _ = sgd(
                features[0],
                task.train_labels,
                np.concatenate(features[1:]),
                np.tile(task.test_labels, len(shares)),
                task.classes,
                settings,
                seed=seed,
                device=task.device,
                progress=share(progress, done, probed, total),
            )
            for seen, scores in zip(shares, np.split(last.scores, len(shares)), strict=True):
                outcomes[row][f"{seen} %"] = Outcome.of(scores, task.test_labels, last.epoch, last.rate)
            done += probed
            progress(done, total)
        outcomes[row][MEAN] = _mean(outcomes[row], task.test_labels)
    return report(task, outcomes, "early", described(settings, whole), seed, f"{SHARES[-1]} %", began)


def described(probe: LinearConfig, whole: bool = False) -> dict[str, Any]:
    """The settings of a result."""
    return {"probe": asdict(probe), "fitted_to": "whole clips" if whole else "clips cut alike"}


def _features(task: Task, model: Model | None, rows: Array, seen: int, progress: Progress) -> Array:
    """Of the beginnings of clips; raw coordinates where there is no model."""
    if model is None:
        return raw_coordinates(task.store, rows, seen=seen)
    return task.features(model, rows, seen=seen, progress=progress)


def _mean(found: dict[str, Outcome], labels: Array) -> Outcome:
    """The mean accuracy over the shares, with its interval over the test clips."""
    hits = np.stack([each.predicted == labels for each in found.values()])
    return Outcome(Score.of_hits(hits.mean(axis=0)))
