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
from kineme.evaluation.results import PRETRAINED, RANDOM, RAW, Result, details
from kineme.evaluation.task import Part, Task, on_device_of
from kineme.files import is_writable
from kineme.model import Model, random_like, with_encoder
from kineme.progress import Progress, silent, within
from kineme.training.devices import resolve_device
from kineme.typing import Array

logger = logging.getLogger(__name__)


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
    store, model = task.store, task.model
    class_names = detection_classes(store)
    offsets, test_offsets = offsets_of(store, task.train_rows), offsets_of(store, task.test_rows)
    labels = frame_labels(true_intervals(store, task.train_rows), offsets)
    truth = true_intervals(store, task.test_rows)
    test_labels = frame_labels(truth, test_offsets)
    settings = ClassifierSettings()
    played_offsets = offsets_of(store, task.train_rows, settings.speeds)
    played_labels = labels[frames_shown(store, task.train_rows, settings.speeds)]
    frames = len(played_labels) + len(test_labels)
    train = None if training is None else on_device_of(task, replace(training, seed=seed))

    def measured(encoder: Model, cut: Windows, folder: Path, number: int) -> tuple[Detections, Detector]:
        total = frames * (3 if baselines else 1)
        train_progress = within(progress, number * frames, total)
        features = store_features(
            encoder,
            store,
            task.train_rows,
            cut,
            folder,
            device=task.device,
            speeds=settings.speeds,
            progress=train_progress,
        )
        classifier = fit(
            features,
            played_offsets,
            played_labels,
            len(class_names),
            context,
            settings,
            seed=seed,
            device=task.device,
        )
        detector = Detector(encoder, cut, classifier, rule, class_names, tuned=training is not None)
        test_progress = within(progress, number * frames + len(played_labels), total)
        probabilities = detector.probabilities(
            store, task.test_rows, folder, device=task.device, progress=test_progress
        )
        segments, scores = propose(probabilities, test_offsets, rule)
        names = store.names[task.test_rows]
        found = Detections(names, test_offsets, probabilities, test_labels, truth, segments, scores)
        return found, detector

    scores = {}
    with (
        TemporaryDirectory() as spare
    ):  # for features of an encoder that is used once, or that cannot be kept
        kept = task.run / "features"
        if not is_writable(kept / "any.npy"):
            kept = Path(spare)
        for number, (row, baseline, cut) in enumerate(_baselines(model, windows, seed) if baselines else ()):
            logger.debug("detect: %s", row)
            found, _ = measured(baseline, cut, kept, number)
            scores[row] = score(found, len(class_names))
        logger.debug("detect: %s", PRETRAINED)
        if train is None:
            found, detector = measured(model, windows, kept, len(scores))
        else:
            from kineme.evaluation.detection.finetune import (
                finetuned,  # imports Lightning, which takes seconds
            )

            frames_of = task.train_rows, labels, len(class_names)
            tuned = finetuned(model, windows, store, *frames_of, train, progress)
            found, detector = measured(tuned, windows, Path(spare), len(scores))
    result = Result(
        protocol="detect",
        **task.described(),
        crop=1.0,
        settings={
            "windows": asdict(windows),
            "context": asdict(context),
            "segments": rule,
            "classifier": asdict(settings),
            "finetuned": _described(train),
        },
        seed=seed,
        scores=score(found, len(class_names)),
        baselines=scores,
        detailed=ACCURACY,
        class_names=class_names,
        **details(test_labels, found.probabilities.argmax(axis=1), len(class_names)),
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(perf_counter() - began, 1),
    )
    return result, found, detector


def _baselines(model: Model, windows: Windows, seed: int) -> Iterator[tuple[str, Model, Windows]]:
    """(row of the table, what stands in for the model, how it reads recordings)."""
    yield RAW, with_encoder(model, RawCoordinates(model.shape)), replace(windows, kind="centred")
    yield RANDOM, random_like(model, seed), windows


def _described(train: TrainConfig | None) -> dict[str, Any] | None:
    if train is None:
        return None
    names = ("epochs", "batch_size", "optimizer", "lr", "weight_decay", "schedule", "warmup")
    return {**{name: getattr(train, name) for name in names}, "precision": resolve_device(train)[1]}
