"""Training callbacks: history, checkpoints, online kNN. None of them affects training."""

from __future__ import annotations

import json
import logging
import platform
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from kineme import processes
from kineme.checkpoints import save_encoder
from kineme.clips.store import Manifest
from kineme.encoders.absent import encoded
from kineme.files import atomic_write
from kineme.metrics.neighbours import leave_group_out
from kineme.runs import WEIGHTS
from kineme.training.directory import STATE
from kineme.training.history import HISTORY, write_history
from kineme.training.module import Pretraining

logger = logging.getLogger(__name__)

WATCHED = 2000  # maximum number of clips in the online kNN
PART = {"cpu": 64}  # clips encoded at a time: few where activations fit a cache; elsewhere 256


class History(L.Callback):
    """One row per epoch: step, seconds, learning rate, the mean of every loss term, and `noted` values.

    The row goes to the loggers too, and to callbacks that monitor a value, as early stopping does. Means are
    over the epoch's batches and all processes. The rows are part of the training state, so that
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
        trainer.callback_metrics.update({name: torch.tensor(value) for name, value in row.items()})
        if not trainer.is_global_zero:
            return
        write_history(self.run / HISTORY, self.rows)
        for each in trainer.loggers:
            each.log_metrics(
                {name: value for name, value in row.items() if name != "epoch"}, trainer.global_step
            )


class Circumstances(L.Callback):
    """What the same weights to the last bit depend on; says where a run goes on under others."""

    def __init__(self) -> None:
        self.device = torch.device("cpu")

    def setup(self, trainer: L.Trainer, module: L.LightningModule, stage: str) -> None:
        """Looks at the device, before the state of an interrupted run is read."""
        self.device = trainer.strategy.root_device

    def state_dict(self) -> dict[str, Any]:
        """Threads, processes, processor and versions that the run was trained with."""
        gpu = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else ""
        return {
            "threads": torch.get_num_threads(),
            "processes": processes.count(),
            "processor": gpu or f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
            "PyTorch": str(torch.__version__),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Warns of each that differs now."""
        now = self.state_dict()
        told = now | state  # earlier versions did not tell the processes
        others = [f"{name} {told[name]} (now {now[name]})" for name in now if told[name] != now[name]]
        if others:
            logger.warning(
                "the run began with %s; it continues, but its weights will differ in the last digits from "
                "those of a run that was not interrupted",
                ", ".join(others),
            )


class ClipFeatures:
    """Features of training clips, for several callbacks: each clip is encoded once a step."""

    def __init__(self) -> None:
        self._step = -1
        self._rows = torch.empty(0, dtype=torch.int64)  # ascending, as the features
        self._features = torch.empty(0)

    def of(self, module: Pretraining, rows: Tensor) -> Tensor:
        """(n, D) features of whole training clips at the ascending `rows`, on the CPU."""
        if module.global_step != self._step:
            self._step, self._rows, self._features = module.global_step, rows, embedded(module, rows)
        new = rows[~torch.isin(rows, self._rows)]
        if len(new):
            features = torch.cat((self._features, embedded(module, new)))
            self._rows, order = torch.cat((self._rows, new)).sort()
            self._features = features[order]
        return self._features[torch.searchsorted(self._rows, rows)]


class OnlineKNN(L.Callback):
    """Accuracy of the nearest training clip of another subject. Labels are used for monitoring only.

    Clips are compared with those of their own store, as other stores have other labels.
    """

    def __init__(
        self,
        history: History,
        features: ClipFeatures,
        labels: npt.NDArray[np.int64],
        subjects: npt.NDArray[np.str_],
        stores: npt.NDArray[np.int64],
        every: int,
        seed: int,
    ) -> None:
        self.history, self.features = history, features
        self.every = every
        labelled = np.flatnonzero(labels >= 0)
        rows = np.sort(np.random.default_rng(seed).permutation(labelled)[:WATCHED])
        self.rows = rows[np.bincount(stores[rows])[stores[rows]] > 1]  # one that is alone has no neighbour
        self.labels = labels[self.rows]
        self.groups, self.stores = subjects[self.rows], stores[self.rows]

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Notes the accuracy every few epochs and after the last one."""
        epoch = trainer.current_epoch + 1
        if (
            not self.every
            or (epoch % self.every and epoch != trainer.max_epochs)
            or not trainer.is_global_zero
            or not len(self.rows)
        ):
            return
        assert isinstance(module, Pretraining)
        self.history.noted["knn"] = self.accuracy(module)

    def accuracy(self, module: Pretraining) -> float:
        """Leave-one-subject-out, or leave-one-out with a single subject; between 0 and 1."""
        features = self.features.of(module, torch.from_numpy(self.rows)).numpy()
        right = 0.0
        for store in np.unique(self.stores):
            own = self.stores == store
            right += int(own.sum()) * leave_group_out(features[own], self.labels[own], self.groups[own])
        return right / len(features)


@torch.no_grad()
def embedded(module: Pretraining, rows: Tensor) -> Tensor:
    """(n, D) features of whole training clips, on the CPU; each layer's mode stays as it is."""
    encoder = module.method.learned
    training = [each for each in encoder.modules() if each.training]  # a method may keep some out of it
    encoder.eval()
    features = []
    place = module.clips.start.device
    for part in torch.split(rows.to(place), PART.get(place.type, 256)):
        clips = module.clips[part]
        joints, present = clips.resize(encoder.shape.frames).to(module.device), clips.present
        present = None if present is None else present.to(module.device)
        features.append(encoded(encoder, joints, present).clip.float().cpu())
    for each in training:
        each.training = True
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

    def complete(self, module: Pretraining) -> None:
        """Saves the encoder of the last epoch, unless its weights are there."""
        with suppress(OSError, SafetensorError), safe_open(self.run / WEIGHTS, "pt") as weights:
            if json.loads(weights.metadata()["kineme"])["epochs"] == module.config.train.epochs:
                return
        self._save_weights(module, module.config.train.epochs)

    def _save(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Saves the state first, since a killed run can go on from it alone."""
        assert isinstance(module, Pretraining)
        if not trainer.is_global_zero:
            trainer.save_checkpoint(self.run / STATE)  # writes nothing, but has a barrier of all processes
            trainer.strategy.barrier()
            return
        with atomic_write(self.run / STATE) as aside:
            trainer.save_checkpoint(aside)
        self._save_weights(module, trainer.current_epoch + 1)
        trainer.strategy.barrier()  # whoever goes on finds both

    def _save_weights(self, module: Pretraining, epochs: int) -> None:
        config, manifest = module.config.to_dict(), self.manifest
        save_encoder(
            self.run / WEIGHTS, module.method.learned, manifest.preprocessing, config, epochs, manifest.units
        )
