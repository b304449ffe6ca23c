"""What watches training: history, checkpoints, nearest neighbours, progress. None of it touches the loop."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor

from kineme.checkpoints import WEIGHTS, save_encoder
from kineme.files import atomic_write
from kineme.preprocessing import Preprocessing
from kineme.streams import to_stream
from kineme.training.module import Pretraining

HISTORY, STATE = "history.csv", "state.ckpt"
WATCHED = 2000  # clips that the online accuracy looks at, at most


class History(L.Callback):
    """One row an epoch: step, seconds, learning rate, the mean of every loss term, and what others note.

    The rows travel in the training state, so that after a resume history.csv holds each epoch once.
    """

    def __init__(self, run: Path) -> None:
        self.run = run
        self.rows: list[dict[str, float]] = []
        self.noted: dict[str, float] = {}
        self._sums: dict[str, Tensor] = {}
        self._steps = 0
        self._before = 0.0
        self._started = 0.0

    def state_dict(self) -> dict[str, Any]:
        """Rows so far, for the training state."""
        return {"rows": self.rows}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues after the rows of a training state."""
        self.rows = list(state["rows"])
        self._before = self.rows[-1]["seconds"] if self.rows else 0.0

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Starts the clock."""
        self._started = time.perf_counter()

    def on_train_epoch_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Empties the sums."""
        self._sums, self._steps, self.noted = {}, 0, {}

    def on_train_batch_end(
        self, trainer: L.Trainer, module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Adds a step's losses, on the device: nothing waits for it."""
        for name, value in outputs.items():
            self._sums[name] = self._sums.get(name, 0) + value.detach()
        self._steps += 1

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Appends the epoch's row and writes history.csv whole."""
        row = {
            "epoch": trainer.current_epoch + 1,
            "step": trainer.global_step,
            "seconds": round(self._before + time.perf_counter() - self._started, 3),
            "lr": float(trainer.optimizers[0].param_groups[0]["lr"]),
            **{name: float(total) / self._steps for name, total in self._sums.items()},
            **self.noted,
        }
        self.rows.append(row)
        if not trainer.is_global_zero:
            return
        columns = list(dict.fromkeys(name for each in self.rows for name in each))
        with atomic_write(self.run / HISTORY) as aside, aside.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(self.rows)


class OnlineKNN(L.Callback):
    """Accuracy of the nearest training clip of another subject, by the label of each; labels only look on."""

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
        chosen = np.random.default_rng(seed).permutation(len(labels))[:WATCHED]
        self.rows = np.sort(chosen[labels[chosen] >= 0])
        self.labels = labels[self.rows]
        self.groups = subjects[self.rows]

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Notes the accuracy every few epochs and after the last."""
        epoch = trainer.current_epoch + 1
        if (
            not self.every
            or (epoch % self.every and epoch != trainer.max_epochs)
            or not trainer.is_global_zero
        ):
            return
        assert isinstance(module, Pretraining)
        self.history.noted["knn"] = self.accuracy(module)

    @torch.no_grad()
    def accuracy(self, module: Pretraining) -> float:
        """Leave-one-subject-out where there are several subjects, else leave-one-out; a share of 1."""
        encoder, shape = module.method.encoder, module.method.encoder.shape
        encoder.eval()
        features = []
        for rows in (
            torch.from_numpy(self.rows).to(module.clips.start.device).chunk(-(-len(self.rows) // 256))
        ):
            clips = to_stream(
                module.clips[rows].resize(shape.frames), module.config.data.stream, shape.layout
            )
            features.append(encoder(clips.to(module.device)).clip.float().cpu())
        encoder.train()
        unit = torch.nn.functional.normalize(torch.cat(features), dim=1)
        similarity = unit @ unit.T
        same = self.groups[:, None] == self.groups[None, :]
        apart = same if not same.all() else np.eye(len(same), dtype=bool)
        nearest = similarity.masked_fill(torch.from_numpy(apart), -2.0).argmax(dim=1).numpy()
        return float((self.labels[nearest] == self.labels).mean())


class Checkpoints(L.Callback):
    """Saves the encoder and the training state every few epochs; each file is replaced when it is whole."""

    def __init__(self, run: Path, preprocessing: Preprocessing, every: int) -> None:
        self.run, self.preprocessing, self.every = run, preprocessing, every

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Saves after every few epochs, and after the last."""
        epoch = trainer.current_epoch + 1
        if epoch % self.every == 0 or epoch == trainer.max_epochs:
            self._save(trainer, module)

    def _save(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        assert isinstance(module, Pretraining)
        if not trainer.is_global_zero:
            trainer.save_checkpoint(self.run / STATE)  # writes nothing, but all processes must meet here
            return
        config, epochs = module.config.to_dict(), trainer.current_epoch + 1
        save_encoder(self.run / WEIGHTS, module.method.encoder, self.preprocessing, config, epochs)
        with atomic_write(self.run / STATE) as aside:
            trainer.save_checkpoint(aside)


class ProgressLine(L.Callback):
    """One bar over the whole run, with loss, nearest-neighbour accuracy and the time left.

    Where the output is no terminal, a line an epoch instead, at most twenty.
    """

    def __init__(self, history: History) -> None:
        self.history = history
        self.console = Console(stderr=True)
        self._bar: Progress | None = None

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Opens the bar where the run stands."""
        if not (self.console.is_terminal and trainer.is_global_zero):
            return
        columns = ("{task.description}", BarColumn(), "{task.percentage:>3.0f}%", "{task.fields[figures]}")
        self._bar = Progress(
            *columns, TimeElapsedColumn(), "left", TimeRemainingColumn(), console=self.console
        )
        total = trainer.num_training_batches * (trainer.max_epochs or 0)
        self._bar.add_task("training", total=total, completed=trainer.global_step, figures="")
        self._bar.start()

    def on_train_batch_end(
        self, trainer: L.Trainer, module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Moves the bar."""
        if self._bar is not None:
            self._bar.advance(self._bar.task_ids[0])

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Shows the epoch's figures."""
        row = self.history.rows[-1]
        epoch, epochs = int(row["epoch"]), int(trainer.max_epochs or 0)
        knn = next((each["knn"] for each in reversed(self.history.rows) if "knn" in each), None)
        figures = f"epoch {epoch}/{epochs}  loss {row['loss']:.3f}" + (f"  kNN {knn:.1%}" if knn else "")
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], figures=figures)
        elif trainer.is_global_zero and (epoch % -(-epochs // 20) == 0 or epoch == epochs):
            left = row["seconds"] / epoch * (epochs - epoch)
            self.console.print(f"{figures}  {row['seconds']:.0f} s, about {left:.0f} s left", highlight=False)

    def teardown(self, trainer: L.Trainer, module: L.LightningModule, stage: str) -> None:
        """Closes the bar, also after an error."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
