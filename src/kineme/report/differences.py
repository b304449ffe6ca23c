"""The lines that say how much better one run is than another on the same test clips."""

from __future__ import annotations

from collections.abc import Sequence

from kineme.errors import KinemeError
from kineme.evaluation.comparison import compare
from kineme.evaluation.results import COLUMNS
from kineme.report.runs import Measured, Run

Pair = tuple[Run, Measured]


def differences(pairs: Sequence[Pair]) -> list[str]:
    """How much each run is better than the first, a line per probe, where both have the same test clips."""
    (base_run, base), *others = pairs
    said = []
    for run, each in others:
        if base.predictions is None or each.predictions is None or run is base_run:
            continue
        try:
            found = compare(base.predictions, each.predictions)
        except KinemeError:  # other clips: nothing to say
            continue
        for probe, difference in found.items():
            low, high = difference.interval
            sure = "" if difference.clear else ": no clear difference"
            text = f"{difference.value:+.1f} points ({low:+.1f} to {high:+.1f}){sure}".replace("-", "−")
            said.append(f"{COLUMNS.get(probe, probe)}, {run.name} against {base_run.name}: {text}")
    return said
