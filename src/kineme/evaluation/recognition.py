"""Recognition on frozen features: a pre-trained encoder, a random one and raw coordinates, on equal terms.

`linear`, `knn` and `transfer` return a `Result` and, for every test clip, `Predictions`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import numpy as np

from kineme.config import LinearConfig
from kineme.evaluation.features import raw_coordinates
from kineme.evaluation.linear import logistic, sgd, with_rate
from kineme.evaluation.results import PRETRAINED, RANDOM, RAW, Predictions, Result, Score, details
from kineme.evaluation.task import Task
from kineme.metrics.accuracy import bootstrap_interval
from kineme.metrics.neighbours import nearest_label
from kineme.metrics.ranking import Ranks, rank
from kineme.model import Model, random_like
from kineme.progress import Progress, share, silent, within
from kineme.typing import Array

logger = logging.getLogger(__name__)

RECALL_AT = (5, 10)  # recall@1 is the figure of one neighbour


@dataclass(frozen=True)
class Outcome:
    """What a probe says of the test clips.

    Attributes:
        score: its figure.
        predicted: (N',) classes; (seeds, N') where the score is a mean over several seeds; None where
            nothing is predicted.
        scores: (N', classes), higher is more likely; None if a protocol only names a class.
    """

    score: Score
    predicted: Array | None = None
    scores: Array | None = None

    @classmethod
    def of(cls, scores: Array, labels: Array, epoch: int | None = None, rate: float | None = None) -> Outcome:
        """Of class scores (N', classes) for clips of these (N',) true classes."""
        return cls(Score.of(scores, labels, epoch, rate), scores.argmax(axis=1), scores)


# Features of the training and of the test clips → what each probe found.
Measure = Callable[[Array, Array, Progress], dict[str, Outcome]]


def linear(
    task: Task,
    *,
    seed: int = 0,
    lr: float | None = None,
    baselines: bool = True,
    progress: Progress = silent,
) -> tuple[Result, Predictions]:
    """Linear evaluation: the published SGD probe, and a logistic regression.

    Args:
        task: what is measured on which clips.
        seed: of the probe and of the random encoder.
        lr: learning rate of the SGD probe, instead of the recipe's.
        baselines: also measure a random encoder and raw coordinates.
        progress: called with the clips done and in total: each is encoded, and each is probed.

    Raises:
        KinemeError: no learning rate is set.
    """
    settings = with_rate(task.model.protocols.linear, "linear", lr, task.run)
    probes = _probes(task, settings, seed)
    return evaluated(task, probes, "linear", asdict(settings), seed, "last", baselines, progress)


def knn(
    task: Task, *, k: int = 1, seed: int = 0, baselines: bool = True, progress: Progress = silent
) -> tuple[Result, Predictions]:
    """Retrieval: the label of the nearest training clips by cosine similarity, and their whole ranking.

    `recall@k` is the share of test clips with a clip of their class among the k nearest training clips, and
    `mAP` is the mean average precision of the ranking; see `ranking.Ranks`.

    Args:
        task: what is measured on which clips.
        k: neighbours that vote.
        seed: of the random encoder.
        baselines: also measure a random encoder and raw coordinates.
        progress: called with the clips done and in total: each is encoded, and each is probed.
    """
    return evaluated(task, _retrieval(task, k), "knn", {"k": k}, seed, "knn", baselines, progress)


def transfer(
    task: Task,
    *,
    seed: int = 0,
    lr: float | None = None,
    baselines: bool = True,
    progress: Progress = silent,
) -> tuple[Result, Predictions]:
    """Linear evaluation and retrieval, with one neighbour, on a data set other than that of pre-training.

    Arguments and errors are those of `linear`.
    """
    probe = with_rate(task.model.protocols.linear, "linear", lr, task.run)
    probes, retrieval = _probes(task, probe, seed), _retrieval(task, k=1)

    def measure(train: Array, test: Array, progress: Progress) -> dict[str, Outcome]:
        return {**probes(train, test, progress), **retrieval(train, test, silent)}

    settings = {"linear": asdict(probe), "knn": {"k": 1}}
    return evaluated(task, measure, "transfer", settings, seed, "last", baselines, progress)


def _probes(task: Task, settings: LinearConfig, seed: int) -> Measure:
    """The linear probes on the clips of a task."""
    labels, test_labels = task.train_labels, task.test_labels

    def measure(train: Array, test: Array, progress: Progress) -> dict[str, Outcome]:
        scores = logistic(
            train, labels, test, task.classes, device=task.device, progress=share(progress, 0, 50, 100)
        )
        meanwhile = share(progress, 50, 50, 100)
        last, best = sgd(
            train,
            labels,
            test,
            test_labels,
            task.classes,
            settings,
            seed=seed,
            device=task.device,
            progress=meanwhile,
        )
        return {
            "logistic": Outcome.of(scores, test_labels),
            "last": Outcome.of(last.scores, test_labels, last.epoch, last.rate),
            "best": Outcome.of(best.scores, test_labels, best.epoch, best.rate),
        }

    return measure


def _retrieval(task: Task, k: int) -> Measure:
    """The nearest neighbours and the ranking of the clips of a task; warns of clips that cannot be ranked."""
    labels, test_labels = task.train_labels, task.test_labels
    sought = np.isin(test_labels, labels)
    if not sought.all():
        logger.warning(
            "%d test clips belong to classes without training clips: recall and mAP are computed on the "
            "remaining %d",
            *(np.sum(~sought), np.sum(sought)),
        )

    def measure(train: Array, test: Array, _: Progress) -> dict[str, Outcome]:
        predicted = nearest_label(train, labels, test, k=k, device=task.device)
        ranks = rank(train, labels, test, test_labels, device=task.device)
        return {
            "knn": Outcome(Score.of_hits(predicted == test_labels), predicted),
            **{name: Outcome(score) for name, score in _of_ranks(ranks).items()},
        }

    return measure


def _of_ranks(ranks: Ranks) -> dict[str, Score]:
    """Recall and mean average precision; none where no test clip has anything to be found."""
    if len(ranks.queries) == 0:
        return {}
    precision = 100 * ranks.average_precision
    return {
        **{f"recall@{k}": Score.of_hits(ranks.first <= k) for k in RECALL_AT},
        "mAP": Score(float(precision.mean()), bootstrap_interval(precision)),
    }


def evaluated(
    task: Task,
    measure: Measure,
    protocol: str,
    settings: dict[str, Any],
    seed: int,
    detailed: str,
    baselines: bool,
    progress: Progress,
) -> tuple[Result, Predictions]:
    """Measures the encoder and its baselines in the same way.

    Args:
        task: what is measured on which clips.
        measure: from the features of training and of test clips to what each probe found.
        protocol, settings, seed, detailed: as of `report`.
        baselines: also measure a random encoder and raw coordinates.
        progress: called with the clips done and in total: each is encoded, and each is probed.
    """
    began = perf_counter()
    rows = compared(task, seed, baselines)
    clips = len(task.train_rows) + len(task.test_rows)
    done, total = 0, clips * sum(1 if model is None else 2 for model in rows.values())
    outcomes = {}
    for row, model in rows.items():
        train, test = _features(task, model, within(progress, done, total))
        done += 0 if model is None else clips
        outcomes[row] = measure(train, test, share(progress, done, clips, total))
        done += clips
        progress(done, total)
    return report(task, outcomes, protocol, settings, seed, detailed, began)


def compared(task: Task, seed: int, baselines: bool) -> dict[str, Model | None]:
    """Row of the table → what gives its features, None for raw coordinates; the task's own encoder last."""
    others = {RAW: None, RANDOM: random_like(task.model, seed)} if baselines else {}
    return {**others, PRETRAINED: task.model}


def report(
    task: Task,
    outcomes: Mapping[str, Mapping[str, Outcome]],
    protocol: str,
    settings: Mapping[str, Any],
    seed: int,
    detailed: str,
    began: float,
) -> tuple[Result, Predictions]:
    """The result of a protocol, and the encoder's scores of every test clip.

    Args:
        task: what was measured on which clips.
        outcomes: row of the table (`PRETRAINED` and baselines) → probe → what it found.
        protocol: its name.
        settings: the protocol's.
        seed: all draws followed from it.
        detailed: the probe to which the per-class figures and the metrics belong.
        began: `perf_counter()` at its beginning.
    """
    scores = {row: {name: each.score for name, each in found.items()} for row, found in outcomes.items()}
    own = outcomes[PRETRAINED]
    predicted = own[detailed].predicted
    assert predicted is not None, detailed
    labels = np.broadcast_to(task.test_labels, predicted.shape)
    predictions = Predictions(
        names=task.store.names[task.test_rows],
        labels=task.test_labels,
        # The best epoch was chosen on these very clips, so nothing may be built upon it.
        scores={
            name: each.scores for name, each in own.items() if each.scores is not None and name != "best"
        },
    )
    result = Result(
        protocol=protocol,
        **task.described(),
        crop=task.model.crop,
        settings=settings,
        seed=seed,
        scores=scores.pop(PRETRAINED),
        baselines=scores,
        detailed=detailed,
        class_names=task.store.manifest.class_names,
        **details(labels.ravel(), predicted.ravel(), task.classes, own[detailed].scores),
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(perf_counter() - began, 1),
    )
    return result, predictions


def _features(task: Task, model: Model | None, progress: Progress) -> tuple[Array, Array]:
    """Of the training and of the test clips; raw coordinates where there is no model."""
    train, test = task.train_rows, task.test_rows
    if model is None:
        return raw_coordinates(task.store, train), raw_coordinates(task.store, test)
    x = task.features(model, train, progress=progress)
    return x, task.features(model, test, progress=within(progress, len(train), len(train) + len(test)))
