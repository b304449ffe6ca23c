"""How much better one run is than another on the same test clips, clip by clip."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kineme.evaluation.results import COLUMNS, Predictions
from kineme.metrics.accuracy import bootstrap_interval, is_in_top
from kineme.report.runs import Measured, Run
from kineme.typing import Array

Pair = tuple[Run, Measured]


def differences(pairs: Sequence[Pair]) -> list[str]:
    """How much each run is better than the first, a line per probe, where predictions of both are kept."""
    (base_run, base), *others = pairs
    said = []
    for run, each in others:
        if base.predictions is None or each.predictions is None or run is base_run:
            continue
        for probe in base.predictions.scores:
            gains = _gains(base.predictions, each.predictions, probe)
            if gains is not None:
                low, high = bootstrap_interval(gains)
                sure = "" if low > 0 or high < 0 else ": no clear difference"
                text = f"{gains.mean():+.1f} points ({low:+.1f} to {high:+.1f}){sure}".replace("-", "−")
                said.append(f"{COLUMNS.get(probe, probe)}, {run.name} against {base_run.name}: {text}")
    return said


def _gains(base: Predictions, other: Predictions, probe: str) -> Array | None:
    """(N,) 100 where only the other is right, -100 where only the base; None where the clips differ."""
    order, their_order = np.argsort(base.names), np.argsort(other.names)
    if probe not in other.scores or not np.array_equal(base.names[order], other.names[their_order]):
        return None
    hits = is_in_top(base.scores[probe], base.labels)[order]
    theirs = is_in_top(other.scores[probe], other.labels)[their_order]
    return 100.0 * (theirs.astype(float) - hits)
