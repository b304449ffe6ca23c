"""Recognition: what the probes are fitted to, and what is reported."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from conftest import STICK
from kineme.checkpoints import save_encoder
from kineme.clips.store import Clip, Manifest
from kineme.clips.writer import StoreWriter
from kineme.encoders import STTR, ClipShape
from kineme.errors import KinemeError
from kineme.evaluation.fewlabels import frozen
from kineme.evaluation.finetune import finetune, semi
from kineme.evaluation.recognition import _of_ranks, compared, knn, linear, transfer
from kineme.evaluation.results import PRETRAINED, RANDOM, RAW, SCRATCH, Result, save
from kineme.evaluation.task import Task, open_task
from kineme.metrics.ranking import Ranks
from kineme.model import random_like
from kineme.packaged import find_recipe
from kineme.preprocessing import get_preprocessing
from kineme.settings import load_config

PLAIN = get_preprocessing("plain")


def write_swapped(path: Path) -> Path:
    """Hands that rise or swing. Subjects 1 and 3 call them by their names, 2 and 4 the other way round."""
    rng = np.random.default_rng(0)
    ways = np.array([[0, 1, 0], [1, 0, 0]])
    with StoreWriter(path, Manifest(STICK, PLAIN, "test", ("rise", "swing")), bodies=1) as writer:
        for i in range(48):
            subject, motion = 1 + i // 12, i % 2
            xyz = np.tile([[0, 0, 0], [0, 1, 0], [0.3, 1, 0]], (12, 1, 1, 1)).astype(np.float32)
            xyz[:, 0, 2] += np.linspace(0, 1, 12)[:, None] * ways[motion]
            xyz += 0.01 * rng.standard_normal(xyz.shape).astype(np.float32)
            label = motion if subject % 2 else 1 - motion
            writer.add(Clip(f"clip{i:02}", xyz, label=label, subject=str(subject)))
    return path


def write_run(path: Path, store: Path, *, recipe: str | None = "usdrl-small") -> Path:
    config = {
        "data": {"store": str(store), "split": "odd-even", "stream": "joint", "frames": 8},
        "method": {"name": "usdrl"},
        "encoder": {"name": "sttr", "hidden": 16, "depth": 1},
        "evaluate": asdict(load_config(find_recipe(recipe)).evaluate) if recipe else {},
    }
    with torch.random.fork_rng():
        torch.manual_seed(1)
        encoder = STTR(ClipShape(STICK, 8, 1), hidden=16, depth=1)
    save_encoder(path / "model.safetensors", encoder, PLAIN, config)
    return path


@pytest.fixture
def swapped(tmp_path: Path) -> Task:
    return open_task(write_run(tmp_path / "run", write_swapped(tmp_path / "swapped")))


def rows(result: Result) -> dict[str, dict[str, float]]:
    every = {**result.baselines, PRETRAINED: result.scores}
    return {row: {name: score.value for name, score in scores.items()} for row, scores in every.items()}


# Nothing is fitted to test clips. What has seen training clips alone gets every test clip of `swapped` wrong;
# what has seen test clips too gets some of them right.


def test_no_probe_is_fitted_to_test_clips(swapped: Task) -> None:
    found = rows(linear(swapped, lr=1.0)[0])
    assert list(found) == [RAW, RANDOM, PRETRAINED]
    for scores in found.values():  # the best epoch is chosen on the test clips, as the papers do
        assert (scores["logistic"], scores["last"]) == (0.0, 0.0)


def test_no_test_clip_is_a_neighbour_or_ranked(swapped: Task) -> None:
    """The 12 training clips of the other motion come first, those of the test clip's class after them."""
    precision = 100 * np.mean([rank / (12 + rank) for rank in range(1, 13)])
    for scores in rows(knn(swapped)[0]).values():
        assert scores == {"knn": 0.0, "recall@5": 0.0, "recall@10": 0.0, "mAP": pytest.approx(precision)}


def test_so_many_neighbours_vote_as_are_asked_for(swapped: Task) -> None:
    """Of 3 training clips that rise and 12 that swing, one neighbour moves alike, 15 say `swing`."""
    labels = swapped.train_labels
    kept = np.sort(np.r_[np.flatnonzero(labels == 0)[:3], np.flatnonzero(labels == 1)])
    task = replace(swapped, train_rows=swapped.train_rows[kept], train_labels=labels[kept])
    assert knn(task, k=1, baselines=False)[0].scores["knn"].value == 0.0
    assert knn(task, k=15, baselines=False)[0].scores["knn"].value == 50.0


def test_transfer_is_fitted_to_training_clips_alone(swapped: Task) -> None:
    found = rows(transfer(swapped, lr=1.0, baselines=False)[0])[PRETRAINED]
    assert {name for name, value in found.items() if value == 0.0} >= {"logistic", "last", "knn", "recall@10"}


def test_no_network_is_fine_tuned_on_test_clips(swapped: Task) -> None:
    few = {"epochs": 12, "lr": 5e-3, "from_scratch": True}
    tuned, on_few_labels = finetune(swapped, **few)[0], semi(swapped, fractions=[0.5], seeds=1, **few)
    for row in (SCRATCH, PRETRAINED):
        assert rows(tuned)[row] == {"last": 0.0, "best": 0.0}
        assert rows(on_few_labels)[row] == {"50 %": 0.0}


def test_no_probe_of_few_labels_is_fitted_to_test_clips(swapped: Task) -> None:
    for scores in rows(frozen(swapped, fractions=[0.5], seeds=1, lr=1.0)[0]).values():
        assert scores == {"50 %": 0.0, "50 % logistic": 0.0}


def test_the_random_encoder_follows_from_the_seed(swapped: Task) -> None:
    for seed in (0, 5):
        model = compared(swapped, seed, True)[RANDOM]
        assert model is not None
        assert model.weights == random_like(swapped.model, seed).weights
    assert random_like(swapped.model, 0).weights != random_like(swapped.model, 5).weights


# What is reported


def test_recall_counts_the_last_of_so_many_neighbours() -> None:
    found = _of_ranks(Ranks(np.arange(3), np.array([5, 6, 11]), np.array([1.0, 0.5, 0.0])))
    assert {name: round(score.value, 1) for name, score in found.items()} == {
        "recall@5": 33.3,
        "recall@10": 66.7,
        "mAP": 50.0,
    }


def test_metrics_are_of_the_detailed_probe(swapped: Task) -> None:
    result, predictions = linear(swapped, baselines=False)
    assert set(predictions.scores) == {"logistic", "last"}  # the best epoch was chosen on these very clips
    assert result.detailed == "last"
    assert result.metrics == {
        "top-1": 0.0,
        "balanced accuracy": 0.0,
        "macro-F1": 0.0,
        "per-class recall": [0.0, 0.0],
    }
    assert result.confusion_matrix == [[0, 12], [12, 0]]
    assert predictions.names.tolist() == [f"clip{i:02}" for i in (*range(12, 24), *range(36, 48))]
    np.testing.assert_array_equal(predictions.scores["last"].argmax(axis=1), 1 - predictions.labels)


def test_a_result_says_the_rate_that_was_chosen(tmp_path: Path) -> None:
    store = write_swapped(tmp_path / "swapped")
    task = open_task(write_run(tmp_path / "run", store, recipe="slim-small"))
    result, _ = linear(task, baselines=False)
    save(result, tmp_path / "linear.json")
    scores = Result.from_json(tmp_path / "linear.json").scores
    assert scores["last"].rate in task.model.protocols.linear.rates
    assert scores["best"].rate == scores["last"].rate
    assert scores["logistic"].rate is None


def test_progress_is_told_in_clips_that_are_encoded_and_probed(swapped: Task) -> None:
    told: list[tuple[int, int]] = []
    knn(swapped, progress=lambda *done: told.append(done))
    # 24 training and 24 test clips: raw coordinates are probed, two encoders encode and are probed
    assert told[0] == (48, 240)
    assert told[-1] == (240, 240)
    assert sorted(told) == told


def test_a_probe_without_a_rate_is_refused_and_knn_needs_none(tmp_path: Path) -> None:
    store = write_swapped(tmp_path / "swapped")
    task = open_task(write_run(tmp_path / "run", store, recipe=None))
    with pytest.raises(KinemeError) as refused:
        linear(task)
    assert str(refused.value) == (
        f"{task.run}: the recipe sets no evaluate.linear.lr; set it there, or pass `lr`"
    )
    assert linear(task, lr=0.1, baselines=False)[0].settings["lr"] == 0.1
    assert knn(task, baselines=False)[0].settings == {"k": 1}
