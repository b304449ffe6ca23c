"""Recognition on frozen features: an encoder, a random one and raw coordinates, measured alike.

`linear`, `knn` and `transfer` give a `Result` and, for every test clip, `Predictions`; the commands print and
keep them, the demo draws them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import numpy as np
from rich.console import Console

from kineme.evaluation.features import extract, raw_coordinates
from kineme.evaluation.linear import SGDSettings, logistic, settings_for, sgd
from kineme.evaluation.results import (
    PRETRAINED,
    RANDOM,
    RAW,
    Predictions,
    Result,
    Score,
    per_class,
)
from kineme.evaluation.task import Task
from kineme.metrics.accuracy import bootstrap_interval
from kineme.metrics.neighbours import nearest_label
from kineme.metrics.ranking import Ranking, rank
from kineme.model import Model, random_like
from kineme.typing import Array

RECALL_AT = (5, 10)  # recall@1 is the figure of one neighbour


@dataclass(frozen=True)
class Outcome:
    """What a probe says of the test clips.

    Attributes:
        score: its figure.
        predicted: (N',) classes; (seeds, N') where the score is a mean over several seeds; None where
            nothing is predicted.
        scores: (N', classes), greater is likelier; None where a protocol only names a class.
    """

    score: Score
    predicted: Array | None = None
    scores: Array | None = None

    @classmethod
    def of(cls, scores: Array, labels: Array, epoch: int | None = None) -> Outcome:
        """Of class scores (N', classes) for clips of these (N',) true classes."""
        return cls(Score.of(scores, labels, epoch), scores.argmax(axis=1), scores)


# Features of the training and of the test clips → what each probe found.
Measure = Callable[[Array, Array], dict[str, Outcome]]


def linear(
    task: Task, *, seed: int = 0, lr: float | None = None, baselines: bool = True
) -> tuple[Result, Predictions]:
    """Linear evaluation: the method's published SGD probe, and a logistic regression.

    Args:
        task: what is measured on which clips.
        seed: of the probe and of the random encoder.
        lr: learning rate of the SGD probe, instead of the method's published one.
        baselines: measure a random encoder and raw coordinates beside it.
    """
    settings = _sgd_settings(task, lr)
    probes = _probes(task, settings, seed)
    return _evaluate(task, probes, "linear", asdict(settings), seed, baselines, detailed="last")


def knn(task: Task, *, k: int = 1, seed: int = 0, baselines: bool = True) -> tuple[Result, Predictions]:
    """Retrieval: the label of the nearest training clips by cosine similarity, and their whole ranking.

    `recall@k` is the share of test clips with a clip of their class among the k nearest training clips, `mAP`
    the mean average precision of the ranking; see `ranking.Ranking`.

    Args:
        task: what is measured on which clips.
        k: neighbours that vote.
        seed: of the random encoder.
        baselines: measure a random encoder and raw coordinates beside it.
    """

    return _evaluate(task, _retrieval(task, k), "knn", {"k": k}, seed, baselines, detailed="knn")


def transfer(
    task: Task, *, seed: int = 0, lr: float | None = None, baselines: bool = True
) -> tuple[Result, Predictions]:
    """Linear evaluation and retrieval, by one neighbour, on another data set than that of the pre-training.

    Args:
        task: what is measured on which clips.
        seed: of the probe and of the random encoder.
        lr: learning rate of the SGD probe, instead of the method's published one.
        baselines: measure a random encoder and raw coordinates beside it.
    """
    sgd_settings = _sgd_settings(task, lr)
    probes, retrieval = _probes(task, sgd_settings, seed), _retrieval(task, k=1)

    def measure(train: Array, test: Array) -> dict[str, Outcome]:
        return {**probes(train, test), **retrieval(train, test)}

    settings = {"linear": asdict(sgd_settings), "knn": {"k": 1}}
    return _evaluate(task, measure, "transfer", settings, seed, baselines, detailed="last")


def _sgd_settings(task: Task, lr: float | None) -> SGDSettings:
    settings = settings_for(task.pretrained.method)
    return settings if lr is None else replace(settings, lr=lr)


def _probes(task: Task, settings: SGDSettings, seed: int) -> Measure:
    """The linear probes on the clips of a task."""

    def measure(train: Array, test: Array) -> dict[str, Outcome]:
        classes = len(task.store.manifest.class_names)
        scores = logistic(train, task.labels, test, classes)
        last, best = sgd(
            train, task.labels, test, task.test_labels, classes, settings, seed=seed, device=task.device
        )
        return {
            "logistic": Outcome.of(scores, task.test_labels),
            "last": Outcome.of(last.scores, task.test_labels, last.epoch),
            "best": Outcome.of(best.scores, task.test_labels, best.epoch),
        }

    return measure


def _retrieval(task: Task, k: int) -> Measure:
    """The nearest neighbours and the ranking of the clips of a task; says which clips cannot be ranked."""
    sought = np.isin(task.test_labels, task.labels)
    if not sought.all():
        Console(stderr=True).print(
            f"{np.sum(~sought)} test clips are of classes that no training clip has: recall and mAP are of "
            f"the other {np.sum(sought)}",
            highlight=False,
            soft_wrap=True,
        )

    def measure(train: Array, test: Array) -> dict[str, Outcome]:
        predicted = nearest_label(train, task.labels, test, k=k, device=task.device)
        found = rank(train, task.labels, test, task.test_labels, device=task.device)
        return {
            "knn": Outcome(Score.of_hits(predicted == task.test_labels), predicted),
            **{name: Outcome(score) for name, score in _of_ranking(found).items()},
        }

    return measure


def _of_ranking(found: Ranking) -> dict[str, Score]:
    """Recall and mean average precision; none where no test clip has anything to be found."""
    if len(found.queries) == 0:
        return {}
    precision = 100 * found.average_precision
    return {
        **{f"recall@{k}": Score.of_hits(found.first <= k) for k in RECALL_AT},
        "mAP": Score(float(precision.mean()), bootstrap_interval(precision)),
    }


def _evaluate(
    task: Task,
    measure: Measure,
    protocol: str,
    settings: dict[str, Any],
    seed: int,
    baselines: bool,
    *,
    detailed: str,
) -> tuple[Result, Predictions]:
    """Measures the encoder and its baselines alike."""
    began = perf_counter()
    notes = Console(stderr=True)
    outcomes = {}
    for row, train, test in _representations(task, seed, baselines):
        with notes.status(f"{protocol}: {row}"):
            outcomes[row] = measure(train, test)
    return report(task, outcomes, protocol, settings, seed, detailed=detailed, seconds=perf_counter() - began)


def report(
    task: Task,
    outcomes: Mapping[str, Mapping[str, Outcome]],
    protocol: str,
    settings: Mapping[str, Any],
    seed: int,
    *,
    detailed: str,
    seconds: float,
) -> tuple[Result, Predictions]:
    """The result of a protocol, and what the encoder said of every test clip.

    Args:
        task: what was measured on which clips.
        outcomes: row of the table (`PRETRAINED` and baselines) → probe → what it found.
        protocol: its name.
        settings: the protocol's.
        seed: all draws followed from it.
        detailed: the probe to which the per-class figures belong.
        seconds: that it took.
    """
    pretrained, manifest = task.pretrained, task.store.manifest
    scores = {row: {name: each.score for name, each in found.items()} for row, found in outcomes.items()}
    own = outcomes[PRETRAINED]
    predicted = own[detailed].predicted
    assert predicted is not None, detailed
    labels = np.broadcast_to(task.test_labels, predicted.shape)
    predictions = Predictions(
        names=task.store.names[task.test],
        labels=task.test_labels,
        # The best epoch was chosen on these very clips, so nothing may be built upon it.
        scores={
            name: each.scores for name, each in own.items() if each.scores is not None and name != "best"
        },
    )
    result = Result(
        protocol=protocol,
        **task.described(),
        crop=pretrained.crop,
        settings=settings,
        seed=seed,
        scores=scores.pop(PRETRAINED),
        baselines=scores,
        detailed=detailed,
        class_names=manifest.class_names,
        **per_class(labels.ravel(), predicted.ravel(), len(manifest.class_names)),
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(seconds, 1),
    )
    return result, predictions


def _representations(task: Task, seed: int, baselines: bool) -> Iterator[tuple[str, Array, Array]]:
    """(row of the table, training features, test features), one after another to hold only one in memory."""

    def features(pretrained: Model, rows: Array) -> Array:
        return extract(
            pretrained,
            task.store,
            rows,
            device=task.device,
            allow_preprocessing=task.allow_preprocessing,
            cache=task.run / "features",
        )

    if baselines:
        yield RAW, raw_coordinates(task.store, task.train), raw_coordinates(task.store, task.test)
        random = random_like(task.pretrained, seed)
        yield RANDOM, features(random, task.train), features(random, task.test)
    yield PRETRAINED, features(task.pretrained, task.train), features(task.pretrained, task.test)
