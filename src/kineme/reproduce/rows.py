"""The figures of a grid: published, obtained, how long they took, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from kineme.errors import KinemeError
from kineme.evaluation.results import RANDOM, SCRATCH, Result
from kineme.reproduce.cost import cost_of_run
from kineme.reproduce.grid import FUSED, Cell, Measurement
from kineme.reproduce.plan import Plan
from kineme.reproduce.protocols import PROTOCOLS
from kineme.reproduce.published import published
from kineme.reproduce.work import fused, measured
from kineme.training.history import HISTORY, read_history

State = Literal["done", "to do", "interrupted", "failed", "no data"]


@dataclass(frozen=True)
class TableRow:
    """One figure of one cell, or why there is none.

    Attributes:
        recipe, store, split, stream: the cell; `store` by its name in the grid.
        protocol, score: what was measured.
        published, source: the published figure of this very cell, in per cent, and its source.
        obtained, low, high, deviation: the figure, its 95 % bootstrap interval, its standard deviation over
            seeds where it is a mean over them.
        difference: obtained - published.
        baseline: the same figure of a random encoder, or of one trained from scratch.
        pretraining_seconds, evaluation_seconds: how long that took; the latter is of the protocol as a whole.
        epochs: of pre-training; `recipe_epochs`: those of the recipe.
        parameters: numbers that the encoder has learned.
        flops: arithmetic of encoding one clip.
        probe_epoch: of the probe's training.
        seeds: how many runs the row is the mean of.
        seed: of the run; None where several are.
        commit: of Kineme at the evaluation.
        state, note: whether it is done, and why not, or of how many of the seeds.
        failure: why one of the seeds failed, where others are done.
        settings: the name of those that are not the recipe's, of a grid with `settings`.
    """

    recipe: str
    store: str
    split: str
    stream: str
    protocol: str
    score: str
    state: State
    note: str = ""
    published: float | None = None
    source: str | None = None
    obtained: float | None = None
    low: float | None = None
    high: float | None = None
    deviation: float | None = None
    difference: float | None = None
    baseline: float | None = None
    pretraining_seconds: float | None = None
    evaluation_seconds: float | None = None
    epochs: int | None = None
    recipe_epochs: int | None = None
    parameters: int | None = None
    flops: int | None = None
    probe_epoch: int | None = None
    seeds: int = 1
    commit: str | None = None
    failure: str = ""
    settings: str = ""
    seed: int | None = None


def rows(plan: Plan, failures: Mapping[str, str]) -> list[TableRow]:
    """Every cell of a grid, protocol by protocol; the fusion of streams stands below them."""
    found: list[TableRow] = []
    fusions = {max(cells, key=plan.grid.cells.index).name: cells for cells in plan.grid.fusions}
    for cell in plan.grid.cells:
        for measurement in cell.measurements:
            failure = failures.get(measured(cell, measurement), failures.get(cell.name))
            found += _measured(plan, cell, measurement, failure)
        if cell.name in fusions:
            found += _fused(plan, fusions[cell.name], failures.get(fused(fusions[cell.name])))
    return found


def _measured(plan: Plan, cell: Cell, measurement: Measurement, failure: str | None) -> list[TableRow]:
    protocol = PROTOCOLS[measurement.protocol]
    # What is published was measured by the settings of the recipe.
    as_published = "" if measurement.settings else measurement.protocol
    about = _About(plan, [cell], cell.stream, str(measurement), as_published)
    result = plan.result(cell, measurement)
    if result is not None:
        return [about.row(name, result) for name in protocol.scores or result.scores]
    first = next(iter(protocol.scores), "")
    if missing := plan.missing(cell, measurement):
        return [about.row(first, state="no data", note=f"{missing} ({plan.grid.stores[missing]})")]
    if failure is not None:
        return [about.row(first, state="failed", note=failure)]
    return [about.row(first, state="interrupted" if plan.progress(cell) == "interrupted" else "to do")]


def _fused(plan: Plan, cells: tuple[Cell, ...], failure: str | None) -> list[TableRow]:
    first = cells[0]
    about = _About(plan, cells, FUSED, "fused", "fused")
    result = plan.fused(cells)
    if result is not None:
        return [about.row(name, result) for name in ("last", "logistic")]
    if plan.missing(first):
        return [about.row("last", state="no data", note=f"{first.store} ({first.command})")]
    return [about.row("last", state="failed" if failure else "to do", note=failure or "")]


@dataclass(frozen=True)
class _About:
    """What the rows of one measurement have in common; several cells are fused."""

    plan: Plan
    cells: Sequence[Cell]
    stream: str
    title: str
    protocol: str

    def row(
        self, score: str, result: Result | None = None, *, state: State = "done", note: str = ""
    ) -> TableRow:
        plan, cell = self.plan, self.cells[0]
        figure = published(cell, self.stream, self.protocol, score, plan.stores.get(cell.store))
        row = TableRow(
            recipe=cell.recipe.stem,
            store=cell.store,
            split=cell.split or plan.recipe(cell).data.splits[0],
            stream=self.stream,
            protocol=self.title,
            score=score,
            state=state,
            note=note,
            published=figure.value if figure else None,
            source=figure.source if figure else None,
            recipe_epochs=plan.recipe(cell).train.epochs,
            settings=cell.variant.name,
            seed=plan.seed_of(cell),
        )
        if result is None:
            return row
        found = result.scores[score]
        low, high = found.interval or (None, None)
        cost = cost_of_run(plan.run(cell))
        baselines = [result.baselines[each] for each in (RANDOM, SCRATCH) if each in result.baselines]
        return replace(
            row,
            split=result.split,
            obtained=found.value,
            low=low,
            high=high,
            deviation=found.deviation,
            difference=found.value - figure.value if figure else None,
            baseline=next((each[score].value for each in baselines if score in each), None),
            pretraining_seconds=self._pretraining(),
            evaluation_seconds=result.seconds,
            epochs=result.pretrained_epochs,
            parameters=cost.parameters,
            flops=cost.flops,
            probe_epoch=found.epoch,
            commit=result.commit,
        )

    def _pretraining(self) -> float | None:
        """Seconds of pre-training, of all cells; None where that is not known."""
        try:
            histories = [read_history(self.plan.run(cell) / HISTORY) for cell in self.cells]
            return sum(history[-1]["seconds"] for history in histories)
        except (KinemeError, IndexError, KeyError):
            return None
