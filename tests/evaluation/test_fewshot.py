"""Few-shot recognition: which exemplars are gone by, and what is counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from kineme.checkpoints import save_encoder
from kineme.clips.splits import ONE_SHOT_EXEMPLARS, split_rows
from kineme.clips.store import Clip, ClipStore, Manifest
from kineme.clips.writer import StoreWriter
from kineme.encoders import STTR, ClipShape
from kineme.errors import KinemeError
from kineme.evaluation.fewshot import exemplars, fewshot
from kineme.evaluation.results import RAW
from kineme.evaluation.task import Task, open_task
from kineme.layouts import Layout
from kineme.metrics.neighbours import nearest_label
from kineme.preprocessing import get_preprocessing

PLAIN = get_preprocessing("plain")
POINT = Layout.from_names("stick", ["hip", "neck", "hand"], [None, "hip", "neck"])
CLASSES = tuple(f"A{action}" for action in range(1, 121))


def write_task(folder: Path, clips: list[tuple[str, int, float]], split: str, source: str = "ntu120") -> Task:
    """Clips of (name, action counted from 1, angle at which the hand is held), of subjects 1, 2, 1, 2 ..."""
    store = folder / "store"
    with StoreWriter(store, Manifest(POINT, PLAIN, source, CLASSES), bodies=1) as writer:
        for i, (name, action, angle) in enumerate(clips):
            xyz = np.tile([[0, 0, 0], [0, 1, 0], [np.cos(angle), np.sin(angle), 0]], (8, 1, 1, 1))
            writer.add(Clip(name, xyz.astype(np.float32), label=action - 1, subject=str(1 + i % 2)))
    config = {
        "data": {"store": str(store), "split": split, "stream": "joint", "frames": 8},
        "method": {"name": "usdrl"},
        "encoder": {"name": "sttr", "hidden": 8, "depth": 1},
    }
    with torch.random.fork_rng():
        torch.manual_seed(1)
        encoder = STTR(ClipShape(POINT, 8, 1), hidden=8, depth=1)
    save_encoder(folder / "run" / "model.safetensors", encoder, PLAIN, config)
    return open_task(folder / "run")


def one_shot(folder: Path, leave_out: int = 0) -> Task:
    """An exemplar of each novel class at its own angle, and three clips to test on, of which one lies.

    Two clips of other classes, which the split trains on, are nearer to all of them than any exemplar.
    """
    angles = {name: 0.1 * number for number, name in enumerate(ONE_SHOT_EXEMPLARS)}
    clips = [(name, int(name[-3:]), angle) for name, angle in angles.items()][leave_out:]
    clips += [("near7", 7, 0.101), ("near13", 13, 0.199), ("lies", 19, 0.5)]
    return write_task(folder, [*clips, ("other2", 2, 0.1005), ("other3", 3, 0.1995)], "oneshot")


def test_the_named_exemplars_are_gone_by(tmp_path: Path) -> None:
    assert ONE_SHOT_EXEMPLARS[:2] == ("S001C003P008R001A001", "S001C003P008R001A007")
    assert ONE_SHOT_EXEMPLARS[9:11] == ("S001C003P008R001A055", "S018C003P008R001A061")
    assert ONE_SHOT_EXEMPLARS[-1] == "S018C003P008R001A115"
    result, _ = fewshot(one_shot(tmp_path))
    score = result.baselines[RAW]["1 shot"]
    assert (score.value, score.deviation) == (pytest.approx(200 / 3), None)
    assert (result.train_clips, result.test_clips) == (20, 3)
    assert result.settings == {"shots": 1, "draws": 1, "exemplars": "named by the data set"}


def test_the_split_keeps_novel_classes_apart(tmp_path: Path) -> None:
    task = one_shot(tmp_path)
    names = task.store.names
    assert names[split_rows(task.store, "oneshot", "train")].tolist() == ["other2", "other3"]
    assert len(split_rows(task.store, "oneshot", "test")) == 23


def test_what_the_split_cannot_do_is_said(tmp_path: Path) -> None:
    with pytest.raises(
        KinemeError, match="has no clip S001C003P008R001A001, an exemplar of the split oneshot"
    ):
        fewshot(one_shot(tmp_path / "lacking", leave_out=1))
    with pytest.raises(KinemeError, match="`shots`: split oneshot names one exemplar"):
        fewshot(one_shot(tmp_path / "more"), shots=5)
    clips = [("a", 1, 0.0), ("b", 1, 0.0), ("c", 2, 1.0), ("d", 2, 1.0)]
    task = write_task(tmp_path / "others", clips, "odd-even", source="test")
    with pytest.raises(
        KinemeError, match="'oneshot' is a split of NTU RGB\\+D 120, but the source is 'test'"
    ):
        split_rows(ClipStore(task.store.path), "oneshot", "train")
    for name in ("shots", "draws"):
        with pytest.raises(KinemeError, match=f"`{name}`: is 0"):
            fewshot(task, **{name: 0})


def test_exemplars_are_as_many_of_each_class_and_all_of_a_small_one() -> None:
    labels = np.array([0, 1, 0, 1, 0, 2, 1, 0])
    for seed in range(5):
        chosen = exemplars(labels, 2, seed)
        assert np.bincount(labels[chosen]).tolist() == [2, 2, 1]
        assert len(set(chosen.tolist())) == 5
        assert np.array_equal(chosen, exemplars(labels, 2, seed))
    drawn = {tuple(exemplars(labels, 1, seed).tolist()) for seed in range(50)}
    assert len(drawn) == 4 * 3  # each of its class's clips is drawn at times


def test_drawn_exemplars_give_a_mean_and_its_deviation(tmp_path: Path) -> None:
    """Class 1 trains at 0 and at 1, class 2 at 1.1: the test clip at 0.6 needs the exemplar at 1."""
    clips = [("a", 1, 0.0), ("t", 1, 0.6), ("b", 1, 1.0), ("u", 1, 0.0), ("c", 2, 1.1), ("v", 2, 1.1)]
    task = write_task(tmp_path, clips, "odd-even")
    result, _ = fewshot(task, draws=10)
    score = result.baselines[RAW]["1 shot"]
    far = [exemplars(task.train_labels, 1, seed)[0] == 0 for seed in range(10)]
    values = np.where(far, 200 / 3, 100.0)
    assert len(set(values)) == 2
    assert score.values == pytest.approx(tuple(values))
    assert score.value == pytest.approx(values.mean())
    assert score.deviation == pytest.approx(values.std(ddof=1))
    assert np.sum(result.confusion_matrix) == 30
    every, _ = fewshot(task, shots=2, draws=1)
    assert list(every.scores) == ["2 shots"]
    assert every.baselines[RAW]["2 shots"].value == 100.0


def test_draws_follow_from_the_seed(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    clips = [(f"clip{i:02}", 1 + i // 2 % 2, float(rng.uniform(0, 2))) for i in range(32)]
    task = write_task(tmp_path, clips, "odd-even", source="test")
    features = task.features(task.model, np.r_[task.train_rows, task.test_rows])
    train, test = features[: len(task.train_rows)], features[len(task.train_rows) :]
    by_hand = []
    for seed in (5, 6, 7):
        places = exemplars(task.train_labels, 1, seed)
        said = nearest_label(train[places], task.train_labels[places], test)
        by_hand.append(100 * np.mean(said == task.test_labels))
    score = fewshot(task, draws=3, seed=5, baselines=False)[0].scores["1 shot"]
    assert score.values == pytest.approx(tuple(by_hand))
    assert score.deviation == pytest.approx(np.std(by_hand, ddof=1))
    assert len(set(by_hand)) > 1
