"""Processes that share the clips of a step train as one process with all of them does, by every method."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from spawning import Found, Work, in_processes
from torch import Tensor

from kineme.clips.store import Clip, open_store
from kineme.clips.writer import StoreWriter
from kineme.config import Config
from kineme.errors import KinemeError
from kineme.methods import METHODS
from kineme.settings import config_from_dict
from kineme.streams import TOGETHER
from kineme.training.directory import STATE, load_run_config
from kineme.training.module import Pretraining
from kineme.training.run import train
from kineme.training.together import check_started, ending_together, on_processes

CLIPS = 8  # of a step
STGCN = {"name": "stgcn", "channels": [8, 16], "strided": [1], "dropout": 0.0}
DISENTANGLED = {"name": "disentangled", "hidden": 16, "heads": 2, "stem": [8], "dropout": 0.0}
PATCHES = {"name": "mamp", "hidden": 16, "heads": 2, "depth": 1, "patch": 2}
ROTARY = {"name": "slim", "hidden": 16, "heads": 2, "depth": 1, "patch": 4}
CONTRAST = {"projection": 8, "momentum": 0.9}
MAMP = {"decoder_hidden": 16, "decoder_depth": 1, "mask_ratio": 0.5}
SLIM = {"prototypes": 16, "head_hidden": 16, "head_out": 8, "local_crops": [[4, 0.3, 0.6]], "freeze": 0.2}
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "aimclr": ({"queue": 16, **CONTRAST}, STGCN),
    "scdnet": ({"queue": 16, "head_norm": True, **CONTRAST}, DISENTANGLED),
    "scdnet without a queue": ({"queue": 0, **CONTRAST}, DISENTANGLED),
    "usdrl": ({}, {"name": "sttr", "hidden": 16}),
    "usdrl of dste": ({}, {"name": "dste", "hidden": 16, "drop_path": 0.0}),
    "mpct": ({}, {"name": "sttr", "hidden": 16}),
    "mamp": (MAMP, PATCHES),
    "mamp, joints lacking": (MAMP, PATCHES),
    "slim": (SLIM, ROTARY),
    "slim, joints lacking": (SLIM, ROTARY),
    "tandem": ({}, {"name": "canonical", "hidden": 16}),
    "tandem, joints lacking": ({}, {"name": "canonical", "hidden": 16}),
}


def settings(case: str, moves: Path, processes: int) -> Config:
    """Of a run of six steps, in two epochs."""
    method, encoder = CASES[case]
    name = case.partition(" ")[0].rstrip(",")
    store = lacking(moves, moves.with_name("lacking")) if case.endswith("lacking") else moves
    return config_from_dict(
        {
            "data": {"store": str(store), "frames": 8, "stream": TOGETHER if name == "mpct" else "joint"},
            "train": {
                "epochs": 2,
                "batch_size": CLIPS // processes,
                "devices": processes,
                "device": "cpu",
                "precision": "float32",
                "lr": 0.05,
                "clip_gradients": 3.0,
                "knn_every": 0,
            },
            "method": {"name": name, **method},
            "encoder": encoder,
        },
        "test",
    )


def lacking(moves: Path, path: Path) -> Path:
    """The same clips, of which every third lacks its hands."""
    if not path.exists():
        store = open_store(moves)
        with StoreWriter(path, store.manifest, store.bodies) as writer:
            for row, name in enumerate(store.names):
                present = np.array([True, True, row % 3 > 0])
                writer.add(Clip(str(name), np.array(store.clip(row)), present=present))
    return path


class Recorder(L.Callback):
    """Keeps the loss of every step of a run in double precision, which can be ended after an epoch."""

    def __init__(self, epochs: int) -> None:
        self.epochs, self.losses = epochs, list[float]()

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        pl_module.double()

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *outputs: Any) -> None:
        self.losses.append(float(outputs[0]["loss"]))

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        trainer.should_stop = trainer.current_epoch + 1 == self.epochs


def in_double_precision(self: Pretraining, rows: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """`Pretraining.losses`; the views are of single precision."""
    with torch.no_grad():
        single = self.method.views(self.clips[rows], generator)
    views = [replace(view, clips=view.clips.double()) for view in single]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tensor, "float", Tensor.double)  # by which methods leave bfloat16
        return self.method.loss(views, self._progress)


def losses_of(config: Config, run: Path, epochs: int = 2) -> list[float]:
    """Trains in this process, from where a run has stopped if it has."""
    torch.set_num_threads(1)
    recorder = Recorder(epochs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pretraining, "losses", in_double_precision)
        train(config, run, resume=(run / STATE).exists(), callbacks=[recorder])
    return recorder.losses


def work(config: Config, run: Path, found: Queue[Found]) -> None:
    """One of several processes."""
    found.put((int(os.environ["LOCAL_RANK"]), losses_of(config, run), ""))


def half_the_work(config: Config, run: Path, found: Queue[Found]) -> None:
    """One of several processes, which stop after the first epoch."""
    found.put((int(os.environ["LOCAL_RANK"]), losses_of(config, run, epochs=1), ""))


def curve(work: Work, config: Config, run: Path) -> list[float]:
    """The mean over the processes of each step's loss."""
    each = [losses for _, losses, _ in in_processes(config.train.devices, work, config, run)]
    return [float(np.mean(step)) for step in zip(*each, strict=True)]


def check(case: str, processes: int, moves: Path, folder: Path) -> None:
    """Losses agree to 1e-10, where doubles hold 2e-16: sums are added up in another order.

    In single precision they agree to 1e-6, but for SCD-Net and SLiM: maxima and masked joints have kinks, at
    which six steps make 1e-7 a hundredth.
    """
    alone = losses_of(settings(case, moves, 1), folder / "alone")
    shared = curve(work, settings(case, moves, processes), folder / "shared")
    assert len(alone) == 6
    assert len(set(alone)) == 6
    assert shared == pytest.approx(alone, rel=1e-10)


def test_two_processes_train_aimclr_as_one_does(moves: Path, tmp_path: Path) -> None:
    """It has batch norms, a momentum encoder, a queue, and a share of activations dropped over the batch."""
    check("aimclr", 2, moves, tmp_path)


def test_every_method_is_among_the_cases() -> None:
    assert {case.partition(" ")[0].rstrip(",") for case in CASES} == set(METHODS)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 4])
@pytest.mark.parametrize("case", CASES)
def test_several_processes_train_as_one_does(case: str, processes: int, moves: Path, tmp_path: Path) -> None:
    check(case, processes, moves, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2), (2, 4)])
def test_a_run_goes_on_with_another_number_of_processes(
    before: int, after: int, moves: Path, tmp_path: Path
) -> None:
    whole = losses_of(settings("aimclr", moves, 1), tmp_path / "whole")
    run = tmp_path / "run"
    config = settings("aimclr", moves, before)
    first = curve(half_the_work, config, run)
    then = on_processes(load_run_config(run), devices=after, nodes=None)
    assert (then.train.devices, then.train.batch_size) == (after, CLIPS // after)
    second = curve(work, then, run)
    assert first + second == pytest.approx(whole, rel=1e-10)


@pytest.mark.parametrize(("devices", "nodes"), [(3, None), (None, 8), (8, 1)])
def test_a_step_that_cannot_be_shared_is_refused(devices: int | None, nodes: int | None, moves: Path) -> None:
    with pytest.raises(KinemeError, match=r"a step has 8 clips, which \d processes cannot share"):
        on_processes(settings("usdrl", moves, 1), devices, nodes)


@pytest.mark.parametrize(
    ("environment", "devices", "complaint"),
    [
        ({"SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2"}, 2, None),
        ({"SLURM_NTASKS": "8", "SLURM_NTASKS_PER_NODE": "8"}, 1, None),  # eight runs, each by itself
        (
            {"SLURM_NTASKS": "8", "SLURM_NTASKS_PER_NODE": "4"},
            2,
            "SLURM started 8 processes, 4 a machine, but train.devices is 2 and train.nodes 1; set "
            "train.devices=4 and train.nodes=2",
        ),
        ({"SLURM_NTASKS": "2"}, 2, "SLURM does not say how many tasks a machine has; set --ntasks-per-node"),
    ],
)
def test_slurm_has_to_start_what_the_settings_say(
    environment: dict[str, str],
    devices: int,
    complaint: str | None,
    moves: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    train = settings("usdrl", moves, devices).train
    if complaint is None:
        check_started(train)
    else:
        with pytest.raises(KinemeError, match=complaint):
            check_started(train)


def test_a_notebook_is_told_that_it_cannot_start_several_processes(
    moves: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "ps1", "In [1]:", raising=False)  # as IPython and Python's own prompt set it
    check_started(settings("usdrl", moves, 1).train)
    with pytest.raises(KinemeError, match=r"a notebook cannot start several processes; set train\.devices=1"):
        check_started(settings("usdrl", moves, 2).train)


@pytest.mark.parametrize(
    "error",
    [RuntimeError("[gloo] Broken pipe"), torch.distributed.DistBackendError("NCCL communicator was aborted")],
    ids=["gloo", "nccl"],
)
def test_the_end_of_another_process_is_told_in_one_line(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(KinemeError, match=r"has ended, .*train from the start"), ending_together(tmp_path):
        raise error
    (tmp_path / STATE).touch()
    with pytest.raises(KinemeError, match="set `resume`"), ending_together(tmp_path):
        raise error


def test_other_errors_are_those_of_the_method(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"), ending_together(tmp_path):
        raise RuntimeError("shapes cannot be multiplied")
