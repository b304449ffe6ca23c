"""The index of a clip store: rows of clips, and the columns of `index.npz`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from kineme.clips.store import CLIP_COLUMNS, INTERVAL_COLUMNS, NEITHER


class Row(NamedTuple):
    """A clip in the index, in plain numbers and text. Fields as in `Clip`."""

    name: str
    frames: int
    bodies: int
    label: int
    subject: str
    camera: int
    setup: int
    replication: int
    intervals: Sequence[Sequence[int]]
    splits: Mapping[str, bool]


def index_columns(rows: Sequence[Row]) -> dict[str, Any]:
    """The arrays of `index.npz`, by name."""
    columns = {
        name: np.array([getattr(row, name) for row in rows]) for name in CLIP_COLUMNS if name != "offset"
    }
    columns["offset"] = np.cumsum(columns["frames"]) - columns["frames"]
    intervals = [(i, label, start, end) for i, row in enumerate(rows) for start, end, label in row.intervals]
    table = np.array(intervals, dtype=np.int64).reshape(-1, len(INTERVAL_COLUMNS))
    for i, name in enumerate(INTERVAL_COLUMNS):
        columns[f"interval_{name}"] = table[:, i]
    for name in sorted({name for row in rows for name in row.splits}):
        parts = [int(row.splits.get(name, NEITHER)) for row in rows]
        columns[f"split_{name}"] = np.array(parts, dtype=np.int8)
    return columns
