"""The training history: history.csv of a run, a row per epoch."""

from __future__ import annotations

import csv
from pathlib import Path

from kineme.errors import KinemeError


def read_history(path: Path) -> list[dict[str, float]]:
    """Rows of a history.csv, in the order of the epochs; empty cells are left out.

    Raises:
        KinemeError: the file is missing or is not a training history.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [{key: float(cell) for key, cell in row.items() if cell} for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError) as error:
        raise KinemeError(f"{path}: cannot be read as a training history ({error})") from error
    if any("epoch" not in row for row in rows):
        raise KinemeError(f"{path}: cannot be read as a training history (a row without an epoch)")
    return rows
