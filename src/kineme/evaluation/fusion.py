"""Fusion of streams: the scores of runs on joints, bones and motion, added with weights.

Logits are added, as AimCLR's authors do: those of the SGD probe, and the log-probabilities of logistic
regression, which are logits up to a constant that all classes of a clip share. The weights are those of the
recipe: AimCLR published its own; the other papers use equal ones.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import product
from time import perf_counter
from typing import Any

import numpy as np

from kineme import __version__
from kineme.config import LinearConfig
from kineme.errors import KinemeError
from kineme.evaluation.linear import held_out, logistic, sgd
from kineme.evaluation.results import Predictions, Result, Score, details, source_commit
from kineme.evaluation.task import Task
from kineme.metrics.accuracy import top_k
from kineme.streams import STREAMS
from kineme.typing import Array

logger = logging.getLogger(__name__)

PROBES = ("logistic", "last")
STEPS = 10  # of a weight between 0 and 1 in a search
NEVER = -1e6  # instead of the -inf of a class that no training clip has, which no weight could take


@dataclass(frozen=True)
class Stream:
    """A run, and the scores of every test clip in its linear evaluation."""

    task: Task
    result: Result
    predictions: Predictions

    @property
    def name(self) -> str:
        """joint, bone or motion."""
        return self.task.model.stream


def open_stream(task: Task, *, seed: int = 0) -> Stream:
    """The linear evaluation of a run, as saved by `kineme evaluate linear`.

    Args:
        task: the run and the clips that it was measured on.
        seed: of that evaluation.

    Raises:
        KinemeError: there is none, or the run or the clips have changed since.
    """
    path = task.result_path("linear", seed=seed)
    predicted = path.with_suffix(".npz")
    again = f"evaluate it with: kineme evaluate linear {task.run}"
    if task.qualifiers or seed:
        again += " and the same options"
    if not path.is_file() or not predicted.is_file():
        raise KinemeError(f"{predicted}: no predictions of this run; {again}")
    result = Result.from_json(path)
    for what, then, now in (
        ("the weights of the run", result.weights, task.model.weights),
        ("the clips of the store", result.fingerprint, task.store.manifest.fingerprint),
    ):
        if then != now:
            raise KinemeError(f"{path}: {what} have changed since; {again}")
    return Stream(task, result, Predictions.load(predicted))


def check_alike(streams: Sequence[Stream]) -> None:
    """Refuses streams that cannot be fused.

    Raises:
        KinemeError: fewer than two, two of one stream, one that is of several already, or different methods,
            stores or splits.
    """
    if len(streams) < 2:
        raise KinemeError("name at least two runs to fuse, each trained on a different stream")
    first = streams[0]
    run, own = first.task.run, first.result
    known: dict[str, Stream] = {}
    for each in streams:
        other, its = each.task.run, each.result
        if each.name not in STREAMS:
            raise KinemeError(f"{other} was measured on {each.name} in one encoder; it needs no fusion")
        if (same := known.setdefault(each.name, each)) is not each:
            raise KinemeError(
                f"{other} and {same.task.run} were both trained on the {each.name} stream; fuse runs on "
                "different streams"
            )
        stores = first.task.store.path, each.task.store.path
        for what, alike, (one, another) in (
            ("trained by", own.method == its.method, (own.method, its.method)),
            ("measured on the store", own.fingerprint == its.fingerprint, stores),
            ("measured on the split", own.split == its.split, (own.split, its.split)),
        ):
            if not alike:
                raise KinemeError(
                    f"{run} was {what} {one}, {other} {what} {another}; fuse runs of one method, measured on "
                    "the same clips"
                )
        if sorted(first.predictions.names) != sorted(each.predictions.names):
            raise KinemeError(f"{other} was measured on other test clips than {run}")


def fuse(
    streams: Sequence[Stream],
    *,
    weights: Sequence[float] | None = None,
    search: bool = False,
    seed: int = 0,
) -> tuple[Result, Predictions]:
    """Adds the streams' scores of each test clip; clips are joined by their names.

    Args:
        streams: of one method, measured on the same clips.
        weights: one per stream; by default those of the first run's recipe.
        search: choose the weights on a held-out fifth of the training clips, for each probe.
        seed: of the held-out part and of the probes.

    Returns:
        The result, whose `baselines` are the single streams, and the sums.

    Raises:
        KinemeError: the streams cannot be fused, or there are not as many weights.
    """
    began = perf_counter()
    check_alike(streams)
    first = streams[0]
    names, labels = first.predictions.names, first.predictions.labels
    aligned = [_in_order(stream.predictions, names) for stream in streams]
    chosen = given_weights(streams, weights)
    held_out: dict[str, Any] | None = None
    by_probe = dict.fromkeys(PROBES, chosen)
    if search:
        by_probe, held_out = search_weights(streams, chosen, seed=seed)
    fused = {probe: add(np.stack([scores[probe] for scores in aligned]), by_probe[probe]) for probe in PROBES}
    settings = {
        "runs": {stream.name: str(stream.task.run) for stream in streams},
        "weights": {
            probe: dict(zip((s.name for s in streams), by_probe[probe], strict=True)) for probe in PROBES
        },
        "held_out": held_out,
    }
    seen = [stream.result.seen_clips for stream in streams]
    result = replace(
        first.result,
        protocol="fused",
        stream="+".join(stream.name for stream in streams),
        weights=hashlib.sha256(" ".join(stream.result.weights for stream in streams).encode()).hexdigest(),
        settings=settings,
        seed=seed,
        version=__version__,
        commit=source_commit(),
        scores={probe: Score.of(scores, labels) for probe, scores in fused.items()},
        baselines={s.name: {probe: s.result.scores[probe] for probe in PROBES} for s in streams},
        # By the stream that saw the most; that none was seen is known only if it is of all.
        seen_clips=max(clips or 0 for clips in seen) or (None if None in seen else 0),
        **details(labels, fused["last"].argmax(axis=1), len(first.result.class_names), fused["last"]),
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(perf_counter() - began, 1),
    )
    return result, Predictions(names, labels, fused)


def given_weights(streams: Sequence[Stream], weights: Sequence[float] | None) -> tuple[float, ...]:
    """The weights as given, or those of the first run's recipe.

    Raises:
        KinemeError: not one for each stream, a negative one, or nothing but zeros.
    """
    if weights is None:
        fusion = streams[0].task.model.protocols.fusion
        weights = [getattr(fusion, stream.name) for stream in streams]
    if len(weights) != len(streams):
        raise KinemeError(f"`weights`: {len(weights)} given for {len(streams)} runs; give one for each")
    if min(weights) < 0 or max(weights) == 0 or not np.isfinite(weights).all():
        raise KinemeError("`weights` must be at least 0, and not all of them 0")
    return tuple(weights)


def add(scores: Array, weights: Sequence[float]) -> Array:
    """(streams, N, classes) scores and a weight per stream → (N, classes)."""
    added: Array = np.einsum("s,snc->nc", np.asarray(weights, dtype=np.float64), np.maximum(scores, NEVER))
    return added


def search_weights(
    streams: Sequence[Stream], usual: Sequence[float], *, seed: int = 0
) -> tuple[dict[str, tuple[float, ...]], dict[str, Any]]:
    """The weights that do best on held-out training clips; test clips play no part.

    The probes are fitted to 80 % of the training clips of each class. The others share their people with
    these, so their accuracy is higher than that of test clips.

    Args:
        streams: of one method, measured on the same clips.
        usual: weights to compare with.
        seed: of the draw and of the probes.

    Returns:
        probe → weights, which sum to 1, and what the result tells about the search.

    Raises:
        KinemeError: no class has enough clips to hold one out.
    """
    first = streams[0].task
    fitted, held = held_out(first.train_labels, seed)
    if len(held) == 0:
        raise KinemeError(
            f"{first.store.path}: no class has enough training clips to hold one out; do not set `search`"
        )
    logger.info("fitting probes to %d of %d training clips", len(fitted), len(first.train_rows))
    found = [_held_out_scores(stream, fitted, held, seed) for stream in streams]
    chosen, accuracy, usually = {}, {}, {}
    for probe in PROBES:
        scores = np.stack([each[probe] for each in found])
        chosen[probe], accuracy[probe] = best_weights(scores, first.train_labels[held])
        usually[probe] = top_k(add(scores, usual), first.train_labels[held])
    said = {"clips": len(held), "top1": accuracy, "top1_of_usual_weights": usually}
    return chosen, said


def best_weights(scores: Array, labels: Array) -> tuple[tuple[float, ...], float]:
    """Of all weights in steps of 0.1 that sum to 1, those of the highest top-1; of equals the most even.

    Args:
        scores: (streams, N, classes).
        labels: (N,) true classes.

    Returns:
        the weights, and their top-1 in per cent.
    """
    shares = [each for each in product(range(STEPS + 1), repeat=len(scores)) if sum(each) == STEPS]
    weights = np.array(shares) / STEPS
    accuracy = np.array([top_k(add(scores, each), labels) for each in weights])
    unevenness = np.square(weights - 1 / len(scores)).sum(axis=1)
    best = np.lexsort((unevenness.round(9), -accuracy))[0]
    return tuple(weights[best].tolist()), float(accuracy[best])


def _held_out_scores(stream: Stream, fitted: Array, held: Array, seed: int) -> dict[str, Array]:
    """Probe → (held, classes) scores of probes fitted to other training clips, as they were in evaluation."""
    task, settings = stream.task, stream.result.settings
    features = task.features(task.model, task.train_rows)
    x, y = features[fitted], task.train_labels[fitted]
    x_held, y_held = features[held], task.train_labels[held]
    probe = LinearConfig(
        **{**settings, "milestones": tuple(settings["milestones"]), "rates": tuple(settings.get("rates", ()))}
    )
    last, _ = sgd(x, y, x_held, y_held, task.classes, probe, seed=seed, device=task.device)
    return {"logistic": logistic(x, y, x_held, task.classes, device=task.device), "last": last.scores}


def _in_order(predictions: Predictions, names: Array) -> Mapping[str, Array]:
    """Scores by probe, their rows in the order of these names."""
    order = np.argsort(predictions.names)
    rows = order[np.searchsorted(predictions.names, names, sorter=order)]
    return {probe: predictions.scores[probe][rows] for probe in PROBES}
