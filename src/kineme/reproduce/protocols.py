"""The protocols as a grid calls them: what is measured, by which settings, and which scores are shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from kineme.clips.store import ClipStore
from kineme.config import EvaluateConfig
from kineme.errors import KinemeError
from kineme.evaluation import early, fewlabels, finetune, recognition, robust
from kineme.evaluation.detection import protocol as detection
from kineme.evaluation.detection.classifier import classifier_for, context_for
from kineme.evaluation.detection.frames import STEPS, windows_for
from kineme.evaluation.detection.labels import CHANGE
from kineme.evaluation.detection.scores import ACCURACY, HEADLINE
from kineme.evaluation.linear import with_rate
from kineme.evaluation.options import KIND, NEIGHBOURS, RULE, WINDOW
from kineme.evaluation.results import Kept, Result
from kineme.evaluation.task import Part, Task, labelled
from kineme.typing import Array

Found = tuple[Result, Mapping[str, Kept]]  # and by suffix what lies beside the result
CONTEXT = context_for(WINDOW, NEIGHBOURS, RULE)
RUN = Path()  # for messages that are not shown


@dataclass(frozen=True)
class Protocol:
    """How a cell is measured.

    Attributes:
        measure: (task, baselines=, seed=, progress=, and settings of the grid) → the result, and what is kept
            beside it.
        settings: (the run's settings, a result, settings of the grid) → the settings that this result would
            have if it were measured now.
        scores: those of its scores that the table shows; none: all.
        rows_of: the clips that can be measured on, as for `open_task`.
        tuned_by: the section of `evaluate` whose learning rate it needs, if any.
    """

    measure: Callable[..., Found]
    settings: Callable[..., Any]
    scores: tuple[str, ...] = ()
    rows_of: Callable[[ClipStore, str, Part], Array] = labelled
    tuned_by: Literal["linear", "finetune"] | None = None

    def settled(self, result: Result, evaluate: EvaluateConfig, overrides: Mapping[str, Any]) -> bool:
        """Whether a result has the settings that it would have now."""
        with suppress(KinemeError):  # a rate is missing, so no result has these settings
            now = json.loads(json.dumps(self.settings(evaluate, result, **overrides)))
            return _agree(result.settings, now)
        return False


def _agree(kept: Any, now: Any) -> bool:
    """The precision follows from the device; settings that a result lacks were added after it."""
    if isinstance(kept, Mapping) and isinstance(now, Mapping):
        return all(
            key == "precision" or (key in now and _agree(value, now[key])) for key, value in kept.items()
        )
    return bool(kept == now)


def _predicting(protocol: Callable[..., tuple[Result, Kept]]) -> Callable[..., Found]:
    """A protocol that gives predictions, which lie beside its result."""

    def measured(task: Task, **options: Any) -> Found:
        result, predictions = protocol(task, **options)
        return result, {".npz": predictions}

    return measured


def _linear(evaluate: EvaluateConfig, result: Result, lr: float | None = None) -> Any:
    return asdict(with_rate(evaluate.linear, "linear", lr, RUN))


def _transfer(evaluate: EvaluateConfig, result: Result) -> Any:
    return {"linear": _linear(evaluate, result), "knn": {"k": 1}}


def _early(evaluate: EvaluateConfig, result: Result) -> Any:
    return early.described(with_rate(evaluate.linear, "linear", None, RUN))


def _robust(evaluate: EvaluateConfig, result: Result) -> Any:
    return robust.described(result.settings["body_height"], result.settings["joints_missing"])


def _tuned(task: Task, *, baselines: bool, **options: Any) -> tuple[Result, Kept]:
    return finetune.finetune(task, from_scratch=baselines, **options)


def _finetune(evaluate: EvaluateConfig, result: Result, clips: int | None = None, **overrides: Any) -> Any:
    settings = finetune.settings_for(evaluate.finetune, clips or result.train_clips, RUN, **overrides)
    return finetune.described(settings)


def _tuned_on_few(task: Task, *, baselines: bool, **options: Any) -> Found:
    return finetune.semi(task, from_scratch=baselines, **options), {}


def _semi(evaluate: EvaluateConfig, result: Result, seeds: int = finetune.SEEDS, **overrides: Any) -> Any:
    clips = {share: kept["clips"] for share, kept in result.settings["training"].items()}
    if set(clips) != set(map(finetune.percent, finetune.FRACTIONS)):
        return None
    training = {
        share: {"clips": count, **_finetune(evaluate, result, count, **overrides)}
        for share, count in clips.items()
    }
    return {"seeds": seeds, "training": training}


def _semi_frozen(evaluate: EvaluateConfig, result: Result, seeds: int = finetune.SEEDS) -> Any:
    if set(result.settings["clips"]) != set(map(finetune.percent, finetune.FRACTIONS)):
        return None
    return {"probe": _linear(evaluate, result), "seeds": seeds, "clips": result.settings["clips"]}


def _detected(task: Task, **options: Any) -> Found:
    windows = windows_for(task.model.encoder, KIND, WINDOW)
    result, found, detector = detection.detect(task, windows, context=CONTEXT, rule=RULE, **options)
    return result, {".npz": found, ".safetensors": detector}


DETECTION = {
    "windows": {"kind": KIND, "frames": WINDOW, "step": WINDOW // STEPS[KIND]},
    "context": asdict(CONTEXT),
    "segments": RULE,
    "change": CHANGE[RULE],
    "classifier": asdict(classifier_for(RULE)),
    "finetuned": None,
}
PROTOCOLS = {
    "linear": Protocol(
        _predicting(recognition.linear), _linear, ("last", "best", "logistic"), tuned_by="linear"
    ),
    "knn": Protocol(_predicting(recognition.knn), lambda evaluate, result: {"k": 1}, ("knn",)),
    "early": Protocol(_predicting(early.early), _early, early.SHOWN, tuned_by="linear"),
    "robust": Protocol(_predicting(robust.robust), _robust, robust.SHOWN),
    "finetune": Protocol(_predicting(_tuned), _finetune, ("last", "best"), tuned_by="finetune"),
    "semi": Protocol(_tuned_on_few, _semi, tuned_by="finetune"),
    "semi-frozen": Protocol(
        _predicting(fewlabels.frozen), _semi_frozen, ("5 % logistic", "10 % logistic"), tuned_by="linear"
    ),
    "transfer": Protocol(
        _predicting(recognition.transfer),
        _transfer,
        ("last", "best", "logistic", "knn"),
        tuned_by="linear",
    ),
    "detect": Protocol(
        _detected,
        lambda evaluate, result: DETECTION,
        (HEADLINE, HEADLINE.replace("mAP_a", "mAP_v"), ACCURACY),
        rows_of=detection.recorded,
    ),
}
