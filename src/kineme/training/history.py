"""A run's history.csv: one row an epoch. Written and read here, and nowhere else."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from kineme.errors import KinemeError
from kineme.files import atomic_write

HISTORY = "history.csv"


def write_history(path: Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Writes rows whose columns may differ; what a row lacks is left empty."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with atomic_write(path) as aside, aside.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def read_history(path: Path) -> list[dict[str, float]]:
    """The rows of a history, without the columns that they leave empty.

    Raises:
        KinemeError: the file is missing or holds something else.
    """
    try:
        with path.open(newline="") as file:
            return [
                {name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)
            ]
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise KinemeError(f"{path}: cannot be read as a history ({error}); train the run again") from error
