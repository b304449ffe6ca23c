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
    seeds that are done; a note says so where these are not all. A row of which none is done is the first
    seed's.

    >>> first = TableRow("mine", "moves", "", "joint", "knn", "knn", "done", obtained=80.0)
    >>> (row,) = over_seeds([first, replace(first, obtained=84.0)])
    >>> row.obtained, round(row.deviation, 2), row.seeds
    (82.0, 2.83, 2)
    """
    alike: dict[tuple[str, ...], list[TableRow]] = {}
    for row in rows:
        alike.setdefault((row.recipe, row.store, row.split, row.stream, row.protocol, row.score), []).append(
            row
        )
    return [_mean(each) for each in alike.values()]


def _mean(rows: Sequence[TableRow]) -> TableRow:
    """Of the rows that are done; the first of all where none is."""
    done = [row for row in rows if row.obtained is not None]
    if not done:
        return rows[0]
    note = "" if len(done) == len(rows) else f"{len(done)} of {len(rows)} seeds"
    if len(done) == 1:
        return replace(done[0], note=note)
    values = {name: [getattr(row, name) for row in done] for name in _MEANS}
    means: dict[str, Any] = {name: None if None in each else fmean(each) for name, each in values.items()}
    return replace(done[0], **means, deviation=stdev(values["obtained"]), seeds=len(done), note=note)
