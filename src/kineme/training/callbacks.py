"""Training callbacks: history, checkpoints, online kNN. None of them affects training."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from kineme.checkpoints import WEIGHTS, save_encoder
from kineme.clips.store import Manifest
from kineme.encoders.absent import encoded
from kineme.files import atomic_write
from kineme.metrics.neighbours import leave_group_out
from kineme.training.history import HISTORY, write_history
from kineme.training.module import Pretraining

STATE = "state.ckpt"
WATCHED = 2000  # maximum number of clips in the online kNN


class History(L.Callback):
    """One row per epoch: step, seconds, learning rate, the mean of every loss term, and `noted` values.

    Means are over the epoch's batches and all processes. The rows are part of the training state, so that
    after a resume history.csv has each epoch once.
    """

    def __init__(self, run: Path) -> None:
        self.run = run
        self.rows: list[dict[str, float]] = []
        self.noted: dict[str, float] = {}
        self._sums: dict[str, Tensor] = {}
        self._counts: Counter[str] = Counter()
        self._before = 0.0
        self._started = 0.0

    def state_dict(self) -> dict[str, Any]:
        """The rows so far."""
        return {"rows": self.rows}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues after saved rows."""
        self.rows = list(state["rows"])
        self._before = self.rows[-1]["seconds"] if self.rows else 0.0

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Starts the clock."""
        self._started = time.perf_counter()

    def on_train_epoch_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Resets the sums."""
        self._sums, self._counts, self.noted = {}, Counter(), {}

    def on_train_batch_end(
        self, trainer: L.Trainer, module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Adds a batch's losses, on the device, without waiting for it."""
        for name, value in outputs.items():
            # Lightning divides the loss by the number of accumulated batches.
            scale = trainer.accumulate_grad_batches if name == "loss" else 1
            self._sums[name] = self._sums.get(name, 0) + scale * value.detach().float()
            self._counts[name] += 1

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Appends the epoch's row and writes history.csv."""
        means = {name: total / self._counts[name] for name, total in self._sums.items()}
        row = {
            "epoch": trainer.current_epoch + 1,
            "step": trainer.global_step,
            "seconds": round(self._before + time.perf_counter() - self._started, 3),
            "lr": float(trainer.optimizers[0].param_groups[0]["lr"]),
            **{name: float(trainer.strategy.reduce(mean)) for name, mean in means.items()},
            **self.noted,
        }
        self.rows.append(row)
        if not trainer.is_global_zero:
            return
        write_history(self.run / HISTORY, self.rows)
        for each in trainer.loggers:
            each.log_metrics(
                {name: value for name, value in row.items() if name != "epoch"}, trainer.global_step
            )


class OnlineKNN(L.Callback):
    """Accuracy of the nearest training clip of another subject. Labels are used for monitoring only."""

    def __init__(
        self,
        history: History,
        labels: npt.NDArray[np.int64],
        subjects: npt.NDArray[np.str_],
        every: int,
        seed: int,
    ) -> None:
        self.history = history
        self.every = every
        labelled = np.flatnonzero(labels >= 0)
        self.rows = np.sort(np.random.default_rng(seed).permutation(labelled)[:WATCHED])
        self.labels = labels[self.rows]
        self.groups = subjects[self.rows]

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Notes the accuracy every few epochs and after the last one."""
        epoch = trainer.current_epoch + 1
        if (
            not self.every
            or (epoch % self.every and epoch != trainer.max_epochs)
            or not trainer.is_global_zero
        ):
            return
        assert isinstance(module, Pretraining)
        self.history.noted["knn"] = self.accuracy(module)

    def accuracy(self, module: Pretraining) -> float:
        """Leave-one-subject-out, or leave-one-out with a single subject; between 0 and 1."""
        features = embedded(module, torch.from_numpy(self.rows)).numpy()
        return leave_group_out(features, self.labels, self.groups)


@torch.no_grad()
def embedded(module: Pretraining, rows: Tensor) -> Tensor:
    """(n, D) features of whole training clips, on the CPU; the encoder stays in training."""
    encoder = module.method.learned
    encoder.eval()
    features = []
    for part in rows.to(module.clips.start.device).chunk(-(-len(rows) // 256)):
        clips = module.clips[part]
        joints, present = clips.resize(encoder.shape.frames).to(module.device), clips.present
        present = None if present is None else present.to(module.device)
        features.append(encoded(encoder, joints, present).clip.float().cpu())
    encoder.train()
    return torch.cat(features)


class Checkpoints(L.Callback):
    """Saves the encoder and the training state every few epochs."""

    def __init__(self, run: Path, manifest: Manifest, every: int) -> None:
        self.run, self.manifest, self.every = run, manifest, every

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Saves every few epochs and after the last one."""
        epoch = trainer.current_epoch + 1
        if epoch % self.every == 0 or epoch == trainer.max_epochs:
            self._save(trainer, module)

    def _save(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        assert isinstance(module, Pretraining)
        if not trainer.is_global_zero:
            trainer.save_checkpoint(self.run / STATE)  # writes nothing, but has a barrier of all processes
            return
        config, epochs = module.config.to_dict(), trainer.current_epoch + 1
        manifest = self.manifest
        save_encoder(
            self.run / WEIGHTS, module.method.learned, manifest.preprocessing, config, epochs, manifest.units
        )
        with atomic_write(self.run / STATE) as aside:
            trainer.save_checkpoint(aside)
