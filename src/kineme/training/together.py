"""Several processes that train one model: how many there are, and what is said when one of them ends."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch.distributed as dist

from kineme.config import Config, TrainConfig
from kineme.errors import KinemeError, SharedError
from kineme.launch import started
from kineme.training.directory import STATE

LOST = ("gloo", "Connection closed by peer", "Connection reset by peer", "Broken pipe")  # in gloo's errors


def process_count(train: TrainConfig) -> int:
    """Processes that train together, one a device."""
    return train.devices * train.nodes


def is_first_process(train: TrainConfig) -> bool:
    """Whether this is the only or the first process of a run."""
    if process_count(train) == 1:
        return True
    from lightning.pytorch.utilities import rank_zero_only  # takes seconds to import

    return getattr(rank_zero_only, "rank", 0) == 0


def check_started(train: TrainConfig) -> None:
    """Checks that torchrun or SLURM, if they started this process, started as many as the settings say.

    Raises:
        KinemeError: they did not, or several are wanted in a notebook, where Lightning cannot start them.
    """
    launcher, wanted = started(), process_count(train)
    if wanted > 1 and hasattr(sys, "ps1"):
        raise KinemeError(
            "train.devices: a notebook cannot start several processes; set train.devices=1, or train with "
            "`kineme pretrain` or a script"
        )
    if launcher is None or (launcher.by == "SLURM" and wanted == 1):  # tasks may be runs of their own
        return
    by, processes, each = launcher
    if each is None:
        raise SharedError("SLURM does not say how many tasks a machine has; set --ntasks-per-node=DEVICES")
    if (train.devices, train.nodes * each) != (each, processes):
        raise SharedError(
            f"{by} started {processes} processes, {each} a machine, but train.devices is {train.devices} and "
            f"train.nodes {train.nodes}; set train.devices={each} and train.nodes={processes // each}"
        )


def on_processes(config: Config, devices: int | None, nodes: int | None) -> Config:
    """The settings for other numbers of devices and nodes, with as many clips in a step as before.

    Raises:
        KinemeError: the clips of a step cannot be divided by them.
    """
    old = config.train
    new = replace(old, devices=devices or old.devices, nodes=nodes or old.nodes)
    clips, processes = old.batch_size * process_count(old), process_count(new)
    if clips % processes or clips < 2 * processes:
        raise KinemeError(
            f"a step has {clips} clips, which {processes} processes cannot share; change train.devices or "
            "train.nodes"
        )
    return replace(config, train=replace(new, batch_size=clips // processes))


@contextmanager
def ending_together(out: Path) -> Iterator[None]:
    """Says in one line that another process has ended, which this one cannot go on without.

    Raises:
        KinemeError: it has.
    """
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, dist.DistError) and not any(sign in str(error) for sign in LOST):
            raise
        saved = (out / STATE).is_file()
        remedy = "set `resume` to go on after the last checkpoint" if saved else "train from the start"
        raise SharedError(f"{out}: a process of this run has ended, so all of them stop; {remedy}") from error
