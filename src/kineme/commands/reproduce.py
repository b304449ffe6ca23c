"""`kineme reproduce`: a grid of runs, worked off cell by cell, told in one table."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kineme.errors import KinemeError

if TYPE_CHECKING:
    from rich.table import Table

    from kineme.reproduce.grid import Cell
    from kineme.reproduce.plan import Plan


def reproduce(
    grid: str,
    *,
    store: list[str] | None = None,
    out: Path | None = None,
    epochs: int | None = None,
    minutes: float | None = None,
    only: list[str] | None = None,
    seed: int = 0,
    list: bool = False,
) -> None:
    """Trains and measures every cell of a grid: method × data × stream × protocol.

    The same command again goes on where it was, whatever ended it: what is trained is not trained again, and
    what was interrupted ends with the weights it would have had. Cells whose clips are not there are listed
    with the command that makes them. Writes OUT/table.md, .csv and .json after every measurement.

    Grids that come with Kineme: `small`, the three systems on one store on equal terms, and `published`, the
    published table on NTU RGB+D and PKU-MMD.

    Args:
        grid: A YAML file, or the name of a grid that comes with Kineme.
        store: Where its clip stores are, such as `ntu60=PATH pkummd2=PATH`; by default in `stores/NAME`.
        out: Directory for runs and table; by default `reproduced/GRID`.
        epochs: Train each cell for so many epochs.
        minutes: Train each cell for about so many minutes: as many epochs as fit.
        only: Work off cells whose names match one of these patterns, such as `aimclr-*` or `motion`.
        seed: Of all that is drawn.
        list: Show the cells and how far they are, and do nothing.
    """
    from rich.console import Console

    from kineme.packaged import find_grid
    from kineme.reproduce import table
    from kineme.reproduce.grid import load_grid
    from kineme.reproduce.plan import make_plan
    from kineme.reproduce.rows import rows
    from kineme.reproduce.work import Failures, chosen, work_off

    found = load_grid(find_grid(grid))
    stores = dict(_named(word) for word in store or [])
    out = out or Path("reproduced") / found.name
    plan = make_plan(found, out, stores, epochs=epochs, minutes=minutes, seed=seed)
    console = Console(width=None if sys.stdout.isatty() else 120)  # a file has no width of its own
    if list:
        cells = chosen(plan, only or [])
        console.print(_listed(plan, cells))
        lacking = dict.fromkeys(plan.missing(cell, each) for cell in cells for each in cell.measurements)
        for name in filter(None, lacking):
            console.print(f"no data: {name} ({found.stores[name]})", markup=False, highlight=False)
        return

    def tell(failures: Failures) -> None:
        table.write(plan, rows(plan, failures))

    failures = work_off(plan, only=only or [], tell=tell)
    done = rows(plan, failures)
    table.write(plan, done)
    console.print(table.shown(plan, done))
    for note in table.notes(done):
        console.print(note, markup=False, highlight=False)
    Console(stderr=True).print(
        f"written to {out / 'table.md'}, .csv and .json", highlight=False, soft_wrap=True
    )
    if failures:
        raise KinemeError(
            f"{len(failures)} of {len(found.cells)} cells failed: {', '.join(failures)}; the table says why"
        )


def _named(word: str) -> tuple[str, Path]:
    """NAME=PATH."""
    name, equals, path = word.partition("=")
    if not (name and equals and path):
        raise KinemeError(f"--store {word}: write NAME=PATH, the grid's name of the store and where it is")
    return name, Path(path)


def _listed(plan: Plan, cells: Sequence[Cell]) -> Table:
    """The cells, and how far each has come."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    shown = Table(
        title=f"{plan.grid.name} in {plan.out}", title_justify="left", box=SIMPLE_HEAD, min_width=60
    )
    for column in ("cell", "pre-training", "measured", "to measure"):
        shown.add_column(column)
    for cell in cells:
        columns: tuple[list[str], list[str]] = [], []
        for each in cell.measurements:
            wanting = ": no data" if plan.missing(cell, each) else ""
            columns[plan.result(cell, each) is None].append(f"{each}{wanting}")
        progress = "no data" if plan.missing(cell) else plan.progress(cell)
        shown.add_row(cell.name, progress, *map(", ".join, columns))
    return shown
