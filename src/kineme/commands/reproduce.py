"""`kineme reproduce`: run an experiment grid."""

from __future__ import annotations

import sys
from pathlib import Path

from kineme.commands.outputs import hold_folder
from kineme.errors import KinemeError


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
    """Train and measure every cell of a grid: method × data × stream × protocol.

    Run the same command again to resume where it stopped, whatever stopped it: finished training is not
    repeated, and interrupted training ends with the weights it would have had. Cells whose clips are missing
    are listed with the command that makes them. Writes OUT/table.md, .csv and .json after every measurement;
    with several seeds also seeds.csv, which has a row for each.

    Grids that come with Kineme: `small`, Kineme's default and the published systems on small data sets with
    equal training time, and `published`, the published table on NTU RGB+D and PKU-MMD.

    Args:
        grid: A YAML file, or the name of a grid that comes with Kineme.
        store: Where its clip stores are, such as `ntu60=PATH pkummd2=PATH`; by default in `stores/NAME`.
        out: Directory for runs and table; by default `reproduced/GRID`.
        epochs: Train each cell for this many epochs.
        minutes: Train each cell for about this many minutes: as many epochs as fit.
        only: Only cells whose names match one of these patterns, such as `aimclr-*` or `motion`.
        seed: Seed of everything random.
        list: Only list the cells, and how far each has got.
    """
    from kineme.packaged import find_grid
    from kineme.reproduce.grid import load_grid

    found = load_grid(find_grid(grid))
    stores = dict(_named(word) for word in store or [])
    from rich.console import Console

    from kineme.commands import grids
    from kineme.commands.bar import progress_bar
    from kineme.commands.training_bar import ProgressLine
    from kineme.reproduce import table
    from kineme.reproduce.checks import check_cells
    from kineme.reproduce.plan import make_plan
    from kineme.reproduce.rows import rows
    from kineme.reproduce.seeds import over_seeds
    from kineme.reproduce.work import Failures, Hooks, chosen, work_through

    out = out or Path("reproduced") / found.name
    if not list:
        hold_folder(out, "this grid")
    plan = make_plan(found, out, stores, epochs=epochs, minutes=minutes, seed=seed)
    console = Console(width=None if sys.stdout.isatty() else 120)  # a file has no width of its own
    notes = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
    cells = chosen(plan, only or [])
    check_cells(plan, cells)
    if list:
        console.print(grids.progress(plan, cells))
        lacking = dict.fromkeys(plan.missing(cell, each) for cell in cells for each in cell.measurements)
        for name in filter(None, lacking):
            console.print(f"no data: {name} ({found.stores[name]})", markup=False, highlight=False)
        return

    def tell(failures: Failures) -> None:
        table.write(plan, rows(plan, failures))

    hooks = Hooks(say=notes.print, tell=tell, bar=progress_bar, callbacks=[ProgressLine()])
    failures = work_through(plan, only=only or [], hooks=hooks)
    each_seed = rows(plan, failures)
    table.write(plan, each_seed)
    done = over_seeds(each_seed)
    console.print(grids.grid(plan, done))
    for note in table.notes(done):
        console.print(note, markup=False, highlight=False)
    notes.print(
        f"written to {out / 'table.md'}, .csv and .json"
        + (f"; single seeds to {table.SEEDS}" if found.seeds > 1 else "")
    )
    if failures:
        raise KinemeError(
            f"{len(failures)} of {len(found.cells)} cells failed: {', '.join(failures)}; the table says why"
        )


def _named(word: str) -> tuple[str, Path]:
    """NAME=PATH."""
    name, equals, path = word.partition("=")
    if not (name and equals and path):
        raise KinemeError(f"`store` {word}: write NAME=PATH, the grid's name of the store and where it is")
    return name, Path(path)
