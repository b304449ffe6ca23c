"""How much better one run is than another on the same test clips, clip by clip."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kineme.evaluation.results import COLUMNS, Predictions
from kineme.metrics.accuracy import bootstrap_interval, is_in_top
from kineme.report.html import Html, join, tag
from kineme.report.runs import Measured, Run
from kineme.typing import Array

Pair = tuple[Run, Measured]


def differences(pairs: Sequence[Pair]) -> Html:
    """How much each run is better than the first, clip by clip, where predictions of both are kept."""
    (base_run, base), *others = pairs
    if base.predictions is None:
        return Html("")
    said = []
    for run, each in others:
        for probe in base.predictions.scores:
            if each.predictions is None or probe not in each.predictions.scores or run is base_run:
                continue
            gains = _gains(base.predictions, each.predictions, probe)
            if gains is not None:
                low, high = bootstrap_interval(gains)
                sure = "" if low > 0 or high < 0 else ": no clear difference"
                text = f"{gains.mean():+.1f} points ({low:+.1f} to {high:+.1f}){sure}".replace("-", "−")
                said.append(
                    tag("li", f"{COLUMNS.get(probe, probe)}, {run.name} against {base_run.name}: {text}")
                )
    if not said:
        return Html("")
    return join(
        tag("p", "Difference on the same test clips, with 95 % interval of the paired bootstrap:"),
        tag("ul", said),
    )


def _gains(base: Predictions, other: Predictions, probe: str) -> Array | None:
    """(N,) 100 where only the other is right, -100 where only the base; None where the clips differ."""
    order, their_order = np.argsort(base.names), np.argsort(other.names)
    if not np.array_equal(base.names[order], other.names[their_order]):
        return None
    hits = is_in_top(base.scores[probe], base.labels)[order]
    theirs = is_in_top(other.scores[probe], other.labels)[their_order]
    return 100.0 * (theirs.astype(float) - hits)
