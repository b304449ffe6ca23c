"""Signs that training went wrong: the loss rose, or the embedding collapsed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from kineme.losses.decorrelation import spread

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
