"""The training history: history.csv of a run, one row per epoch."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from kineme.errors import KinemeError, one_line
from kineme.files import atomic_write

HISTORY = "history.csv"


def write_history(path: Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Writes rows; columns that a row lacks are left empty."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with atomic_write(path) as aside, aside.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def read_history(path: str | Path) -> list[dict[str, float]]:
    """Rows of a history.csv, in the order of the epochs; empty cells are left out.

    Raises:
        KinemeError: the file is missing or is not a training history.
    """
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            rows = [{key: float(cell) for key, cell in row.items() if cell} for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise KinemeError(f"{path}: cannot be read as a training history ({one_line(error)})") from error
    if any("epoch" not in row for row in rows):
        raise KinemeError(f"{path}: cannot be read as a training history (a row without an epoch)")
    return rows
