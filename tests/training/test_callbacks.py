"""What watches training sees right: nearest neighbours, the history's means, the lines a log gets."""

from __future__ import annotations

import csv
import platform
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from conftest import STICK
from kineme.clips.batches import Clips
from kineme.encoders import ClipShape, Encoder, Features
from kineme.training.callbacks import WATCHED, Circumstances, ClipFeatures, History, OnlineKNN, embedded


class FirstJoint(Encoder):
    """A clip's feature is where its first joint begins."""

    dim = 3
    shape = ClipShape(STICK, 2, 1)

    def forward(self, clips: Tensor) -> Features:
        return Features(clips[:, :, 0, 0, 0])


def module_of(encoder: Encoder, clips: Clips) -> Any:
    """What callbacks see of a training: its encoder, its clips and its step."""
    return SimpleNamespace(method=SimpleNamespace(learned=encoder), clips=clips, device="cpu", global_step=0)


def watched(
    directions: list[float], labels: list[int], subjects: list[str], stores: list[int] | None = None
) -> float:
    """Accuracy for clips whose features point in these directions, in degrees."""
    angles = torch.tensor(directions).deg2rad()
    points = torch.stack([angles.cos(), angles.sin(), torch.zeros(len(angles))], dim=1)
    lengths = torch.arange(1, len(angles) + 1)[:, None]  # only the direction counts
    frames = (points * lengths).view(-1, 1, 1, 3).expand(-1, 1, 3, 3).contiguous()
    clips = Clips(frames, torch.arange(len(angles)), torch.ones(len(angles), dtype=torch.int64))
    encoder = FirstJoint()
    module = module_of(encoder, clips)
    of = np.array(stores or [0] * len(labels))
    knn = OnlineKNN(
        History(Path()), ClipFeatures(), np.array(labels), np.array(subjects), of, every=1, seed=0
    )
    found = knn.accuracy(module)
    assert encoder.training
    return found


def test_a_clip_s_neighbour_is_of_another_subject() -> None:
    directions, labels = [0, 10, 90, 30], [0, 0, 1, 1]
    assert watched(directions, labels, ["1", "1", "1", "1"]) == 3 / 4  # 0→10, 10→0, 90→30, 30→10
    assert watched(directions, labels, ["1", "1", "2", "2"]) == 0  # 0→30, 10→30, 90→10, 30→10
    assert watched(directions, labels, ["1", "2", "1", "2"]) == 3 / 4  # 0→10, 10→0, 90→30, 30→0


def test_clips_are_compared_with_those_of_their_own_store() -> None:
    directions, labels, subjects = [0, 10, 5, 40], [0, 0, 1, 1], ["1", "2", "3", "4"]
    assert watched(directions, labels, subjects) == 0
    assert watched(directions, labels, subjects, [0, 0, 1, 1]) == 1


def test_clips_without_labels_are_no_neighbours() -> None:
    assert watched([0, 5, 20], [0, -1, 0], ["1", "1", "1"]) == 1
    directions, labels = [50, 0, 10, 90, 30], [-1, 0, 0, 1, 1]
    assert watched(directions, labels, ["3", "1", "1", "2", "2"]) == 0  # 0→30, 10→30, 90→10, 30→10


def test_only_labelled_clips_count_towards_the_largest_number_watched() -> None:
    labels = np.full(10 * WATCHED, -1)
    labels[[3, 70]] = 1
    one = np.zeros(len(labels), dtype=np.int64)
    knn = OnlineKNN(History(Path()), ClipFeatures(), labels, np.full(len(labels), "1"), one, every=1, seed=0)
    assert knn.rows.tolist() == [3, 70]


def test_a_clip_that_is_alone_in_its_store_is_not_watched(tmp_path: Path) -> None:
    assert watched([0, 10, 90], [0, 1, 1], ["1", "1", "1"], [0, 0, 1]) == 0  # not 1/3
    history, one = History(tmp_path), np.zeros(1, dtype=np.int64)
    knn = OnlineKNN(history, ClipFeatures(), one, np.array(["1"]), one, every=1, seed=0)
    knn.on_train_epoch_end(trainer_at(0, 0), cast(Any, None))
    assert not history.noted


def test_each_clip_is_encoded_once_a_step() -> None:
    class Counting(FirstJoint):
        """Clip features that differ from step to step."""

        def forward(self, clips: Tensor) -> Features:
            seen.append(len(clips))
            return Features(super().forward(clips).clip + module.global_step)

    seen: list[int] = []
    places = torch.arange(300.0)
    frames = places[:, None, None, None].expand(-1, 1, 3, 3).contiguous()
    module = module_of(Counting(), Clips(frames, torch.arange(300), torch.ones(300, dtype=torch.int64)))
    features = ClipFeatures()
    for rows in ([3, 7, 200], [7, 200], [0, 7, 299], [0, 3, 200, 299]):
        assert features.of(module, torch.tensor(rows)).tolist() == [[float(row)] * 3 for row in rows]
    assert seen == [3, 2]  # three, none that is new, two that are, and none
    module.global_step = 5
    assert features.of(module, torch.tensor([7])).tolist() == [[12.0] * 3]


def test_many_clips_are_encoded_part_by_part() -> None:
    places = torch.arange(150.0)
    frames = places[:, None, None, None].expand(-1, 1, 3, 3).contiguous()
    module = module_of(FirstJoint(), Clips(frames, torch.arange(150), torch.ones(150, dtype=torch.int64)))
    assert torch.equal(embedded(module, torch.arange(150))[:, 0], places)


def test_looking_leaves_each_layer_in_its_mode() -> None:
    """A method may keep a teacher, or some of its layers, out of training."""
    encoder = FirstJoint()
    encoder.frozen, encoder.learning = torch.nn.BatchNorm1d(3).eval(), torch.nn.BatchNorm1d(3)
    clips = Clips(torch.ones(2, 1, 3, 3), torch.arange(2), torch.ones(2, dtype=torch.int64))
    embedded(module_of(encoder, clips), torch.arange(2))
    assert (encoder.training, encoder.frozen.training, encoder.learning.training) == (True, False, True)
    embedded(module_of(encoder.eval(), clips), torch.arange(2))
    assert not encoder.training


def trainer_at(epoch: int, step: int) -> Any:
    optimizer = SimpleNamespace(param_groups=[{"lr": 0.25}])
    return SimpleNamespace(
        current_epoch=epoch,
        global_step=step,
        is_global_zero=True,
        optimizers=[optimizer],
        accumulate_grad_batches=1,
        loggers=[],
        strategy=SimpleNamespace(reduce=lambda mean: mean),
        callback_metrics={},
    )


def test_the_history_holds_means_over_the_epoch_s_steps(tmp_path: Path) -> None:
    history = History(tmp_path)
    module: Any = None
    for epoch, losses in enumerate([(1.0, 2.0), (5.0, 8.0)]):
        trainer = trainer_at(epoch, 2 * epoch + 2)
        if epoch == 0:
            history.on_train_start(trainer, module)
        history.on_train_epoch_start(trainer, module)
        for step, loss in enumerate(losses):
            history.on_train_batch_end(trainer, module, {"loss": torch.tensor(loss)}, None, step)
        if epoch == 1:
            history.noted["knn"] = 0.5
        history.on_train_epoch_end(trainer, module)
    rows = list(csv.DictReader((tmp_path / "history.csv").open()))
    assert [(row["epoch"], row["step"], row["lr"]) for row in rows] == [
        ("1", "2", "0.25"),
        ("2", "4", "0.25"),
    ]
    assert [(float(row["loss"]), row["knn"]) for row in rows] == [(1.5, ""), (6.5, "0.5")]


def test_a_term_s_mean_is_over_the_steps_that_have_it(tmp_path: Path) -> None:
    history, module, trainer = History(tmp_path), None, trainer_at(0, 2)
    history.on_train_start(trainer, module)  # type: ignore[arg-type]
    history.on_train_epoch_start(trainer, module)  # type: ignore[arg-type]
    for step, losses in enumerate([{"loss": 1.0}, {"loss": 2.0, "late": 4.0}]):
        tensors = {name: torch.tensor(value, dtype=torch.bfloat16) for name, value in losses.items()}
        history.on_train_batch_end(trainer, module, tensors, None, step)  # type: ignore[arg-type]
    history.on_train_epoch_end(trainer, module)  # type: ignore[arg-type]
    assert (history.rows[0]["loss"], history.rows[0]["late"]) == (1.5, 4.0)


def test_a_resumed_history_continues_after_its_rows(tmp_path: Path) -> None:
    first, second = History(tmp_path), History(tmp_path)
    first.rows = [{"epoch": 1, "seconds": 40.0}]
    second.load_state_dict(first.state_dict())
    module: Any = None
    trainer = trainer_at(1, 4)
    second.on_train_start(trainer, module)
    second.on_train_epoch_start(trainer, module)
    second.on_train_epoch_end(trainer, module)
    assert [row["epoch"] for row in second.rows] == [1, 2]
    assert 40 <= second.rows[1]["seconds"] < 50


def test_the_processor_is_that_of_the_device_that_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU of {device}")
    found = []
    for device in ("cpu", "cuda:1"):
        trainer: Any = SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device(device)))
        circumstances = Circumstances()
        circumstances.setup(trainer, trainer, "fit")
        found.append(circumstances.state_dict()["processor"])
    assert found == [
        f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
        "GPU of cuda:1",
    ]
