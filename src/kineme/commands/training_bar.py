"""Training progress on the terminal."""

from __future__ import annotations

from typing import Any

import lightning as L
from rich.console import Console
from rich.progress import BarColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

from kineme.training.callbacks import History


class ProgressLine(L.Callback):
    """One bar for the whole run, with the loss, the kNN accuracy and the time left.

    Without a terminal, one line per epoch instead, at most twenty in all.
    """

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self._bar: Progress | None = None

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Opens the bar, at the step where the run starts or resumes."""
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
        """Advances the bar."""
        if self._bar is not None:
            self._bar.advance(self._bar.task_ids[0])

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Shows the epoch's loss and accuracy."""
        callbacks: list[L.Callback] = vars(trainer)["callbacks"]
        history = next(each for each in callbacks if isinstance(each, History))
        row = history.rows[-1]
        epoch, epochs = int(row["epoch"]), int(trainer.max_epochs or 0)
        knn = next((each["knn"] for each in reversed(history.rows) if "knn" in each), None)
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
