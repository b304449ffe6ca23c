"""Few-shot recognition: a clip gets the class of its nearest exemplar; a class has one exemplar or a few.

Nothing is trained: the encoder is frozen, and the exemplars' features are all that is known of their classes.
On NTU RGB+D 120 with the split `oneshot`, the exemplars are those of the data set's one-shot protocol (Liu et
al., TPAMI 2019, arXiv 1905.04757); elsewhere they are drawn.

Deviation: the field's encoders are trained with the labels of the 100 other classes; here they see no labels.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kineme.clips.splits import ONE_SHOT, ONE_SHOT_EXEMPLARS
from kineme.errors import KinemeError, check_positive
from kineme.evaluation.recognition import Outcome, evaluated
from kineme.evaluation.results import Predictions, Result, Score
from kineme.evaluation.task import Task
from kineme.metrics.neighbours import nearest_label
from kineme.progress import Progress, silent
from kineme.typing import Array

DRAWS = 20


def fewshot(
    task: Task,
    *,
    shots: int = 1,
    draws: int = DRAWS,
    seed: int = 0,
    baselines: bool = True,
    progress: Progress = silent,
) -> tuple[Result, Predictions]:
    """The class of the nearest exemplar by cosine similarity: top-1, mean and deviation over the draws.

    Args:
        task: what is measured on which clips; with the split `oneshot`, novel classes that pre-training on
            its training part has not seen.
        shots: exemplars per class, drawn from the training part; all clips of a class that has fewer.
        draws: how often they are drawn.
        seed: of the first draw, which the others follow; and of the random encoder.
        baselines: also measure a random encoder and raw coordinates.
        progress: called with the clips done and in total: each is encoded, and each is probed.

    Raises:
        KinemeError: `shots` or `draws` is not above 0, or the split names the exemplars, and they are missing
            or their number differs from `shots`.

    >>> import kineme
    >>> task = kineme.protocols.open_task(example_run)
    >>> result, predictions = kineme.protocols.fewshot(task, draws=3, baselines=False)
    >>> len(result.scores["1 shot"].values)
    3
    """
    check_positive(shots=shots, draws=draws)
    named = ONE_SHOT in task.split.split("+")
    if named and shots != 1:
        raise KinemeError(f"`shots`: split {ONE_SHOT} names one exemplar of each class; leave it out")
    if named:
        task = with_named_exemplars(task)
        chosen = [np.arange(len(task.train_rows))]
    else:
        chosen = [exemplars(task.train_labels, shots, each) for each in range(seed, seed + draws)]
    name = f"{shots} shot" + "s" * (shots > 1)

    def measure(train: Array, test: Array, _: Progress) -> dict[str, Outcome]:
        found = [
            nearest_label(train[each], task.train_labels[each], test, device=task.device) for each in chosen
        ]
        return {name: _over_draws(np.stack(found), task.test_labels)}

    settings = {
        "shots": shots,
        "draws": len(chosen),
        "exemplars": "named by the data set" if named else "drawn",
    }
    return evaluated(task, measure, "fewshot", settings, seed, name, baselines, progress)


def exemplars(labels: Array, shots: int, seed: int) -> Array:
    """Places of `shots` clips of each class among (N,) labels, drawn from a seed, in order."""
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    _, first, counts = np.unique(labels[order], return_index=True, return_counts=True)
    rank = np.arange(len(order)) - np.repeat(first, counts)
    return np.sort(order[rank < shots])


def with_named_exemplars(task: Task) -> Task:
    """The task with the exemplars of the one-shot protocol to go by, and the other novel clips to test on.

    Raises:
        KinemeError: an exemplar is not in the store.
    """
    names, labels = task.store.names[task.test_rows], task.test_labels
    given = np.isin(names, ONE_SHOT_EXEMPLARS)
    if missing := sorted(set(ONE_SHOT_EXEMPLARS) - set(names[given].tolist())):
        raise KinemeError(
            f"{task.store.path}: has no clip {missing[0]}, an exemplar of the split {ONE_SHOT}; prepare "
            "the whole data set"
        )
    return replace(
        task,
        train_rows=task.test_rows[given],
        train_labels=labels[given],
        test_rows=task.test_rows[~given],
        test_labels=labels[~given],
    )


def _over_draws(predicted: Array, labels: Array) -> Outcome:
    """Of predictions (draws, N') of clips of these classes."""
    hits = predicted == labels
    score = Score.of_hits(hits.mean(axis=0))
    if len(predicted) == 1:
        return Outcome(score, predicted[0])
    values = 100 * hits.mean(axis=1)
    several = replace(score, deviation=float(values.std(ddof=1)), values=tuple(values.tolist()))
    return Outcome(several, predicted)
