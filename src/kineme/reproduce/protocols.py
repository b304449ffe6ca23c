"""The protocols as a grid calls them: what is measured, which settings that has, which scores are told."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy.typing as npt

from kineme.clips.store import ClipStore
from kineme.evaluation import finetune, linear, recognition
from kineme.evaluation.detection import protocol as detection
from kineme.evaluation.detection.classifier import ClassifierSettings, Context
from kineme.evaluation.detection.defaults import KIND, NEIGHBOURS, RULE, WINDOW
from kineme.evaluation.detection.frames import windows_for
from kineme.evaluation.detection.scores import ACCURACY, HEADLINE
from kineme.evaluation.results import Kept, Result
from kineme.evaluation.task import Part, Task, labelled

SEEDS = 3  # draws of few labels


Found = tuple[Result, Mapping[str, Kept]]  # and by suffix what lies beside the result


@dataclass(frozen=True)
class Protocol:
    """How a cell is measured.

    Attributes:
        measure: (task, seed, with baselines) → the result, and what is kept beside it.
        settings: the settings that this result would have if it were measured now.
        scores: those of its scores that the table tells; none: all.
        rows_of: the clips that can be measured on, as `open_task` asks.
    """

    measure: Callable[[Task, int, bool], Found]
    settings: Callable[[Result], Any]
    scores: tuple[str, ...] = ()
    rows_of: Callable[[ClipStore, str, Part], npt.NDArray[Any]] = labelled

    def settled(self, result: Result) -> bool:
        """Whether a result has the settings that it would have now."""
        return bool(json.loads(json.dumps(self.settings(result))) == result.settings)


def _linear(task: Task, seed: int, baselines: bool) -> Found:
    result, predictions = recognition.linear(task, seed=seed, baselines=baselines)
    return result, {".npz": predictions}


def _linear_settings(result: Result) -> Any:
    return asdict(linear.settings_for(result.method))


def _knn(task: Task, seed: int, baselines: bool) -> Found:
    result, predictions = recognition.knn(task, seed=seed, baselines=baselines)
    return result, {".npz": predictions}


def _knn_settings(result: Result) -> Any:
    return {"k": 1}


def _transfer(task: Task, seed: int, baselines: bool) -> Found:
    result, predictions = recognition.transfer(task, seed=seed, baselines=baselines)
    return result, {".npz": predictions}


def _transfer_settings(result: Result) -> Any:
    return {"linear": _linear_settings(result), "knn": _knn_settings(result)}


def _finetune(task: Task, seed: int, baselines: bool) -> Found:
    result, predictions = finetune.finetune(task, seed=seed, from_scratch=baselines)
    return result, {".npz": predictions}


def _finetune_settings(result: Result) -> Any:
    return _on_labels(result.method, result.train_clips, result.settings)


def _semi(task: Task, seed: int, baselines: bool) -> Found:
    return finetune.semi(task, seeds=SEEDS, seed=seed, from_scratch=baselines), {}


def _semi_settings(result: Result) -> Any:
    training = result.settings["training"]
    if set(training) != {f"{100 * fraction:g} %" for fraction in finetune.FRACTIONS}:
        return None
    now = {share: _on_labels(result.method, kept["clips"], kept) for share, kept in training.items()}
    return {"seeds": SEEDS, "training": now}


def _on_labels(method: str, clips: int, kept: Mapping[str, Any]) -> dict[str, Any]:
    """What was kept of training on so many labels, as it would be now; the device decides the precision."""
    now = asdict(finetune.settings_for(method, clips))
    return {key: value if key == "precision" else now.get(key, value) for key, value in kept.items()}


def _detect(task: Task, seed: int, baselines: bool) -> Found:
    windows = windows_for(task.pretrained.encoder, KIND, WINDOW)
    result, found, detector = detection.detect(
        task, windows, context=Context(NEIGHBOURS), rule=RULE, seed=seed, baselines=baselines
    )
    return result, {".npz": found, ".safetensors": detector}


def _detect_settings(result: Result) -> Any:
    asked = {"kind": KIND, "frames": WINDOW, "step": result.settings["windows"]["step"]}
    now = {"windows": asked, "context": asdict(Context(NEIGHBOURS)), "segments": RULE, "finetuned": None}
    return {**now, "classifier": asdict(ClassifierSettings())}


PROTOCOLS = {
    "linear": Protocol(_linear, _linear_settings, ("last", "best", "logistic")),
    "knn": Protocol(_knn, _knn_settings, ("knn",)),
    "finetune": Protocol(_finetune, _finetune_settings, ("last", "best")),
    "semi": Protocol(_semi, _semi_settings),
    "transfer": Protocol(_transfer, _transfer_settings, ("last", "best", "logistic", "knn")),
    "detect": Protocol(
        _detect,
        _detect_settings,
        (HEADLINE, HEADLINE.replace("mAP_a", "mAP_v"), ACCURACY),
        rows_of=detection.recorded,
    ),
}
