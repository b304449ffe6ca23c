"""`python -m benchmarks compare A.json B.json`: what became slower or faster, beyond the noise.

Each run is in units of a matrix product that ran just before it, so that the machine's ups and downs cancel.
Files of different processors still do not compare: one may multiply matrices better than it does the rest.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

DRAWS, INTERVAL = 10_000, (2.5, 97.5)
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Change:
    """Of one part of one case.

    Attributes:
        ratio: median time after over that before.
        low, high: 95 % of the ratio if the runs are drawn again (bootstrap).
    """

    ratio: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """`slower` or `faster` where the interval excludes 1, else nothing."""
        return "slower" if self.low > 1 else "faster" if self.high < 1 else ""


def change(before: Sequence[float], after: Sequence[float]) -> Change:
    """Of two samples of times in one unit.

    >>> change([1.0, 1.1, 0.9], [2.0, 2.2, 1.8]).verdict, change([1.0, 1.1], [1.05, 1.0]).verdict
    ('slower', '')
    """
    rng = np.random.default_rng(0)
    drawn = [
        np.median(rng.choice(np.asarray(sample), (DRAWS, len(sample))), axis=1) for sample in (after, before)
    ]
    low, high = np.percentile(drawn[0] / drawn[1], INTERVAL)
    return Change(float(np.median(after) / np.median(before)), float(low), float(high))


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[Key, Change]:
    """The parts that both reports have."""
    first, second = _by_part(before), _by_part(after)
    return {key: change(first[key], second[key]) for key in first if key in second}


def _by_part(report: Mapping[str, Any]) -> dict[Key, Sequence[float]]:
    return {(row["case"], row["part"], row["precision"]): row["units"] for row in report["results"]}


def main(arguments: Sequence[str]) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks compare", description=__doc__)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    paths = parser.parse_args(arguments)

    from rich.console import Console
    from rich.table import Table

    reports = [json.loads(path.read_text(encoding="utf-8")) for path in (paths.before, paths.after)]
    console = Console()
    for name, report in zip(("before", "after"), reports, strict=True):
        console.print(f"{name}: {report['commit']}, {report['machine']}", highlight=False)
    if reports[0]["machine"] != reports[1]["machine"]:
        console.print("these are different machines or settings; their ratios say little")
    changes = compare(*reports)
    if not changes:
        raise SystemExit("the two reports have no part in common")
    table = Table("case", "part", "precision", "time after / before", "95 %", "")
    for key, each in changes.items():
        table.add_row(*key, f"{each.ratio:.2f}", f"{each.low:.2f} to {each.high:.2f}", each.verdict)
    console.print(table)
