"""The protocols as a grid calls them: what is measured, by which settings, and which scores are shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from kineme.clips.store import ClipStore
from kineme.config import EvaluateConfig, FinetuneConfig, LinearConfig
from kineme.errors import KinemeError
from kineme.evaluation import early, fewlabels, finetune, recognition, robust
from kineme.evaluation.detection import protocol as detection
from kineme.evaluation.detection.boundaries import boundaries_settings
from kineme.evaluation.detection.classifier import classifier_for, context_for
from kineme.evaluation.detection.frames import STEPS, Windows, windows_for
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
            now = self._now(result, evaluate, overrides)
            return _agree(result.settings, now) and not list(_lacking(result.settings, now, self._former))
        return False

    def lacking(self, result: Result, evaluate: EvaluateConfig, overrides: Mapping[str, Any]) -> list[str]:
        """Settings, such as `context.spacing`, that a result lacks and that are not as they were."""
        with suppress(KinemeError):
            now = self._now(result, evaluate, overrides)
            return list(_lacking(result.settings, now, self._former))
        return []

    @property
    def _former(self) -> Mapping[str, Any]:
        """What was done before there was a setting: the defaults of those in a recipe; of others unknown."""
        sections = {"linear": LinearConfig, "finetune": FinetuneConfig}
        return asdict(sections[self.tuned_by]()) if self.tuned_by else {}

    def _now(self, result: Result, evaluate: EvaluateConfig, overrides: Mapping[str, Any]) -> Any:
        return json.loads(json.dumps(self.settings(evaluate, result, **overrides)))


def _agree(kept: Any, now: Any) -> bool:
    """Whether the settings of a result are as they would be now; the precision follows from the device."""
    if isinstance(kept, Mapping) and isinstance(now, Mapping):
        return all(
            key == "precision" or (key in now and _agree(value, now[key])) for key, value in kept.items()
        )
    return bool(kept == now)


def _lacking(kept: Any, now: Any, former: Mapping[str, Any]) -> Iterator[str]:
    """Settings that were added after a result, unless they still say what was done before."""
    if not isinstance(kept, Mapping) or not isinstance(now, Mapping):
        return
    for key, value in now.items():
        if key in kept:
            yield from (f"{key}.{each}" for each in _lacking(kept[key], value, former))
        elif key != "precision" and (key not in former or json.loads(json.dumps(former[key])) != value):
            yield key


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


WINDOWS = Windows(KIND, WINDOW, WINDOW // STEPS[KIND])
DETECTION = {
    "windows": asdict(WINDOWS),
    "context": asdict(CONTEXT),
    "segments": RULE,
    "change": CHANGE[RULE],
    "classifier": asdict(classifier_for(RULE)),
    "boundaries": boundaries_settings(WINDOWS, NEIGHBOURS),
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
