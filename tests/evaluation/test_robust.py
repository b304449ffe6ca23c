"""Robustness: probes of clean clips on what a worse sensor gives, and the result with its provenance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kineme.clips.batches import resident
from kineme.evaluation.perturbing import body_height
from kineme.evaluation.recognition import knn
from kineme.evaluation.results import RANDOM, RAW, Result, save
from kineme.evaluation.robust import CLEAN, robust
from kineme.evaluation.task import Task
from kineme.metrics.accuracy import top_k

from .test_early import write_task


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return write_task(tmp_path_factory.mktemp("robust"))


def test_every_condition_stands_beside_the_clean_figure(task: Task, tmp_path: Path) -> None:
    result, predictions = robust(task)
    names = [name for name in result.scores if not name.endswith(", kNN")]
    assert names[:4] == [CLEAN, "joints missing", "jitter 1 %", "jitter 3 %"]
    assert [f"{name}, kNN" in result.scores for name in names] == [True] * len(names)
    assert set(result.baselines) == {RAW, RANDOM}
    assert all(set(scores) == set(result.scores) for scores in result.baselines.values())
    assert all(score.interval is not None for score in result.scores.values())
    assert result.settings["joints_missing"] == 1
    assert result.settings["turned_degrees"] == [30.0, 90.0]
    # From the hip to the neck 1 m, and a head that rises from 1 to 3 m, or up to 2 m and back.
    assert result.settings["body_height"] == pytest.approx(1.5, abs=0.5)
    for name in (CLEAN, "jitter 3 %"):
        found = top_k(predictions.scores[name], predictions.labels)
        assert found == pytest.approx(result.scores[name].value), name
    save(result, tmp_path / "robust.json")
    assert Result.from_json(tmp_path / "robust.json").scores == result.scores


def test_jitter_is_by_the_height_of_the_training_clips(task: Task) -> None:
    up = task.store.manifest.preprocessing.up
    train, test = (body_height(resident(task.store, rows), up) for rows in (task.train_rows, task.test_rows))
    assert robust(task, baselines=False)[0].settings["body_height"] == train != test


def test_clean_is_what_the_other_protocols_measure(task: Task) -> None:
    found, _ = robust(task, baselines=False)
    alone, _ = knn(task, baselines=False)
    assert found.scores["clean, kNN"] == alone.scores["knn"]
    assert found.baselines == {}


def test_the_seed_decides_and_draws_do_not_depend_on_the_row(task: Task) -> None:
    one, again, other = (robust(task, seed=seed, baselines=False)[1] for seed in (0, 0, 1))
    name = "jitter 3 %"
    np.testing.assert_array_equal(one.scores[name], again.scores[name])
    assert not np.array_equal(one.scores[name], other.scores[name])
    np.testing.assert_array_equal(one.scores[CLEAN], other.scores[CLEAN])


def test_progress_ends_with_all_clips(task: Task) -> None:
    told: list[tuple[int, int]] = []
    robust(task, baselines=False, progress=lambda *done: told.append(done))
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1]
