"""How much better one run is than another on the same test clips, clip by clip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kineme.errors import KinemeError
from kineme.evaluation.results import Predictions
from kineme.metrics.accuracy import bootstrap_interval, is_in_top


@dataclass(frozen=True)
class Difference:
    """By how much one top-1 accuracy exceeds another, in points (per cent of the test clips).

    Attributes:
        value: the difference; positive where the other run is better than the base.
        interval: 95 % interval of the paired bootstrap, which resamples test clips with both answers to each.
        gained, lost: clips that only the other, or only the base, gets right.
    """

    value: float
    interval: tuple[float, float]
    gained: int
    lost: int

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out zero."""
        low, high = self.interval
        return low > 0 or high < 0


def compare(base: Predictions, other: Predictions) -> dict[str, Difference]:
    """Compares two runs on the same test clips, which are matched by name.

    The interval is that of the test clips. It says nothing of what another seed would give: for that, train
    several.

    Args:
        base: predictions of one run, such as `Predictions.load(run / "results/knn.npz")`.
        other: of the run that is compared with it.

    Returns:
        by probe, for those that both have.

    Raises:
        KinemeError: they are of different clips.

    >>> right, wrong = [1.0, 0.0], [0.0, 1.0]
    >>> names, labels = np.array(["a", "b", "c", "d"]), np.zeros(4, int)
    >>> base = Predictions(names, labels, {"knn": np.array([right, wrong, wrong, wrong])})
    >>> other = Predictions(names, labels, {"knn": np.array([right, right, right, wrong])})
    >>> compare(base, other)["knn"]
    Difference(value=50.0, interval=(0.0, 100.0), gained=2, lost=0)
    """
    order, their_order = np.argsort(base.names), np.argsort(other.names)
    if not (
        np.array_equal(base.names[order], other.names[their_order])
        and np.array_equal(base.labels[order], other.labels[their_order])
    ):
        raise KinemeError("predictions of different test clips cannot be compared; evaluate both runs alike")
    found = {}
    for probe in base.scores:
        if probe in other.scores:
            hits = is_in_top(base.scores[probe], base.labels)[order]
            theirs = is_in_top(other.scores[probe], other.labels)[their_order]
            gains = 100.0 * (theirs.astype(float) - hits)
            counts = int((theirs & ~hits).sum()), int((hits & ~theirs).sum())
            found[probe] = Difference(float(gains.mean()), bootstrap_interval(gains), *counts)
    return found
