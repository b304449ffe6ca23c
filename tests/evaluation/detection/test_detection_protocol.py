"""Detection end to end on recordings that are easy to tell apart; features kept, in bounded memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from evaluation.detection.recordings import CLASSES, write_recordings
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from kineme.checkpoints import save_encoder
from kineme.clips.store import ClipStore
from kineme.config import TrainConfig
from kineme.encoders import STTR, ClipShape
from kineme.errors import KinemeError
from kineme.evaluation.detection import extract, protocol
from kineme.evaluation.detection.classifier import Context, classifier_for
from kineme.evaluation.detection.detector import Detector
from kineme.evaluation.detection.extract import frames_shown, offsets_of, store_features
from kineme.evaluation.detection.finetune import settings
from kineme.evaluation.detection.found import find
from kineme.evaluation.detection.frames import Windows
from kineme.evaluation.detection.labels import label_frames
from kineme.evaluation.options import TaskOptions
from kineme.evaluation.results import RANDOM, RAW, Result
from kineme.evaluation.task import Task, open_task
from kineme.loading import load_run
from kineme.model import Model
from kineme.streams import TOGETHER

WINDOWS = Windows("centred", 8, 1)
ALONE = Context()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ClipStore:
    return ClipStore(write_recordings(tmp_path_factory.mktemp("stores") / "stick", frames=270))


def write_run(path: Path, store: ClipStore, *, stream: str = "joint") -> Path:
    """A run directory with an encoder that nobody has trained."""
    path.mkdir()
    config = {
        "data": {"store": str(store.path), "split": "odd-even", "stream": stream, "frames": 8},
        "method": {"name": "usdrl"},
        "encoder": {"name": "sttr", "hidden": 16},
    }
    torch.manual_seed(0)
    encoder = STTR(ClipShape(store.layout, 8, 1, stream), hidden=16)
    save_encoder(path / "model.safetensors", encoder, store.manifest.preprocessing, config)
    return path


@pytest.fixture(scope="module")
def run(store: ClipStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "run", store)


@pytest.fixture
def task(run: Path) -> Task:
    return open_task(run, rows_of=protocol.recorded)


@pytest.fixture
def pretrained(run: Path) -> Model:
    return load_run(run)


def test_actions_are_found_and_measured_beside_what_needs_no_training(task: Task) -> None:
    result, found, _ = protocol.detect(task, WINDOWS, context=ALONE, rule="B")
    assert result.protocol == "detect"
    assert result.class_names == ("background", *CLASSES)
    assert (result.train_clips, result.test_clips) == (4, 4)
    assert result.scores["frame accuracy"].value > 85
    assert result.scores["mAP_a@0.5 (PKU-MMD)"].value > 70
    assert result.baselines.keys() == {RAW, RANDOM}
    assert all(scores.keys() == result.scores.keys() for scores in result.baselines.values())
    assert np.sum(result.confusion_matrix) == 4 * 270
    assert found.names.tolist() == ["recording1", "recording3", "recording5", "recording7"]
    assert found.offsets.tolist() == [0, 270, 540, 810, 1080]
    assert len(found.truth) == 16
    np.testing.assert_allclose(found.probabilities.astype(float).sum(axis=1), 1, atol=2e-3)
    hits = found.predicted == found.labels
    assert 100 * hits.mean() == pytest.approx(result.scores["frame accuracy"].value)


def test_the_encoder_can_learn_the_frames_too(task: Task) -> None:
    options = {"context": ALONE, "rule": "A", "baselines": False}
    frozen, _, _ = protocol.detect(task, WINDOWS, **options)
    tuned, _, detector = protocol.detect(task, WINDOWS, training=settings(epochs=8, lr=3e-3), **options)
    assert detector.tuned
    assert tuned.weights == frozen.weights  # what was evaluated is what was pre-trained
    assert tuned.settings["finetuned"]["epochs"] == 8
    assert tuned.settings["finetuned"]["precision"] in ("32-true", "bf16-mixed")
    assert frozen.settings["finetuned"] is None
    assert tuned.scores["frame accuracy"].value > 90


@pytest.mark.parametrize("training", [None, settings(epochs=2)])
def test_progress_covers_all_of_the_work_even_with_features_that_are_kept(
    task: Task, tmp_path: Path, training: TrainConfig | None
) -> None:
    """Two encoders at rest and the one that is measured, and fine-tuning.

    Each has 2 · 3,396 frames to learn from and 1,080 to find actions in, all of it twice, as boundaries
    are moved.
    """
    fresh, tuning = replace(task, run=tmp_path), 0 if training is None else 3 * 2 * 1080
    for _ in range(2):
        calls: list[tuple[int, int]] = []
        protocol.detect(
            fresh,
            WINDOWS,
            context=ALONE,
            rule="C",
            training=training,
            progress=lambda done, total, calls=calls: calls.append((done, total)),
        )
        done, totals = zip(*calls, strict=True)
        assert set(totals) == {3 * 2 * (2 * (1544 + 1080 + 772) + 1080) + tuning}
        assert list(done) == sorted(done)
        assert done[-1] == totals[-1]


def test_by_the_third_rule_frames_have_the_likeliest_sequence_with_moved_boundaries(task: Task) -> None:
    result, found, detector = protocol.detect(task, WINDOWS, context=ALONE, rule="C", baselines=False)
    assert result.settings["classifier"]["hidden"] == 128
    assert result.settings["classifier"]["networks"] == 3
    assert result.settings["change"] == 4.0
    assert result.settings["boundaries"]["windows"] == {"kind": "centred", "frames": 2, "step": 1}
    assert [len(each) for each in detector.classifier.layers] == [384, 384, 3, 3]  # of three networks
    assert detector.boundaries is not None
    assert [len(each) for each in detector.boundaries.network.layers] == [384, 384, 2, 2]
    likeliest = label_frames(found.probabilities, found.offsets, "C")
    actions = [np.count_nonzero(np.diff(labels)) for labels in (likeliest, found.predicted)]
    assert actions[0] == actions[1]
    assert 0 < np.mean(found.predicted != likeliest) < 0.05
    assert result.scores["frame accuracy"].value == pytest.approx(
        100 * np.mean(found.predicted == found.labels)
    )
    assert np.trace(result.confusion_matrix) == np.sum(found.predicted == found.labels)
    assert result.scores["frame accuracy"].value > 85


def test_the_linear_probe_leaves_boundaries_where_the_classifier_puts_them(task: Task) -> None:
    linear = classifier_for("C", linear=True)
    options = {"context": ALONE, "rule": "C", "classifier": linear, "baselines": False}
    result, found, detector = protocol.detect(task, WINDOWS, **options)
    assert detector.boundaries is None
    assert result.settings["boundaries"] is None
    np.testing.assert_array_equal(found.predicted, label_frames(found.probabilities, found.offsets, "C"))


def test_by_the_published_rules_each_frame_has_its_likeliest_class_of_a_linear_layer(task: Task) -> None:
    result, found, detector = protocol.detect(task, WINDOWS, context=ALONE, rule="A", baselines=False)
    assert result.settings["classifier"]["hidden"] == 0
    assert len(detector.classifier.layers) == 2
    np.testing.assert_array_equal(found.predicted, found.probabilities.argmax(axis=1))


def test_the_same_seed_finds_the_same(task: Task) -> None:
    options = {"context": ALONE, "rule": "B", "training": settings(epochs=1), "baselines": False}
    (_, first, _), (_, again, _), (_, other, _) = (
        protocol.detect(task, Windows("tokens", 8, 4), seed=seed, **options) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first.probabilities, again.probabilities)
    assert (first.probabilities != other.probabilities).any()


def test_features_are_computed_once(
    task: Task, pretrained: Model, store: ClipStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = store_features(pretrained, store, task.train_rows, WINDOWS, tmp_path, device="cpu")
    assert features.shape == (1080, 32)
    assert features.dtype == np.float16
    monkeypatch.setattr(extract, "frame_features", None)  # computing again would fail
    again = store_features(pretrained, store, task.train_rows, WINDOWS, tmp_path, device="cpu")
    np.testing.assert_array_equal(features, again)
    for windows, rows in ((Windows("centred", 8, 2), task.train_rows), (WINDOWS, task.test_rows)):
        with pytest.raises(TypeError):
            store_features(pretrained, store, rows, windows, tmp_path, device="cpu")


def test_recordings_at_several_speeds_stand_one_speed_after_another(
    task: Task, pretrained: Model, store: ClipStore, tmp_path: Path
) -> None:
    rows, speeds = task.train_rows[:2], (0.5, 1.0, 2.0)
    offsets = offsets_of(store, rows, speeds)
    assert offsets.tolist() == [0, 540, 1080, 1350, 1620, 1755, 1890]
    shown = frames_shown(store, rows, speeds)
    assert shown[:5].tolist() == [0, 0, 1, 1, 2]
    assert shown[540:543].tolist() == [270, 270, 271]
    np.testing.assert_array_equal(shown[1080:1620], np.arange(540))
    assert shown[1620:1623].tolist() == [0, 2, 4]
    assert shown[-1] == 538
    played = store_features(pretrained, store, rows, WINDOWS, tmp_path, device="cpu", speeds=speeds)
    plain = store_features(pretrained, store, rows, WINDOWS, tmp_path, device="cpu")
    assert len(played) == offsets[-1]
    np.testing.assert_array_equal(played[1080:1620], plain)
    assert (played[:540] != plain[shown[:540]]).any()


def test_features_that_do_not_fit_on_the_disk_are_not_kept(
    task: Task,
    pretrained: Model,
    store: ClipStore,
    tmp_path: Path,
    file_size_limit: Callable[[int], AbstractContextManager[None]],
) -> None:
    with pytest.raises(KinemeError, match="cannot be written"), file_size_limit(20_000):
        store_features(pretrained, store, task.train_rows, WINDOWS, tmp_path, device="cpu")
    assert not list(tmp_path.iterdir())


def test_damaged_features_are_computed_again(
    task: Task, pretrained: Model, store: ClipStore, tmp_path: Path
) -> None:
    features = np.array(store_features(pretrained, store, task.test_rows, WINDOWS, tmp_path, device="cpu"))
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(kept.read_bytes()[:1000])
    again = store_features(pretrained, store, task.test_rows, WINDOWS, tmp_path, device="cpu")
    np.testing.assert_array_equal(again, features)


def test_features_that_are_not_finite_are_refused_by_recording(
    task: Task, pretrained: Model, store: ClipStore, tmp_path: Path
) -> None:
    with torch.no_grad():
        pretrained.encoder.temporal.embedding[0].weight.fill_(np.nan)
    with pytest.raises(KinemeError, match=r"usdrl encoder gives features of recording0 .* smaller learning"):
        store_features(pretrained, store, task.train_rows, WINDOWS, tmp_path, device="cpu")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("tuned", "rule"), [(False, "A"), (True, "A"), (False, "C")])
def test_a_detector_that_was_kept_finds_the_same(
    task: Task, pretrained: Model, store: ClipStore, tmp_path: Path, tuned: bool, rule: str
) -> None:
    training = settings(epochs=1) if tuned else None
    _, found, detector = protocol.detect(
        task, WINDOWS, context=Context(1, 4), rule=rule, training=training, baselines=False
    )
    detector.save(tmp_path / "detect.safetensors")
    loaded = Detector.load(tmp_path / "detect.safetensors", pretrained)
    segments = find(loaded, store, device="cpu")
    expected = [
        (str(found.names[row]), start / 10, end / 10, ("background", *CLASSES)[label])
        for row, label, start, end in found.segments.tolist()
    ]
    mine = [each for each in segments if each.recording in found.names]
    assert [(each.recording, each.start, each.end, each.action) for each in mine] == expected
    assert [each.score for each in mine] == pytest.approx(found.segment_scores)


@pytest.mark.parametrize("tuned", [False, True])
def test_a_detector_takes_the_stream_that_it_was_trained_on(
    store: ClipStore, tmp_path: Path, tuned: bool
) -> None:
    run = write_run(tmp_path / "run", store, stream=TOGETHER)
    task = open_task(run, TaskOptions(stream="motion"), rows_of=protocol.recorded)
    training = settings(epochs=1) if tuned else None
    _, found, detector = protocol.detect(
        task, WINDOWS, context=ALONE, rule="A", training=training, baselines=False
    )
    detector.save(tmp_path / "detect.safetensors")
    loaded = Detector.load(tmp_path / "detect.safetensors", load_run(run))
    again = loaded.find(store, task.test_rows, tmp_path, device="cpu")
    np.testing.assert_array_equal(again.probabilities, found.probabilities)


def test_a_detector_of_another_encoder_is_refused(task: Task, pretrained: Model, tmp_path: Path) -> None:
    path = tmp_path / "detect.safetensors"
    with pytest.raises(KinemeError, match="no such detector; train one"):
        Detector.load(path, pretrained)
    path.write_bytes(b"nonsense")
    with pytest.raises(KinemeError, match="not a detector that this Kineme wrote"):
        Detector.load(path, pretrained)
    _, _, detector = protocol.detect(task, WINDOWS, context=ALONE, rule="A", baselines=False)
    detector.save(path)
    other = Model(**{**vars(pretrained), "weights": "another"})
    with pytest.raises(KinemeError, match="an encoder that the run no longer holds"):
        Detector.load(path, other)


def test_a_detector_of_before_boundaries_were_moved_does_not_move_them(
    task: Task, pretrained: Model, store: ClipStore, tmp_path: Path
) -> None:
    path = tmp_path / "detect.safetensors"
    _, found, detector = protocol.detect(task, WINDOWS, context=ALONE, rule="C", baselines=False)
    detector.save(path)
    with safe_open(path, framework="pt") as opened:
        described = json.loads(opened.metadata()["kineme"])
    del described["boundaries"]
    old = {name: each for name, each in load_file(path).items() if not name.startswith("boundaries.")}
    save_file(old, path, metadata={"kineme": json.dumps(described)})
    again = Detector.load(path, pretrained).find(store, task.test_rows, tmp_path, device="cpu")
    np.testing.assert_array_equal(again.labels, label_frames(found.probabilities, found.offsets, "C"))


def test_a_detector_of_before_there_was_smoothing_does_not_smooth(
    task: Task, pretrained: Model, tmp_path: Path
) -> None:
    path = tmp_path / "detect.safetensors"
    _, _, detector = protocol.detect(task, WINDOWS, context=Context(1, 4, 2.0), rule="C", baselines=False)
    detector.save(path)
    assert Detector.load(path, pretrained).classifier.context == Context(1, 4, 2.0)
    with safe_open(path, framework="pt") as opened:
        described = json.loads(opened.metadata()["kineme"])
    del described["context"]["smoothing"]
    save_file(load_file(path), path, metadata={"kineme": json.dumps(described)})
    assert Detector.load(path, pretrained).classifier.context == Context(1, 4, 0.0)


def test_trimmed_clips_and_parts_without_actions_are_refused(run: Path, moves: Path, tmp_path: Path) -> None:
    with pytest.raises(KinemeError, match=r"moves: its clips have no intervals.*`untrimmed`"):
        protocol.recorded(ClipStore(moves), "odd-even", "train")
    bare = ClipStore(write_recordings(tmp_path / "bare", intervals=False))
    with pytest.raises(KinemeError, match="no intervals"):
        protocol.recorded(bare, "odd-even", "test")


HOUR = """
import json, resource, sys
from pathlib import Path
from kineme.loading import load_run
from kineme.clips.store import ClipStore
from kineme.evaluation.detection.detector import Detector
from kineme.evaluation.detection.found import find
run, store = map(Path, sys.argv[1:])
detector = Detector.load(run / "detect.safetensors", load_run(run))
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
found = find(detector, ClipStore(store), device="cpu")
print(json.dumps({"segments": len(found), "end": max(each.end for each in found), "mib": peak() - before}))
"""


@pytest.mark.slow
def test_an_hour_is_processed_in_bounded_memory(task: Task, run: Path, tmp_path: Path) -> None:
    """108,000 frames whose windows would fill 1.6 GB and whose features 14 MB, beside 100 MB of overhead."""
    _, _, detector = protocol.detect(
        task, Windows("centred", 64, 4), context=ALONE, rule="A", baselines=False
    )
    detector.save(run / "detect.safetensors")
    hour = write_recordings(tmp_path / "hour", recordings=1, frames=108_000)
    command = [sys.executable, "-c", HOUR, str(run), str(hour)]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert said["segments"] > 0
    assert said["end"] > 0.8 * 10_800
    assert said["mib"] < 200


def test_the_result_can_be_written_and_read(task: Task, tmp_path: Path) -> None:
    result, _, _ = protocol.detect(task, WINDOWS, context=ALONE, rule="B", baselines=False)
    (tmp_path / "detect.json").write_text(result.to_json())
    read = Result.from_json(tmp_path / "detect.json")
    assert read.scores == result.scores
    assert read.settings["windows"] == {"kind": "centred", "frames": 8, "step": 1}
