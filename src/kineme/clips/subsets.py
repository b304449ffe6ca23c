"""Few labels: a share of the training clips, for semi-supervised evaluation."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kineme.errors import KinemeError, check_between

Rows = npt.NDArray[np.int64]


def label_subset(
    rows: Rows, labels: npt.NDArray[Any], fraction: float, seed: int, *, by_class: bool = True
) -> Rows:
    """Draws a share of the clips of each class: round(fraction · clips of the class), and at least one.

    Halves are rounded up. The draw depends on the seed, the class and the clips of that class alone, not on
    their order nor on the other classes, and of one seed a smaller share is part of every larger one.

    Args:
        rows: (n,) rows of a store, such as the training part of a split.
        labels: (n,) their classes; a row without a label (-1) is never drawn.
        fraction: above 0 and at most 1.
        seed: at least 0.
        by_class: if not, int(fraction · clips) are drawn from all classes at once, as MAMP does: a class may
            get more or fewer than its share, or none.

    Returns:
        (k,) the chosen rows, in order.

    Raises:
        KinemeError: the fraction or the seed is out of range.
    """
    if not 0 < fraction <= 1:
        raise KinemeError(f"the share of labels is {fraction}; it must be above 0 and at most 1")
    check_between("`seed`", seed, 0)
    assert rows.shape == labels.shape, (rows.shape, labels.shape)
    if not by_class:
        every = np.sort(rows[labels >= 0])
        order = np.argsort(np.random.default_rng(seed).random(len(every)))
        return np.sort(every[order[: max(1, int(fraction * len(every)))]])
    chosen = [np.empty(0, dtype=np.int64)]
    for label in np.unique(labels[labels >= 0]).tolist():
        own = np.sort(rows[labels == label])
        order = np.argsort(np.random.default_rng((seed, label)).random(len(own)))
        chosen.append(own[order[: max(1, int(fraction * len(own) + 0.5))]])
    return np.sort(np.concatenate(chosen))
