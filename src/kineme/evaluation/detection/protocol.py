"""Detection on a test set: an encoder, a random one and raw coordinates, measured alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from rich.console import Console

from kineme.clips.splits import split_rows
from kineme.clips.store import ClipStore
from kineme.config import TrainConfig
from kineme.errors import KinemeError
from kineme.evaluation.detection.classes import detection_classes, frame_labels, true_intervals
from kineme.evaluation.detection.classifier import ClassifierSettings, Context, fit
from kineme.evaluation.detection.detector import Detector, propose
from kineme.evaluation.detection.extract import RawCoordinates, offsets_of, store_features
from kineme.evaluation.detection.finetune import finetuned
from kineme.evaluation.detection.frames import Windows
from kineme.evaluation.detection.predictions import Detections
from kineme.evaluation.detection.scores import ACCURACY, score
from kineme.evaluation.results import PRETRAINED, RANDOM, RAW, Result, per_class
from kineme.evaluation.task import Part, Task
from kineme.model import Model, random_like, with_encoder
from kineme.typing import Array


def recorded(store: ClipStore, split: str, part: Part) -> Array:
    """Rows of a part of a split, of recordings whose actions are known.

    Raises:
        KinemeError: the store's clips are trimmed, or those of the part have no action.
    """
    if len(store.intervals["clip"]) == 0:
        raise KinemeError(
            f"{store.path}: its clips have no intervals, so there is nothing to be detected; prepare whole "
            "recordings (PKU-MMD's with --untrimmed), or pass another --store"
        )
    rows = split_rows(store, split, part)
    if len(true_intervals(store, rows)) == 0:
        raise KinemeError(
            f"{store.path}: split {split!r} has no actions in its {part} part; choose another with --split"
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
) -> tuple[Result, Detections, Detector]:
    """Trains a classifier of frames on the training recordings and measures it on the test recordings.

    Args:
        task: what is measured on which recordings, opened with `recorded`.
        windows: how the encoder reads them.
        context: the frames that a class is read from.
        rule: of segments, `A` or `B`.
        training: how the encoder is fine-tuned first; None: it is frozen.
        seed: of the classifier, the random encoder and the fine-tuning.
        baselines: measure a random encoder and raw coordinates beside it, both frozen.
    """
    began = perf_counter()
    notes = Console(stderr=True)
    store, pretrained = task.store, task.pretrained
    class_names = detection_classes(store)
    offsets, test_offsets = offsets_of(store, task.train), offsets_of(store, task.test)
    labels = frame_labels(true_intervals(store, task.train), offsets)
    truth = true_intervals(store, task.test)
    test_labels = frame_labels(truth, test_offsets)
    settings = ClassifierSettings()

    def measured(encoder: Model, cut: Windows, folder: Path) -> tuple[Detections, Detector]:
        features = store_features(encoder, store, task.train, cut, folder, device=task.device)
        classifier = fit(
            features, offsets, labels, len(class_names), context, settings, seed=seed, device=task.device
        )
        detector = Detector(encoder, cut, classifier, rule, class_names, tuned=training is not None)
        probabilities = detector.probabilities(store, task.test, folder, device=task.device)
        segments, scores = propose(probabilities, test_offsets, rule)
        names = store.names[task.test]
        found = Detections(names, test_offsets, probabilities, test_labels, truth, segments, scores)
        return found, detector

    kept = task.run / "features"
    scores = {}
    for row, baseline, cut in _baselines(pretrained, windows, seed) if baselines else ():
        with notes.status(f"detect: {row}"):
            found, _ = measured(baseline, cut, kept)
        scores[row] = score(found, len(class_names))
    if training is None:
        with notes.status(f"detect: {PRETRAINED}"):
            found, detector = measured(pretrained, windows, kept)
    else:
        train = replace(training, seed=seed, device="cuda" if task.device == "cuda" else "cpu")
        tuned = finetuned(pretrained, windows, store, task.train, labels, len(class_names), train)
        with TemporaryDirectory() as folder:  # no one will ask for these features again
            found, detector = measured(tuned, windows, Path(folder))
    result = Result(
        protocol="detect",
        **task.described(),
        crop=1.0,
        settings={
            "windows": asdict(windows),
            "context": asdict(context),
            "segments": rule,
            "classifier": asdict(settings),
            "finetuned": _described(training),
        },
        seed=seed,
        scores=score(found, len(class_names)),
        baselines=scores,
        detailed=ACCURACY,
        class_names=class_names,
        **per_class(test_labels, found.probabilities.argmax(axis=1), len(class_names)),
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(perf_counter() - began, 1),
    )
    return result, found, detector


def _baselines(pretrained: Model, windows: Windows, seed: int) -> Iterator[tuple[str, Model, Windows]]:
    """(row of the table, what stands in for the encoder, how it reads recordings)."""
    raw = RawCoordinates(pretrained.encoder.shape)
    yield RAW, with_encoder(pretrained, raw), replace(windows, kind="centred")
    yield RANDOM, random_like(pretrained, seed), windows


def _described(training: TrainConfig | None) -> dict[str, Any] | None:
    names = ("epochs", "batch_size", "optimizer", "lr", "weight_decay", "schedule", "warmup")
    return None if training is None else {name: getattr(training, name) for name in names}
