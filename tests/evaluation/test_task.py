"""What is measured on which clips: defaults of the run, what differs, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from conftest import STICK, write_store
from kineme.checkpoints import save_encoder
from kineme.clips.store import Clip, ClipStore, Manifest
from kineme.clips.writer import StoreWriter
from kineme.config import DataConfig
from kineme.encoders import STTR, ClipShape
from kineme.errors import KinemeError
from kineme.evaluation.options import TaskOptions
from kineme.evaluation.task import Task, labelled, open_task, qualifiers
from kineme.model import random_like
from kineme.preprocessing import get_preprocessing


@pytest.fixture
def run(tmp_path: Path, moves: Path) -> Path:
    path = tmp_path / "run"
    config = {
        "data": {"store": str(moves), "split": "odd-even", "stream": "joint", "frames": 8},
        "method": {"name": "usdrl"},
        "encoder": {"name": "sttr", "hidden": 8, "depth": 1},
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder = STTR(ClipShape(STICK, 8, 2), hidden=8, depth=1)
    save_encoder(path / "model.safetensors", encoder, get_preprocessing("plain"), config)
    return path


def test_by_default_the_clips_are_those_of_the_pre_training(run: Path, moves: Path) -> None:
    task = open_task(run)
    subjects = ClipStore(moves).index["subject"]
    assert (task.store.path, task.split, task.classes, task.seen_clips) == (moves, "odd-even", 3, 0)
    assert set(subjects[task.train_rows]) == {"1", "3"}
    assert set(subjects[task.test_rows]) == {"2", "4"}
    np.testing.assert_array_equal(task.train_labels, task.train_rows % 3)
    np.testing.assert_array_equal(task.test_labels, task.test_rows % 3)


def test_the_run_stands_for_its_weights_file(run: Path) -> None:
    assert open_task(run / "model.safetensors").run == open_task(str(run)).run == run


def test_result_files_are_named_after_what_differs(run: Path, tmp_path: Path) -> None:
    results = run / "results"
    assert open_task(run).result_path("knn") == results / "knn.json"
    other = open_task(run, TaskOptions(write_store(tmp_path / "other"), "subjects:1,2"))
    path = other.result_path("knn", "k3", seed=2)
    assert path == results / "knn-other-subjects-1-2-k3-seed2.json"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (TaskOptions(), ()),
        (TaskOptions(Path("stores/../stores/mine"), "xsub"), ()),  # spelt out, but the same
        (TaskOptions(Path("elsewhere/mine")), ("mine",)),
        (TaskOptions(split="xview", leave_out_overlap=True), ("xview", "unseen")),
        (TaskOptions(map_joints=True), ()),
        (TaskOptions(joint_map=Path("maps/hands.yaml")), ("hands",)),
    ],
)
def test_what_differs_from_the_pre_training(options: TaskOptions, named: tuple[str, ...]) -> None:
    assert qualifiers(DataConfig(store="stores/mine", split="xsub"), options) == named


def test_a_run_that_knows_no_store_has_only_others() -> None:
    assert qualifiers(DataConfig(split="xsub"), TaskOptions(Path("mine"))) == ("mine",)


def test_features_are_kept_in_the_run_by_encoder_and_clips(run: Path) -> None:
    task = open_task(run)
    first = task.features(task.model, task.test_rows)
    assert first.shape == (12, 16)
    other = task.features(random_like(task.model, 5), task.test_rows)
    assert not np.allclose(first, other)
    assert len(list((run / "features").iterdir())) == 2
    np.testing.assert_array_equal(task.features(task.model, task.test_rows), first)


def test_a_result_says_what_was_measured(run: Path, moves: Path) -> None:
    task = open_task(run, TaskOptions(split="subjects:1,2"))  # tests on 3, whom pre-training saw, and 4
    described = task.described()
    assert described["weights"] == task.model.weights
    assert described["fingerprint"] == ClipStore(moves).manifest.fingerprint
    assert (described["split"], described["train_clips"], described["test_clips"]) == ("subjects:1,2", 12, 12)
    assert (described["seen_clips"], described["joint_map"]) == (6, None)


def refused(run: Path, options: TaskOptions) -> str:
    with pytest.raises(KinemeError) as caught:
        open_task(run, options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_clips_that_cannot_be_measured_on_are_refused(
    run: Path, tmp_path: Path, unlabelled_moves: Path
) -> None:
    assert "have no labels to evaluate with; choose another `store`" in refused(
        run, TaskOptions(unlabelled_moves)
    )
    assert (
        "split 'all' tests on clips that it trains on; choose another `split`, such as odd-even"
        in refused(run, TaskOptions(split="all"))
    )


def test_where_nobody_is_known_the_way_to_a_split_is_named(run: Path, tmp_path: Path) -> None:
    manifest = Manifest(STICK, get_preprocessing("plain"), "test", ("a", "b"))
    with StoreWriter(tmp_path / "nobody", manifest, 1) as writer:
        for i in range(4):
            writer.add(Clip(f"clip{i}", np.ones((4, 1, 3, 3), dtype=np.float32), label=i % 2))
    message = refused(run, TaskOptions(tmp_path / "nobody", split="all"))
    assert "no other can be made, as neither people nor cameras are known: prepare the clips again" in message


def test_a_map_of_joints_that_are_there_is_refused(run: Path) -> None:
    message = "has the encoder's joints, so `joint_map` has no effect; drop it"
    assert message in refused(run, TaskOptions(joint_map=Path("hands.yaml")))
    assert open_task(run, TaskOptions(map_joints=True)).store.layout == STICK


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_missing_is_refused(run: Path) -> None:
    message = "`device` is cuda, but PyTorch finds no GPU here; set it to auto or cpu"
    assert refused(run, TaskOptions(device="cuda")) == message


def test_test_clips_seen_in_pre_training_can_be_left_out(run: Path) -> None:
    task: Task = open_task(run, TaskOptions(split="subjects:1,2", leave_out_overlap=True))
    assert set(task.store.index["subject"][task.test_rows]) == {"4"}
    assert (task.seen_clips, task.qualifiers) == (0, ("subjects:1,2", "unseen"))
    assert len(task.test_labels) == 6


def test_clips_without_a_label_are_in_neither_part(tmp_path: Path) -> None:
    with StoreWriter(
        tmp_path / "some", Manifest(STICK, get_preprocessing("plain"), "test", ("a", "b")), 1
    ) as writer:
        for i, label in enumerate((0, 1, -1, 0, 1, -1)):
            xyz = np.ones((4, 1, 3, 3), dtype=np.float32)
            writer.add(Clip(f"clip{i}", xyz, label=label, subject=str(1 + i // 3)))
    store = ClipStore(tmp_path / "some")
    assert labelled(store, "odd-even", "train").tolist() == [0, 1]
    assert labelled(store, "odd-even", "test").tolist() == [3, 4]
