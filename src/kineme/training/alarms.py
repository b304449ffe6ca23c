"""Callbacks that say in one line when training goes wrong: the loss rises, or the embedding collapses.

Each says so once, as a warning of the log. Neither affects training.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import lightning as L
import numpy as np
import torch
from torch import Tensor

from kineme.losses.decorrelation import spread
from kineme.training.callbacks import History, embedded
from kineme.training.module import Pretraining

logger = logging.getLogger(__name__)

SAMPLED = 256  # clips whose features are looked at
FEWEST = 8  # clips that tell a collapse
ALIKE = 1e-3  # deviation of features, relative to their size, that is none
SAME = 1e-5  # of the clips themselves
FALLEN = 0.01  # of the untrained encoder's deviation
ON_A_LINE = 1.02  # effective rank of features with 99 % of their variance in one direction
ROUND = 1.5  # effective rank before training of features that were on no line
WINDOW = 5, 0.1  # epochs whose losses are compared with those before: at least, and of all
RISEN = 0.1  # of the range of all losses so far
SETTLED = 0.2  # of training: before, queues fill and rates warm up


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


def risen(losses: Sequence[float], epochs: int) -> tuple[float, float, int] | None:
    """Mean loss of the window before the last, of the last, and their epochs; None if it has not risen.

    Args:
        losses: of the epochs so far.
        epochs: of the whole training.

    >>> risen([5, 4, 1, 1, 1, 1, 1, 2, 3, 4, 5, 6], epochs=12)
    (1.0, 4.0, 5)
    >>> risen([5, 4, 1, 1, 1, 1, 1, 1.1, 1.2, 1.1, 1.2, 1.1], epochs=12)
    """
    least, share = WINDOW
    window = max(least, round(share * epochs))
    if len(losses) < max(2 * window, SETTLED * epochs + window):
        return None
    before, last = np.array(losses[-2 * window : -window]), np.array(losses[-window:])
    rise = last.mean() - before.mean()
    if last.min() <= before.max() or rise <= RISEN * (max(losses) - min(losses)):
        return None
    return float(before.mean()), float(last.mean()), window


def told(rows: Sequence[Mapping[str, float]], epochs: int) -> list[str]:
    """What a history shows of a loss that rose and an embedding that collapsed, a line each.

    Args:
        rows: of the history; the first that has a spread stands for the untrained encoder.
        epochs: of the whole training.

    >>> spread = {"feature_rank": 9.0, "feature_std": 0.2}
    >>> told([{"loss": 2.0} | spread, {"loss": 1.0} | spread], epochs=2)
    []
    """
    losses = [row["loss"] for row in rows if "loss" in row]
    found = []
    for epoch in range(1, len(losses) + 1):
        if rise := risen(losses[:epoch], epochs):
            found.append(f"the loss rose over {rise[2]} epochs before epoch {epoch}; lower train.lr")
            break
    seen = [Look(row["feature_std"], row["feature_rank"]) for row in rows if "feature_rank" in row]
    if seen and (fault := collapsed(SAMPLED, seen[-1], seen[0], alike=1.0)):
        found.append(fault)
    return found


class Collapse(L.Callback):
    """Notes the spread of the features of some clips, and warns when they have become all the same.

    `feature_rank` in the history is the effective rank, `feature_std` the deviation relative to the features'
    size, of at most 256 clips that stay the same.
    """

    def __init__(self, history: History, every: int, seed: int) -> None:
        self.history, self.every, self.seed = history, every, seed
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
            self._untrained = look(embedded(module, self._rows))

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Notes the spread every few epochs and after the last one."""
        epoch = trainer.current_epoch + 1
        if self._rows is None or (epoch % self.every and epoch != trainer.max_epochs):
            return
        assert isinstance(module, Pretraining)
        seen = look(embedded(module, self._rows))
        self.history.noted |= {"feature_rank": seen.rank, "feature_std": seen.deviation}
        fault = collapsed(len(self._rows), seen, self._untrained, self._alike)
        if fault and not self._said:
            self._said = True
            logger.warning("epoch %d: %s", epoch, fault)


class Look(NamedTuple):
    """How features spread: see `relative_deviation`, and the effective rank of `spread`."""

    deviation: float
    rank: float


def look(features: Tensor) -> Look:
    """The spread of (N, D) features."""
    return Look(relative_deviation(features), float(spread(features[None]).effective_rank))


def relative_deviation(features: Tensor) -> float:
    """Standard deviation of (N, D) features over their root mean square, 0 to 1; 0 where all are the same.

    >>> round(relative_deviation(torch.tensor([[3.0, 0.0], [5.0, 0.0]])), 3)  # 1 of √17
    0.243
    """
    features = features.float()
    size = features.square().sum(1).mean().sqrt()
    deviation = (features - features.mean(0)).square().sum(1).mean().sqrt()
    return float(deviation / size.clamp_min(torch.finfo(torch.float32).tiny))


def collapsed(clips: int, seen: Look, untrained: Look, alike: float) -> str:
    """What is wrong with the features of some clips, and the remedy; empty if nothing is.

    Args:
        clips: how many.
        seen: their features.
        untrained: their features before training.
        alike: the relative deviation of the clips themselves.

    >>> collapsed(256, Look(0.1, 9.0), Look(0.2, 5.0), alike=0.3)
    ''
    >>> collapsed(256, Look(0.0004, 9.0), Look(0.2, 5.0), alike=0.3).partition(":")[0]
    'the embedding has collapsed'
    """
    if clips < FEWEST:
        return ""
    if alike < SAME:
        return "all sampled clips are the same, so there is nothing to learn; check the recordings"
    if seen.deviation < max(ALIKE, FALLEN * untrained.deviation):
        how = f"differ by {seen.deviation:.1g} of its size, {untrained.deviation:.1g} before training"
        what = f"sampled clips have nearly the same feature ({how})"
    elif seen.rank < ON_A_LINE and untrained.rank > ROUND:
        what = f"the features of sampled clips lie on a line (effective rank {seen.rank:.2f})"
    else:
        return ""
    return f"the embedding has collapsed: {what}; lower train.lr, or train by another method or recipe"
