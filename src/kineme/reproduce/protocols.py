"""The protocols as a grid calls them: what is measured, which settings that has, which scores are told."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from kineme.evaluation import finetune, linear, recognition
from kineme.evaluation.recognition import Task
from kineme.evaluation.results import Predictions, Result

SEEDS = 3  # draws of few labels

Found = tuple[Result, Predictions | None]


@dataclass(frozen=True)
class Protocol:
    """How a cell is measured.

    Attributes:
        measure: (task, seed, with baselines) → the result and the predictions it is of.
        settings: the settings that this result would have if it were measured now.
        scores: those of its scores that the table tells, the first of them for want of a result; none: all.
    """

    measure: Callable[[Task, int, bool], Found]
    settings: Callable[[Result], Any]
    scores: tuple[str, ...] = ()

    def settled(self, result: Result) -> bool:
        """Whether a result has the settings that it would have now."""
        return bool(json.loads(json.dumps(self.settings(result))) == result.settings)


def _linear(result: Result) -> Any:
    return asdict(linear.settings_for(result.method))


def _neighbour(result: Result) -> Any:
    return {"k": 1}


def _both(result: Result) -> Any:
    return {"linear": _linear(result), "knn": _neighbour(result)}


def _tuned(result: Result) -> Any:
    return _on_labels(result.method, result.train_clips, result.settings)


def _few(result: Result) -> Any:
    training = result.settings["training"]
    shares = {f"{100 * fraction:g} %" for fraction in finetune.FRACTIONS}
    if set(training) != shares:
        return None
    now = {share: _on_labels(result.method, kept["clips"], kept) for share, kept in training.items()}
    return {"seeds": SEEDS, "training": now}


def _on_labels(method: str, clips: int, kept: Mapping[str, Any]) -> dict[str, Any]:
    """What was kept of training on so many labels, as it would be now; the device decides the precision."""
    now = asdict(finetune.settings_for(method, clips))
    return {key: value if key == "precision" else now.get(key, value) for key, value in kept.items()}


PROTOCOLS = {
    "linear": Protocol(
        lambda task, seed, baselines: recognition.linear(task, seed=seed, baselines=baselines),
        _linear,
        ("last", "best", "logistic"),
    ),
    "knn": Protocol(
        lambda task, seed, baselines: recognition.knn(task, seed=seed, baselines=baselines),
        _neighbour,
        ("knn",),
    ),
    "finetune": Protocol(
        lambda task, seed, baselines: finetune.finetune(task, seed=seed, from_scratch=baselines),
        _tuned,
        ("last", "best"),
    ),
    "semi": Protocol(
        lambda task, seed, baselines: (
            finetune.semi(task, seeds=SEEDS, seed=seed, from_scratch=baselines),
            None,
        ),
        _few,
    ),
    "transfer": Protocol(
        lambda task, seed, baselines: recognition.transfer(task, seed=seed, baselines=baselines),
        _both,
        ("last", "best", "logistic", "knn"),
    ),
}
