"""What of a grid cannot work, told before anything of it is trained."""

from __future__ import annotations

from collections.abc import Sequence

from kineme.errors import KinemeError
from kineme.reproduce.grid import ELSEHOW, SETTINGS, Cell, Measurement
from kineme.reproduce.plan import Plan, trained
from kineme.reproduce.protocols import PROTOCOLS
from kineme.training.run import check_fit


def check_cells(plan: Plan, cells: Sequence[Cell]) -> None:
    """Checks that cells can be trained and measured as the grid says, as far as their stores are there.

    Raises:
        KinemeError: settings do not fit each other or the clips, a protocol lacks its learning rate, or what
            a measurement needs of its clips is not there; the cell is named.
    """
    without_seeds = {
        (cell.recipe, cell.variant, cell.store, cell.split, cell.window, cell.stream): cell
        for cell in reversed(cells)
    }
    for cell in reversed(without_seeds.values()):
        try:
            _check(plan, cell)
        except KinemeError as error:
            words = [f"in a grid, {key} is {word}" for key, word in ELSEHOW.items() if key in str(error)]
            raise KinemeError("; ".join((f"{cell.name}: {error}", *words))) from error


def _check(plan: Plan, cell: Cell) -> None:
    for measurement in cell.measurements:
        _check_rate(plan, cell, measurement)
    if cell.store not in plan.stores:
        return
    config = plan.config(cell)
    if plan.progress(cell) == "to do":
        check_fit(config)
    for measurement in cell.measurements:
        if not plan.missing(cell, measurement):
            _check_clips(plan, cell, measurement, measurement.split or config.data.splits[0])


def _check_rate(plan: Plan, cell: Cell, measurement: Measurement) -> None:
    """A run that is trained keeps the settings of its protocols, whatever the recipe says now."""
    name, section = measurement.protocol, PROTOCOLS[measurement.protocol].tuned_by
    if section is None or "lr" in dict(measurement.settings):
        return
    ready = plan.progress(cell) == "trained"
    evaluate = trained(plan.run(cell)).evaluate if ready else plan.recipe(cell).evaluate
    if getattr(evaluate, section).lr is None:
        inline = f", or write {{{name}: {{lr: ...}}}} in the grid" if "lr" in SETTINGS.get(name, ()) else ""
        raise KinemeError(f"{name} needs a learning rate; set evaluate.{section}.lr in {cell.recipe}{inline}")


def _check_clips(plan: Plan, cell: Cell, measurement: Measurement, split: str) -> None:
    own, store = plan.stores[cell.store], plan.stores[measurement.store or cell.store]
    if store.layout != own.layout and not measurement.map_joints:
        raise KinemeError(
            f"{measurement}: {store.path} has the layout {store.layout.name}, and {own.path} "
            f"{own.layout.name}; write `map_joints: true` beside the store, to find the joints by name"
        )
    for part in ("train", "test"):
        PROTOCOLS[measurement.protocol].rows_of(store, split, part)
