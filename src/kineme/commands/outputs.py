"""Where commands may write."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from kineme.errors import KinemeError


def check_no_input(table: Path, inputs: Iterable[Path]) -> None:
    """Refuses to write a table over what it is made from.

    Raises:
        KinemeError: it is one of the inputs.
    """
    if table.resolve() in [each.resolve() for each in inputs]:
        raise KinemeError(f"{table}: is an input too; write the table elsewhere with `out`")
