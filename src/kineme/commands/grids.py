"""Grids as tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from kineme.reproduce.grid import Cell
from kineme.reproduce.plan import Plan
from kineme.reproduce.rows import TableRow
from kineme.reproduce.table import CELLS, OBTAINED, terms

COLUMNS = ("published", OBTAINED, "difference", "random", "pre-training", "evaluation", "epochs")


def grid(plan: Plan, rows: Sequence[TableRow]) -> Table:
    """What came of a grid: a section for each cell."""
    columns = [name for name in COLUMNS if any(CELLS[name](row) for row in rows)]
    title = f"{plan.grid.name}: per cent, {terms(plan)}"
    table = Table(title=title, title_justify="left", min_width=60, box=SIMPLE_HEAD)
    table.add_column("")
    for name in columns:
        table.add_column(name, justify="left" if name == OBTAINED else "right")
    before = None
    for row in rows:
        cell = f"{row.recipe}, {row.store}, {row.stream}"
        if cell != before:
            table.add_section()
            table.add_row(cell, style="bold")
        before = cell
        cells = (
            row.state if name == OBTAINED and row.obtained is None else CELLS[name](row) for name in columns
        )
        table.add_row(f"  {CELLS['protocol'](row)}", *cells)
    return table


def progress(plan: Plan, cells: Sequence[Cell]) -> Table:
    """The cells of a grid, and how far each has come."""
    title = f"{plan.grid.name} in {plan.out}"
    shown = Table(title=title, title_justify="left", box=SIMPLE_HEAD, min_width=60)
    for column in ("cell", "pre-training", "measured", "to measure"):
        shown.add_column(column)
    for cell in cells:
        columns: tuple[list[str], list[str]] = [], []
        for each in cell.measurements:
            lacking = ": no data" if plan.missing(cell, each) else ""
            columns[plan.result(cell, each) is None].append(f"{each}{lacking}")
        state = "no data" if plan.missing(cell) else plan.progress(cell)
        shown.add_row(cell.name, state, *map(", ".join, columns))
    return shown
