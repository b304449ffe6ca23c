"""A small run with results, as `kineme pretrain` and `kineme evaluate` leave it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conftest import STICK, Settings
from kineme.clips.store import Clip, ClipStore, Manifest
from kineme.clips.writer import StoreWriter
from kineme.commands.evaluate import knn, linear
from kineme.evaluation.detection.predictions import Detections
from kineme.evaluation.detection.scores import ACCURACY, score
from kineme.evaluation.options import TaskOptions
from kineme.evaluation.results import Result, details, result_path, save
from kineme.preprocessing import get_preprocessing
from kineme.training.run import train

from .pages import Reader, made

HOSTILE = '<script>alert("1")</script> & co'


def write_gestures(path: Path) -> Path:
    """48 clips of four subjects, in which a hand moves one of three ways, hard to tell apart."""
    rng = np.random.default_rng(0)
    ways = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]])
    manifest = Manifest(STICK, get_preprocessing("plain"), "test", ("rise", HOSTILE, "push"))
    with StoreWriter(path, manifest, 2) as writer:
        for i in range(48):
            frames = 9 + i % 5
            xyz = np.zeros((frames, 2, 3, 3), dtype=np.float32)
            xyz[:, 0] = [[0, 0, 0], [0, 1, 0], [0.3, 1, 0]]
            xyz[:, 0, 2] += np.linspace(0, 1, frames)[:, None] * ways[i % 3]
            xyz[:, 0] += 0.6 * rng.standard_normal((1, 3, 3))
            writer.add(Clip(f"<clip{i:02}>", xyz, label=i % 3, subject=str(1 + i // 12)))
    return path


@pytest.fixture(scope="session")
def gestures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip store; not to be changed."""
    return write_gestures(tmp_path_factory.mktemp("stores") / "gestures")


@pytest.fixture(scope="session")
def finished(gestures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on `gestures` with results; not to be changed."""
    run = tmp_path_factory.mktemp("runs") / "first"
    settings = Settings(gestures)
    train(settings(data_split="odd-even", train_epochs=3), run)
    linear(run, lr=3.0, options=TaskOptions(device="cpu"))
    knn(run, options=TaskOptions(device="cpu"))
    return run


@pytest.fixture(scope="session")
def whole(finished: Path) -> tuple[str, Reader]:
    """The page of the finished run."""
    return made(finished)


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """The same run, to be changed at will."""
    return Path(shutil.copytree(finished, tmp_path / "first"))


def write_recordings(folder: Path) -> Path:
    """Two untrimmed recordings of 100 frames, in which a body with three joints moves its hand."""
    manifest = Manifest(STICK, get_preprocessing("plain"), "test", ("wave", HOSTILE))
    with StoreWriter(folder, manifest, 1) as writer:
        for i in range(2):
            xyz = np.tile([[0, 0, 0], [0, 1, 0], [0.3, 1, 0]], (100, 1, 1, 1)).astype(np.float32)
            xyz[:, 0, 2, 1] += np.sin(np.arange(100) / 5)
            intervals = [(10, 40, 0), (60, 90, 1)]
            writer.add(Clip(f"recording{i}", xyz, subject=str(i + 1), intervals=intervals))
    return folder


def write_detections(run: Path, store: Path) -> Result:
    """Of the two recordings, as `kineme evaluate detect` writes them: proposals begin five frames late."""
    truth = np.array([[r, c, *span] for r in range(2) for c, span in ((1, (10, 40)), (2, (60, 90)))])
    labels = np.zeros(200, dtype=np.int64)
    probabilities = np.full((200, 3), 0.1)
    probabilities[:, 0] = 0.5
    for recording, label, start, end in truth:
        labels[100 * recording + start : 100 * recording + end] = label
        probabilities[100 * recording + start + 5 : 100 * recording + end, label] = 0.9
    detections = Detections(
        names=np.array(["recording0", "recording1"]),
        offsets=np.array([0, 100, 200]),
        probabilities=probabilities,
        labels=labels,
        predicted=probabilities.argmax(axis=1),
        truth=truth,
        segments=truth + np.array([0, 0, 5, 0]),
        segment_scores=np.array([0.9, 0.8, 0.4, 0.1]),
    )
    detections.save(run / "results" / "detect.npz")
    names = ("background", "wave", HOSTILE)
    result = replace(
        Result.from_json(run / "results" / "linear.json"),
        protocol="detect",
        settings={"segments": "A"},
        store=store.name,
        fingerprint=ClipStore(store).manifest.fingerprint,
        train_clips=2,
        test_clips=2,
        scores=score(detections, 3),
        baselines={},
        detailed=ACCURACY,
        class_names=names,
        **details(labels, detections.predicted, 3),
    )
    save(result, result_path(run, "detect"))
    return result
