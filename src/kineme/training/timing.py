"""`train.minutes`: how many epochs fit into a given time.

The number of epochs is estimated from the first batches, before the run begins. Learning rate and phases then
depend on the step alone, as in any run; wall-clock checks would make resuming non-deterministic.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from typing import Any

import lightning as L
import torch

from kineme.config import TrainConfig

WARM_UP = 2  # first batches, which allocate memory and choose kernels
STEPS = 30  # maximum number of timed batches
TRIAL_STEPS = WARM_UP + STEPS
SHARE = 0.1  # of the given time that timing may take; at least one batch is timed


class Stopwatch(L.Callback):
    """Times the first batches, then stops training."""

    def __init__(self, minutes: float) -> None:
        self.minutes = minutes
        self.patience = SHARE * 60 * minutes
        self.epoch_steps = 0
        self._steps = 0
        self._began = self._last = 0.0
        self._seconds: list[float] = []

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Starts the clock."""
        self._began = time.perf_counter()
        self.epoch_steps = int(trainer.num_training_batches)

    def on_train_batch_end(
        self, trainer: L.Trainer, module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Times a batch."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        now = time.perf_counter()
        self._steps += 1
        if self._steps > WARM_UP:
            self._seconds.append(now - self._last)
            trainer.should_stop = len(self._seconds) == STEPS or now - self._began > self.patience
        self._last = now

    @property
    def step_seconds(self) -> float:
        """The median of the timed batches: another program that was busy for a while shortens no run."""
        return statistics.median(self._seconds)

    @property
    def epochs(self) -> int:
        """Whole epochs that fit into the time, at least one."""
        return max(1, int(60 * self.minutes / (self.epoch_steps * self.step_seconds)))


def with_epochs(train: TrainConfig, epochs: int) -> TrainConfig:
    """The settings with another number of epochs; milestones and warm-up keep their share."""
    share = epochs / train.epochs
    milestones = tuple(round(milestone * share) for milestone in train.milestones)
    return replace(train, epochs=epochs, milestones=milestones, warmup=train.warmup * share)
