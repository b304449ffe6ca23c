"""Callbacks that say in one line when training goes wrong: the loss rises, or the embedding collapses.

Each says so once, as a warning of the log. Neither affects training.
"""

from __future__ import annotations

import logging
from typing import Any

import lightning as L
import numpy as np
import torch
from torch import Tensor

from kineme.training.callbacks import ClipFeatures, History
from kineme.training.faults import SAMPLED, Look, collapsed, look, relative_deviation, risen
from kineme.training.module import Pretraining

logger = logging.getLogger(__name__)


class RisingLoss(L.Callback):
    """Warns when the losses of the last epochs all lie above those of as many epochs before."""

    def __init__(self, history: History) -> None:
        self.history = history
        self._said = False

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Looks at the history, which has the epoch's row by now."""
        losses = [row["loss"] for row in self.history.rows]
        found = risen(losses, int(trainer.max_epochs or 0))
        if self._said or found is None or not trainer.is_global_zero:
            return
        self._said = True
        before, now, window = found
        logger.warning(
            "epoch %d: the loss rises (mean of %d epochs %.4g, of the %d before %.4g); lower train.lr",
            *(len(losses), window, now, window, before),
        )


class Collapse(L.Callback):
    """Notes the spread of the features of some clips, and warns when they have become all the same.

    `feature_rank` in the history is the effective rank, `feature_std` the deviation relative to the features'
    size, of at most 256 clips that stay the same.
    """

    def __init__(self, history: History, features: ClipFeatures, every: int, seed: int) -> None:
        self.history, self.features = history, features
        self.every, self.seed = every, seed
        self._rows: Tensor | None = None
        self._untrained = Look(0.0, 0.0)
        self._alike = 0.0
        self._said = False

    def state_dict(self) -> dict[str, Any]:
        """How the untrained encoder saw the clips."""
        return self._untrained._asdict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """That of the run that is resumed."""
        self._untrained = Look(**state)

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Chooses the clips, and looks at them as the untrained encoder does."""
        if not self.every or not trainer.is_global_zero:
            return
        assert isinstance(module, Pretraining)
        chosen = np.random.default_rng(self.seed).permutation(len(module.clips))[:SAMPLED]
        self._rows = torch.from_numpy(np.sort(chosen))
        clips = module.clips[self._rows.to(module.clips.start.device)]
        self._alike = relative_deviation(clips.resize(module.method.encoder.shape.frames).flatten(1))
        if not self._untrained.rank:  # else resumed
            self._untrained = look(self.features.of(module, self._rows))

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Notes the spread every few epochs and after the last one."""
        epoch = trainer.current_epoch + 1
        if self._rows is None or (epoch % self.every and epoch != trainer.max_epochs):
            return
        assert isinstance(module, Pretraining)
        seen = look(self.features.of(module, self._rows))
        self.history.noted |= {"feature_rank": seen.rank, "feature_std": seen.deviation}
        fault = collapsed(len(self._rows), seen, self._untrained, self._alike)
        if fault and not self._said:
            self._said = True
            logger.warning("epoch %d: %s", epoch, fault)
