"""Detection on a test set: an encoder, a random one and raw coordinates, measured in the same way."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from kineme.clips.splits import split_rows
from kineme.clips.store import ClipStore
from kineme.config import TrainConfig
from kineme.errors import KinemeError
from kineme.evaluation.detection.boundaries import boundaries_settings, fit_boundaries, short_windows
from kineme.evaluation.detection.classes import detection_classes, frame_labels, true_intervals
from kineme.evaluation.detection.classifier import ClassifierSettings, Context, classifier_for, fit
from kineme.evaluation.detection.detector import Detector
from kineme.evaluation.detection.extract import RawCoordinates, frames_shown, offsets_of, store_features
from kineme.evaluation.detection.frames import Windows
from kineme.evaluation.detection.labels import CHANGE
from kineme.evaluation.detection.predictions import Detections
from kineme.evaluation.detection.scores import ACCURACY, score
from kineme.evaluation.options import Rule
from kineme.evaluation.results import PRETRAINED, RANDOM, RAW, Result, Score, details
from kineme.evaluation.task import Part, Task, on_device_of
from kineme.files import is_writable
from kineme.model import Model, random_like, with_encoder
from kineme.progress import Progress, share, silent, within
from kineme.training.devices import resolve_device
from kineme.typing import Array

logger = logging.getLogger(__name__)

PASSES = 3  # of an encoder: a frame that it is trained on costs as much as so many that it reads


def recorded(store: ClipStore, split: str, part: Part) -> Array:
    """Rows of a part of a split, of recordings whose actions are known.

    Raises:
        KinemeError: the store's clips are trimmed, or those of the part have no action.
    """
    if len(store.intervals["clip"]) == 0:
        raise KinemeError(
            f"{store.path}: its clips have no intervals, so there is nothing to detect; prepare whole "
            "recordings (`untrimmed` ones of PKU-MMD), or choose another `store`"
        )
    rows = split_rows(store, split, part)
    if len(true_intervals(store, rows)) == 0:
        raise KinemeError(
            f"{store.path}: the {part} part of split {split!r} has no actions; choose another `split`"
        )
    return rows


def detect(
    task: Task,
    windows: Windows,
    *,
    context: Context,
    rule: Rule,
    classifier: ClassifierSettings | None = None,
    training: TrainConfig | None = None,
    seed: int = 0,
    baselines: bool = True,
    progress: Progress = silent,
) -> tuple[Result, Detections, Detector]:
    """Trains a classifier of frames on the training recordings and measures it on the test recordings.

    Args:
        task: what is measured on which recordings, opened with `recorded`.
        windows: how the encoder reads them.
        context: the frames from which a class is read.
        rule: of segments, `A`, `B` or `C`.
        classifier: how it is trained; None: as `classifier_for` the rule.
        training: how the encoder is fine-tuned first; None: it is frozen.
        seed: of the classifier, the random encoder and the fine-tuning.
        baselines: also measure a random encoder and raw coordinates, both frozen.
        progress: called with the work done and in total, in frames that an encoder reads; training the
            classifier counts as much as reading the frames it is trained on.
    """
    began = perf_counter()
    model, train = task.model, None if training is None else on_device_of(task, replace(training, seed=seed))
    trial = _Trial(task, context, rule, classifier or classifier_for(rule), seed, tuned=train is not None)
    scores: dict[str, dict[str, Score]] = {}
    tuning = 0 if train is None else trial.tuning(train)
    done, total = 0, trial.work * (3 if baselines else 1) + tuning
    with TemporaryDirectory() as spare:  # for features that are used once, or that cannot be kept
        kept = task.run / "features"
        if not is_writable(kept / "any.npy"):
            kept = Path(spare)
        for row, baseline, cut in _baselines(model, windows, seed) if baselines else ():
            logger.debug("detect: %s", row)
            found, _ = trial.of(baseline, cut, kept, within(progress, done, total))
            scores[row] = score(found, len(trial.class_names))
            done += trial.work
        logger.debug("detect: %s", PRETRAINED)
        if train is not None:
            model = trial.finetuned(windows, train, share(progress, done, tuning, total))
            kept, done = Path(spare), done + tuning
        found, detector = trial.of(model, windows, kept, within(progress, done, total))
    classes = len(trial.class_names)
    result = Result(
        protocol="detect",
        **task.described(),
        crop=1.0,
        settings=trial.described(windows, train),
        seed=seed,
        scores=score(found, classes),
        baselines=scores,
        detailed=ACCURACY,
        class_names=trial.class_names,
        **details(found.labels, found.predicted, classes),
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(perf_counter() - began, 1),
    )
    return result, found, detector


class _Trial:
    """What is the same for every encoder that is measured: the recordings, their actions and the classifier.

    Attributes:
        class_names: of the store, as detection names them.
        work: for each encoder, in frames: the training recordings at every speed, read by the encoder and
            once more by the classifier, and the test recordings; all of it twice if boundaries are moved.
    """

    def __init__(
        self,
        task: Task,
        context: Context,
        rule: Rule,
        classifier: ClassifierSettings,
        seed: int,
        *,
        tuned: bool,
    ) -> None:
        """Looks up the actions of the recordings.

        Args:
            task, context, rule, classifier, seed: as of `detect`.
            tuned: the encoder is fine-tuned first.
        """
        self.task, self.context, self.rule, self.classifier = task, context, rule, classifier
        self.seed, self.tuned = seed, tuned
        store, speeds = task.store, classifier.speeds
        self.class_names = detection_classes(store)
        offsets = offsets_of(store, task.train_rows)
        self._labels = frame_labels(true_intervals(store, task.train_rows), offsets)
        self._played_offsets = offsets_of(store, task.train_rows, speeds)
        self._played_labels = self._labels[frames_shown(store, task.train_rows, speeds)]
        self._test_offsets = offsets_of(store, task.test_rows)
        self._truth = true_intervals(store, task.test_rows)
        self._test_labels = frame_labels(self._truth, self._test_offsets)
        self._moves = classifier.hidden > 0  # boundaries; a linear probe measures the features as they are
        self.work = (2 * len(self._played_labels) + len(self._test_labels)) * (2 if self._moves else 1)

    def tuning(self, training: TrainConfig) -> int:
        """The work of fine-tuning, in frames."""
        return PASSES * training.epochs * len(self._labels)

    def described(self, windows: Windows, training: TrainConfig | None) -> dict[str, Any]:
        """The settings of a result."""
        return {
            "windows": asdict(windows),
            "context": asdict(self.context),
            "segments": self.rule,
            "change": CHANGE[self.rule],
            "classifier": asdict(self.classifier),
            "boundaries": boundaries_settings(windows, self.context.neighbours) if self._moves else None,
            "finetuned": _described(training),
        }

    def finetuned(self, windows: Windows, training: TrainConfig, progress: Progress) -> Model:
        """The task's model, trained on windows of the training recordings."""
        from kineme.evaluation.detection.finetune import finetuned  # imports Lightning, which takes seconds

        task = self.task
        frames_of = task.train_rows, self._labels, len(self.class_names)
        return finetuned(task.model, windows, task.store, *frames_of, training, progress)

    def of(
        self, model: Model, windows: Windows, folder: Path, progress: Progress
    ) -> tuple[Detections, Detector]:
        """Trains a classifier of the encoder's frames, and detects with it in the test recordings.

        Args:
            model: the encoder.
            windows: how it reads recordings.
            folder: for features.
            progress: called with the work done, up to `work`.
        """
        task, store, settings = self.task, self.task.store, self.classifier
        read, parts = len(self._played_labels), 2 if self._moves else 1

        def hook(part: int) -> Progress:
            return share(progress, part * read, read, self.work)

        def features(windows: Windows, part: int) -> Array:
            rows, speeds = task.train_rows, settings.speeds
            return store_features(
                model, store, rows, windows, folder, device=task.device, speeds=speeds, progress=hook(part)
            )

        played = self._played_offsets, self._played_labels
        trained: dict[str, Any] = {"seed": self.seed, "device": task.device}
        classes, context = len(self.class_names), self.context
        classifier = fit(
            features(windows, 0), *played, classes, context, settings, progress=hook(1), **trained
        )
        boundaries = None
        if self._moves:
            short, near = short_windows(windows), context.neighbours
            boundaries = fit_boundaries(
                features(short, 2), *played, short, near, settings, progress=hook(3), **trained
            )
        detector = Detector(
            model, windows, classifier, self.rule, self.class_names, tuned=self.tuned, boundaries=boundaries
        )
        tested = parts * len(self._test_labels)
        meanwhile = share(progress, self.work - tested, tested, self.work)
        said = detector.find(store, task.test_rows, folder, device=task.device, progress=meanwhile)
        found = Detections(
            names=store.names[task.test_rows],
            offsets=self._test_offsets,
            probabilities=said.probabilities,
            labels=self._test_labels,
            predicted=said.labels,
            truth=self._truth,
            segments=said.segments,
            segment_scores=said.scores,
        )
        return found, detector


def _baselines(model: Model, windows: Windows, seed: int) -> Iterator[tuple[str, Model, Windows]]:
    """(row of the table, what stands in for the model, how it reads recordings)."""
    yield RAW, with_encoder(model, RawCoordinates(model.shape)), replace(windows, kind="centred")
    yield RANDOM, random_like(model, seed), windows


def _described(train: TrainConfig | None) -> dict[str, Any] | None:
    if train is None:
        return None
    names = ("epochs", "batch_size", "optimizer", "lr", "weight_decay", "schedule", "warmup")
    return {**{name: getattr(train, name) for name in names}, "precision": resolve_device(train)[1]}
