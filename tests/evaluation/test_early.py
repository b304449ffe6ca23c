"""Early prediction: what is seen of a clip, what the probes are fitted to, and what is reported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from conftest import STICK
from kineme.augment.temporal import first_frames
from kineme.checkpoints import save_encoder
from kineme.clips.batches import joined
from kineme.clips.store import Clip, Manifest
from kineme.clips.writer import StoreWriter
from kineme.encoders import STTR, ClipShape
from kineme.errors import KinemeError
from kineme.evaluation.early import SHARES, early
from kineme.evaluation.features import extract
from kineme.evaluation.linear import sgd
from kineme.evaluation.results import RANDOM, RAW, Result, save
from kineme.evaluation.task import Task, open_task
from kineme.preprocessing import get_preprocessing
from kineme.typing import Array

PLAIN = get_preprocessing("plain")
FRAMES = 40


def hand(label: int, rng: np.random.Generator) -> Array:
    """A hand that rises for 20 of 40 frames, then rises on or falls: that alone tells the classes apart."""
    height = np.r_[np.linspace(0, 1, 20), np.linspace(1, 2, 20) if label else np.linspace(1, 0, 20)]
    xyz = np.tile([[0, 0, 0], [0, 1, 0], [0.3, 1, 0]], (FRAMES, 1, 1, 1)).astype(np.float32)
    xyz[:, 0, 2, 1] += height
    return xyz + 0.001 * rng.standard_normal(xyz.shape).astype(np.float32)


def write_task(folder: Path, *, crop: float = 1.0, lr: float | None = 0.5) -> Task:
    store, rng = folder / "store", np.random.default_rng(0)
    with StoreWriter(store, Manifest(STICK, PLAIN, "test", ("fall", "rise")), bodies=1) as writer:
        for i in range(48):
            writer.add(Clip(f"clip{i:02}", hand(i % 2, rng), label=i % 2, subject=str(1 + i // 12)))
    probe = {"lr": lr, "epochs": 60, "milestones": [], "batch_size": 24, "norm": True}
    config = {
        "data": {"store": str(store), "split": "odd-even", "stream": "joint", "frames": 8},
        "method": {"name": "usdrl"},
        "encoder": {"name": "sttr", "hidden": 16, "depth": 1},
        "evaluate": {"linear": probe, "crop": crop},
    }
    with torch.random.fork_rng():
        torch.manual_seed(1)
        encoder = STTR(ClipShape(STICK, 8, 1), hidden=16, depth=1)
    save_encoder(folder / "run" / "model.safetensors", encoder, PLAIN, config)
    return open_task(folder / "run")


@pytest.mark.parametrize(
    ("length", "percent", "seen"),
    [(55, 10, 5), (55, 20, 11), (100, 70, 70), (300, 100, 300), (29, 10, 3), (20, 10, 3), (2, 10, 2)],
)
def test_frames_that_are_seen_are_rounded_down_and_at_least_three(
    length: int, percent: int, seen: int
) -> None:
    assert first_frames(torch.tensor([length]), percent).tolist() == [seen]


def test_features_are_those_of_the_cut_clip(tmp_path: Path) -> None:
    """Also where the recipe crops: the beginning is shown, not its centre."""
    task = write_task(tmp_path, crop=0.5)
    rows = np.array([0, 5])
    found = extract(task.model, task.store, rows, seen=30)
    cut = joined([task.store.clip(int(row))[:12] for row in rows])
    np.testing.assert_allclose(found, task.model.encode(cut, crop=1.0), atol=1e-5)


def test_what_has_not_happened_yet_is_not_recognised(tmp_path: Path) -> None:
    """Until half of the clip is over, both classes do the same."""
    result, predictions = early(write_task(tmp_path))
    assert list(result.scores) == [*(f"{share} %" for share in SHARES), "mean"]
    assert list(result.baselines) == [RAW, RANDOM]
    for scores in (*result.baselines.values(), result.scores):
        values = {name: score.value for name, score in scores.items()}
        assert all(values[f"{share} %"] < 80 for share in (10, 20, 30, 40))
        assert values["100 %"] == values["80 %"] == 100.0
        assert values.pop("mean") == pytest.approx(np.mean(list(values.values())))
    assert result.detailed == "100 %"
    assert result.confusion_matrix == [[12, 0], [0, 12]]
    for share in SHARES:
        hits = predictions.scores[f"{share} %"].argmax(axis=1) == predictions.labels
        assert 100 * hits.mean() == pytest.approx(result.scores[f"{share} %"].value)


def test_a_probe_of_whole_clips_takes_a_rise_for_a_rise(tmp_path: Path) -> None:
    """What rises in all frames seen is `rise` to a probe that knows whole clips only, so half are right."""
    task = write_task(tmp_path)
    whole, predictions = early(task, whole=True, baselines=False)
    alike, _ = early(task, baselines=False)
    assert whole.scores["100 %"] == alike.scores["100 %"]
    assert whole.settings["fitted_to"] == "whole clips"
    for share in (30, 40, 50):
        assert whole.scores[f"{share} %"].value == 50.0
        assert len(set(predictions.scores[f"{share} %"].argmax(axis=1).tolist())) == 1


@pytest.mark.parametrize(("whole", "clips"), [(False, 10 * 48), (True, 24 + 10 * 24)])
def test_progress_counts_clips_that_are_encoded_and_probed(tmp_path: Path, whole: bool, clips: int) -> None:
    told: list[tuple[int, int]] = []
    early(write_task(tmp_path), whole=whole, progress=lambda *done: told.append(done))
    assert sorted(told) == told
    assert {total for _, total in told} == {3 * 2 * clips}
    assert told[-1][0] == told[-1][1]


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    result, _ = early(write_task(tmp_path), baselines=False)
    save(result, tmp_path / "early.json")
    again = Result.from_json(tmp_path / "early.json")
    assert again.scores == result.scores
    assert again.scores["10 %"].interval is not None


def test_a_rate_is_needed(tmp_path: Path) -> None:
    task = write_task(tmp_path, lr=None)
    with pytest.raises(KinemeError, match=r"sets no evaluate\.linear\.lr"):
        early(task)
    assert early(task, lr=0.5, baselines=False)[0].settings["probe"]["lr"] == 0.5


def test_a_given_rate_is_taken_instead_of_a_choice_of_rates(tmp_path: Path) -> None:
    task = write_task(tmp_path)
    expected = early(task, whole=True, baselines=False)[0].scores
    task.model.protocols.linear.rates = (1e-9,)
    assert early(task, whole=True, baselines=False)[0].scores != expected
    assert early(task, whole=True, lr=0.5, baselines=False)[0].scores == expected


def test_a_score_tells_the_rate_that_was_chosen(tmp_path: Path) -> None:
    task = write_task(tmp_path)
    task.model.protocols.linear.rates = (1e-9, 0.5)
    scores = early(task, whole=True, baselines=False)[0].scores
    assert {scores[f"{share} %"].rate for share in SHARES} == {0.5}
    assert scores["mean"].rate is None


@pytest.mark.parametrize("whole", [False, True])
def test_a_probe_is_fitted_to_training_clips_cut_alike_unless_whole_ones_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    fitted: list[tuple[Array, int]] = []

    def noted(train: Array, *arguments: Any, seed: int, **options: Any) -> Any:
        fitted.append((train, seed))
        return sgd(train, *arguments, seed=seed, **options)

    monkeypatch.setattr("kineme.evaluation.early.sgd", noted)
    task = write_task(tmp_path)
    early(task, whole=whole, baselines=False, seed=3)
    cuts = (100,) if whole else SHARES
    assert [seed for _, seed in fitted] == [3] * len(cuts)
    for (train, _), seen in zip(fitted, cuts, strict=True):
        np.testing.assert_array_equal(train, task.features(task.model, task.train_rows, seen=seen))
