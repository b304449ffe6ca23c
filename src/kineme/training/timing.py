"""How many epochs fit into a time: what `train.minutes` means.

A run is given minutes by counting the epochs that fit into them, from the time of its first steps, before it
begins. The learning rate and the method's phases then follow from the number of the step, as in any run, so
that it can be resumed bit for bit; a clock that was asked during training could not be asked again.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import lightning as L

from kineme.config import TrainConfig

WARM_UP = 2  # first steps, in which memory is found and kernels are chosen
STEPS = 30  # that are timed, at most
TRIAL_STEPS = WARM_UP + STEPS
SHARE = 0.1  # of the given time that timing may take; at least one step is timed


class Stopwatch(L.Callback):
    """Times the first steps, from the end of one to the end of another, and then ends training."""

    def __init__(self, minutes: float) -> None:
        self.minutes = minutes
        self.patience = SHARE * 60 * minutes
        self.step_seconds = 0.0
        self.epoch_steps = 0
        self._started = self._began = 0.0

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Starts the clock."""
        self._began = time.perf_counter()
        self.epoch_steps = int(trainer.num_training_batches)

    def on_train_batch_end(
        self, trainer: L.Trainer, module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Takes the mean over the steps so far; their losses were looked at, so the device has done them."""
        now = time.perf_counter()
        timed = trainer.global_step - WARM_UP
        if timed == 0:
            self._started = now
        if timed > 0:
            self.step_seconds = (now - self._started) / timed
            trainer.should_stop = timed == STEPS or now - self._began > self.patience

    @property
    def epochs(self) -> int:
        """Whole epochs that fit into the time, one at least."""
        return max(1, int(60 * self.minutes / (self.epoch_steps * self.step_seconds)))


def with_epochs(train: TrainConfig, epochs: int) -> TrainConfig:
    """The same training in so many epochs: milestones and warm-up keep their share of it."""
    share = epochs / train.epochs
    milestones = tuple(round(milestone * share) for milestone in train.milestones)
    return replace(train, epochs=epochs, milestones=milestones, warmup=train.warmup * share)
