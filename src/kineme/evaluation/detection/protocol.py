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
from kineme.evaluation.detection.classes import detection_classes, frame_labels, true_intervals
from kineme.evaluation.detection.classifier import ClassifierSettings, Context, fit
from kineme.evaluation.detection.detector import Detector, propose
from kineme.evaluation.detection.extract import RawCoordinates, frames_shown, offsets_of, store_features
from kineme.evaluation.detection.frames import Windows
from kineme.evaluation.detection.predictions import Detections
from kineme.evaluation.detection.scores import ACCURACY, score
from kineme.evaluation.results import PRETRAINED, RANDOM, RAW, Result, Score, details
from kineme.evaluation.task import Part, Task, on_device_of
from kineme.files import is_writable
from kineme.model import Model, random_like, with_encoder
from kineme.progress import Progress, silent, within
from kineme.training.devices import resolve_device
from kineme.typing import Array

logger = logging.getLogger(__name__)

SETTINGS = ClassifierSettings()


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
    rule: str,
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
        training: how the encoder is fine-tuned first; None: it is frozen.
        seed: of the classifier, the random encoder and the fine-tuning.
        baselines: also measure a random encoder and raw coordinates, both frozen.
        progress: called with the frames encoded and in total; during fine-tuning, with the windows.
    """
    began = perf_counter()
    model, train = task.model, None if training is None else on_device_of(task, replace(training, seed=seed))
    trial = _Trial(task, context, rule, seed, tuned=train is not None)
    scores: dict[str, dict[str, Score]] = {}
    total = trial.frames * (3 if baselines else 1)
    with TemporaryDirectory() as spare:  # for features that are used once, or that cannot be kept
        kept = task.run / "features"
        if not is_writable(kept / "any.npy"):
            kept = Path(spare)
        for row, baseline, cut in _baselines(model, windows, seed) if baselines else ():
            logger.debug("detect: %s", row)
            meanwhile = within(progress, len(scores) * trial.frames, total)
            found, _ = trial.of(baseline, cut, kept, meanwhile)
            scores[row] = score(found, len(trial.class_names))
        logger.debug("detect: %s", PRETRAINED)
        if train is not None:
            model, kept = trial.finetuned(windows, train, progress), Path(spare)
        meanwhile = within(progress, len(scores) * trial.frames, total)
        found, detector = trial.of(model, windows, kept, meanwhile)
    classes = len(trial.class_names)
    result = Result(
        protocol="detect",
        **task.described(),
        crop=1.0,
        settings={
            "windows": asdict(windows),
            "context": asdict(context),
            "segments": rule,
            "classifier": asdict(SETTINGS),
            "finetuned": _described(train),
        },
        seed=seed,
        scores=score(found, classes),
        baselines=scores,
        detailed=ACCURACY,
        class_names=trial.class_names,
        **details(found.labels, found.probabilities.argmax(axis=1), classes),
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(perf_counter() - began, 1),
    )
    return result, found, detector


class _Trial:
    """What is the same for every encoder that is measured: the recordings, their actions and the classifier.

    Attributes:
        class_names: of the store, as detection names them.
        frames: that each encoder reads, of training recordings at every speed and of test recordings.
    """

    def __init__(self, task: Task, context: Context, rule: str, seed: int, *, tuned: bool) -> None:
        """Looks up the actions of the recordings.

        Args:
            task, context, rule, seed: as of `detect`.
            tuned: the encoder is fine-tuned first.
        """
        self.task, self.context, self.rule, self.seed, self.tuned = task, context, rule, seed, tuned
        store = task.store
        self.class_names = detection_classes(store)
        offsets = offsets_of(store, task.train_rows)
        self._labels = frame_labels(true_intervals(store, task.train_rows), offsets)
        self._played_offsets = offsets_of(store, task.train_rows, SETTINGS.speeds)
        self._played_labels = self._labels[frames_shown(store, task.train_rows, SETTINGS.speeds)]
        self._test_offsets = offsets_of(store, task.test_rows)
        self._truth = true_intervals(store, task.test_rows)
        self._test_labels = frame_labels(self._truth, self._test_offsets)
        self.frames = len(self._played_labels) + len(self._test_labels)

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
            progress: called with the frames encoded, up to `frames`.
        """
        task, store = self.task, self.task.store
        features = store_features(
            model,
            store,
            task.train_rows,
            windows,
            folder,
            device=task.device,
            speeds=SETTINGS.speeds,
            progress=progress,
        )
        classifier = fit(
            features,
            self._played_offsets,
            self._played_labels,
            len(self.class_names),
            self.context,
            SETTINGS,
            seed=self.seed,
            device=task.device,
        )
        detector = Detector(model, windows, classifier, self.rule, self.class_names, tuned=self.tuned)
        meanwhile = within(progress, len(self._played_labels), self.frames)
        probabilities = detector.probabilities(
            store, task.test_rows, folder, device=task.device, progress=meanwhile
        )
        segments, scores = propose(probabilities, self._test_offsets, self.rule)
        names, offsets, labels = store.names[task.test_rows], self._test_offsets, self._test_labels
        found = Detections(names, offsets, probabilities, labels, self._truth, segments, scores)
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
