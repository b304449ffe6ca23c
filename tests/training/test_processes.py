"""Two processes train one model: what is logged is of both, and they stop together."""

from __future__ import annotations

import csv
import math
import os
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import pytest
import torch
from spawning import Found, in_processes
from torch import Tensor

from conftest import Settings
from kineme.config import Config
from kineme.errors import KinemeError
from kineme.methods import AimCLR, SLiM
from kineme.settings import config_from_dict
from kineme.training.run import train

original = AimCLR.loss


def work(config: Config, run: Path, found: Queue[Found]) -> None:
    """Trains, and sends the losses and the error; in the second process the fifth loss is not finite."""
    rank, losses = int(os.environ["LOCAL_RANK"]), []

    def loss(self: AimCLR, *arguments: Any) -> dict[str, Tensor]:
        outputs = original(self, *arguments)
        losses.append(outputs["loss"].item())
        return {**outputs, "loss": outputs["loss"] * torch.nan} if rank == 1 and len(losses) == 5 else outputs

    AimCLR.loss = loss  # type: ignore[method-assign]
    try:
        train(config, run)
    except KinemeError as error:
        found.put((rank, losses, str(error)))


def test_means_are_of_all_processes_which_stop_together(tmp_path: Path, settings: Settings) -> None:
    """24 clips make 3 steps of 2 · 4 clips, so the fifth loss is in the second epoch."""
    run = tmp_path / "run"
    config = settings(train_devices=2, train_batch_size=4, train_knn_every=0, train_epochs=3)
    results = in_processes(2, work, config, run)
    for _, losses, error in results:
        assert len(losses) == 5
        assert error.startswith("step 4 (epoch 2): loss is not finite; training stopped")
    (row,) = csv.DictReader((run / "history.csv").open())
    first = [value for _, losses, _ in results for value in losses[:3]]
    assert float(row["loss"]) == pytest.approx(sum(first) / 6, rel=1e-5)
    assert results[0][1][:3] != results[1][1][:3]  # each has its own clips


def work_of_slim(config: Config, run: Path, found: Queue[Found]) -> None:
    """Trains, and sends the sums of the student's and of the teacher's weights after the last step."""
    sums: list[float] = []

    def keep(self: SLiM, outputs: object, progress: float) -> None:
        parts = (self.encoder, self.clip_head, self.teacher, self.teacher_patch_head)
        sums[:] = [float(sum(each.double().sum() for each in part.parameters())) for part in parts]

    SLiM.after_step = keep  # type: ignore[method-assign]
    train(config, run)
    found.put((int(os.environ["LOCAL_RANK"]), sums, ""))


def test_student_and_teacher_are_the_same_in_all_processes(tmp_path: Path, moves: Path) -> None:
    """In the first steps the prototypes stay: their gradient is awaited all the same."""
    config = config_from_dict(
        {
            "data": {"store": str(moves), "frames": 8},
            "train": {
                "epochs": 2,
                "batch_size": 4,
                "devices": 2,
                "device": "cpu",
                "knn_every": 0,
                "optimizer": "adamw",
                "lr": 1e-2,
                "clip_gradients": 3.0,
            },
            "method": {
                "name": "slim",
                "prototypes": 8,
                "head_hidden": 8,
                "head_out": 4,
                "freeze": 0.3,
                "local_crops": [[4, 0.3, 0.6]],
                "momentum": 0.5,
            },
            "encoder": {"name": "slim", "hidden": 8, "heads": 2, "depth": 1, "patch": 4},
        },
        "test",
    )
    (_, first, _), (_, second, _) = in_processes(2, work_of_slim, config, tmp_path / "run")
    assert first == pytest.approx(second, rel=1e-12)
    assert first[0] != first[2]
    (_, row) = csv.DictReader((tmp_path / "run" / "history.csv").open())
    assert math.isfinite(float(row["loss"]))
