"""Robustness: a probe trained on clean clips, tested on clips that a worse sensor might have recorded.

Test clips are perturbed after their preprocessing, see `perturbing.py`; so whatever preprocessing would undo,
such as a turn, is not undone. Encoders that can leave out joints are told which are missing; others, and raw
coordinates, see them where their neighbours are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from time import perf_counter
from typing import Any

import numpy as np
import torch

from kineme.clips.batches import resident
from kineme.evaluation.features import raw_coordinates, raw_of
from kineme.evaluation.linear import logistic
from kineme.evaluation.perturbing import SEVERITIES, Change, body_height, missing_joints, perturbations
from kineme.evaluation.recognition import Outcome, compared, report
from kineme.evaluation.results import Predictions, Result, Score
from kineme.evaluation.task import Task
from kineme.metrics.neighbours import nearest_label
from kineme.model import Model
from kineme.progress import Progress, share, silent, within
from kineme.typing import Array

CLEAN = "clean"
KNN = ", kNN"  # after a condition, in the name of a score
# Where there is no room for all.
SHOWN = (CLEAN, "joints missing", "jitter 3 %", "80 % of frames dropped", "turned by 30°")
BATCH = 256  # clips that are perturbed together; draws depend on it


def robust(
    task: Task, *, seed: int = 0, baselines: bool = True, progress: Progress = silent
) -> tuple[Result, Predictions]:
    """Top-1 of clean test clips and under each perturbation, by probes trained on clean clips.

    Scores are named by condition: `clean` and `jitter 1 %` for a logistic regression, `clean, kNN` for the
    nearest training clip.

    Args:
        task: what is measured on which clips.
        seed: of the perturbations and of the random encoder.
        baselines: also measure a random encoder and raw coordinates.
        progress: called with the clips done and in total: each is encoded once for each condition.

    >>> import kineme
    >>> task = kineme.protocols.open_task(example_run)
    >>> result, predictions = kineme.protocols.robust(task, baselines=False)
    >>> [name for name in result.scores if "missing" in name or "clean" in name]
    ['clean', 'clean, kNN', 'joints missing', 'joints missing, kNN']
    """
    began = perf_counter()
    up = task.store.manifest.preprocessing.up
    height = body_height(resident(task.store, task.train_rows), up)
    conditions = perturbations(task.store.layout, height, up)
    rows = compared(task, seed, baselines)
    work = len(task.train_rows) + (1 + len(conditions)) * len(task.test_rows)
    outcomes: dict[str, dict[str, Outcome]] = {}
    for number, (row, model) in enumerate(rows.items()):
        train, *tests = _features(
            task, model, conditions, seed, share(progress, number * work, work, len(rows) * work)
        )
        outcomes[row] = _probed(task, train, np.concatenate(tests), [CLEAN, *conditions])
    return report(
        task, outcomes, "robust", described(height, missing_joints(task.store.layout)), seed, CLEAN, began
    )


def described(height: float, missing: int) -> dict[str, Any]:
    """The settings of a result."""
    return {
        "perturbed": "preprocessed test clips",
        "joints_missing": missing,
        **SEVERITIES,
        "body_height": height,
    }


def _features(
    task: Task, model: Model | None, conditions: Mapping[str, Change], seed: int, progress: Progress
) -> Iterator[Array]:
    """Of the training clips, the clean test clips, and the test clips under each condition."""
    train, test = task.train_rows, task.test_rows
    total = len(train) + (1 + len(conditions)) * len(test)
    done = 0
    for part in (train, test):
        if model is None:
            yield raw_coordinates(task.store, part)
        else:
            yield task.features(model, part, progress=within(progress, done, total))
        done += len(part)
    placed = None if model is None else model.on(task.device)
    clips = resident(task.store, test, task.device)
    for number, change in enumerate(conditions.values()):
        draws = np.random.SeedSequence((seed, number)).generate_state(1, np.uint64)[0]
        generator = torch.Generator(task.device).manual_seed(int(draws >> np.uint64(1)))
        parts = []
        for first in range(0, len(clips), BATCH):
            changed = change(clips[first : first + BATCH], generator)
            if placed is None:
                parts.append(raw_of(changed, task.store.layout))
            else:
                parts.append(placed.encode(changed, device=task.device))
            done += len(changed)
            progress(done, total)
        yield np.concatenate(parts)


def _probed(task: Task, train: Array, tests: Array, conditions: Sequence[str]) -> dict[str, Outcome]:
    """What probes of the training clips say of test clips that were shown under each of the conditions."""
    labels, truth = task.train_labels, task.test_labels
    scores = logistic(train, labels, tests, task.classes, device=task.device)
    nearest = nearest_label(train, labels, tests, device=task.device)
    found: dict[str, Outcome] = {}
    count = len(conditions)
    for name, likely, near in zip(conditions, np.split(scores, count), np.split(nearest, count), strict=True):
        found[name] = Outcome.of(likely, truth)
        found[name + KNN] = Outcome(Score.of_hits(near == truth), near)
    return found
