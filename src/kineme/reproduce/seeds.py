"""Rows of one cell with several seeds, as one row of their means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean, stdev
from typing import Any

from kineme.reproduce.rows import TableRow

_MEANS = (
    *("obtained", "low", "high", "difference", "baseline"),
    *("pretraining_seconds", "evaluation_seconds"),
)


def over_seeds(rows: Sequence[TableRow]) -> list[TableRow]:
    """One row for each cell, protocol and score, in the order in which they first appear.

    Figures, the bounds of their intervals and times are means; the deviation is that of the figures over the
    seeds that are done; a note says so where these are not all, and in the row of the protocol's first score
    why one failed. A row of which none is done is that of the first seed that failed, or of the first.

    >>> first = TableRow("mine", "moves", "", "joint", "knn", "knn", "done", obtained=80.0)
    >>> (row,) = over_seeds([first, replace(first, obtained=84.0)])
    >>> row.obtained, round(row.deviation, 2), row.seeds
    (82.0, 2.83, 2)
    """
    alike: dict[tuple[tuple[str, ...], str], list[TableRow]] = {}
    measured: tuple[str, ...]
    for row in rows:
        measured = row.recipe, row.settings, row.store, row.split, row.stream, row.protocol
        alike.setdefault((measured, row.score), []).append(row)
    seeds: dict[tuple[str, ...], int] = {}
    for (measured, _), each in alike.items():  # a seed that is not done has a row of its first score only
        seeds[measured] = max(seeds.get(measured, 0), len(each))
    return [_mean(each, seeds[measured]) for (measured, _), each in alike.items()]


def _mean(rows: Sequence[TableRow], seeds: int) -> TableRow:
    """Of the rows that are done, of so many seeds; where none is, the first that failed, or the first."""
    done = [row for row in rows if row.obtained is not None]
    failed = [row for row in rows if row.state == "failed"]
    if not done:
        return (failed or rows)[0]
    note = "" if len(done) == seeds else f"{len(done)} of {seeds} seeds"
    failure = failed[0].note if failed else ""  # of several reasons, the first
    if len(done) == 1:
        return replace(done[0], note=note, failure=failure)
    values = {name: [getattr(row, name) for row in done] for name in _MEANS}
    means: dict[str, Any] = {name: None if None in each else fmean(each) for name, each in values.items()}
    return replace(
        done[0],
        **means,
        deviation=stdev(values["obtained"]),
        seeds=len(done),
        seed=None,
        note=note,
        failure=failure,
    )
