"""What came of a grid: published beside obtained, for the terminal and as table.md, table.csv, table.json."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from rich.box import SIMPLE_HEAD
from rich.table import Table

from kineme import __version__
from kineme.evaluation.results import COLUMNS, RANDOM, SCRATCH, Result, Score, source_commit
from kineme.files import written_aside
from kineme.reproduce.grid import FUSED, Cell, Measurement
from kineme.reproduce.plan import Plan
from kineme.reproduce.protocols import PROTOCOLS
from kineme.reproduce.published import published
from kineme.reproduce.work import duration, fused, measured
from kineme.training.callbacks import HISTORY

State = Literal["done", "to do", "interrupted", "failed", "no data"]


@dataclass(frozen=True)
class Row:
    """One figure of one cell, or what became of it.

    Attributes:
        recipe, store, split, stream: the cell; `store` by its name in the grid.
        protocol, score: what was measured.
        published, source: the published figure of this very cell, in per cent, and where it stands.
        obtained, low, high, deviation: the figure, its 95 % bootstrap interval, its standard deviation over
            seeds where it is a mean over them.
        difference: obtained - published.
        baseline: the same figure of a random encoder, or of one trained from scratch.
        pretraining_seconds, evaluation_seconds: how long that took; the latter is of the protocol as a whole.
        epochs: of pre-training; `recipe_epochs` are those that the recipe has by itself.
        probe_epoch: of the probe's training.
        commit: of Kineme as it was measured.
        state, note: whether it is done, and why not.
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
    probe_epoch: int | None = None
    commit: str | None = None


def rows(plan: Plan, failures: Mapping[str, str]) -> list[Row]:
    """Every cell of a grid, protocol by protocol; the fusion of streams stands below them."""
    found: list[Row] = []
    fusions = {max(cells, key=plan.grid.cells.index).name: cells for cells in plan.grid.fusions}
    for cell in plan.grid.cells:
        for measurement in cell.measurements:
            failure = failures.get(measured(cell, measurement), failures.get(cell.name))
            found += _measured(plan, cell, measurement, failure)
        if cell.name in fusions:
            found += _fused(plan, fusions[cell.name], failures.get(fused(fusions[cell.name])))
    return found


def _measured(plan: Plan, cell: Cell, measurement: Measurement, failure: str | None) -> list[Row]:
    protocol = PROTOCOLS[measurement.protocol]
    result = plan.result(cell, measurement)
    about = _About(plan, cell, cell.stream, str(measurement), measurement.protocol)
    if result is not None:
        return [about.row(name, result) for name in protocol.scores or result.scores]
    if missing := plan.missing(cell, measurement):
        state: State = "no data"
        note = f"{missing} ({plan.grid.stores[missing]})"
    elif failure is not None:
        state, note = "failed", failure
    else:
        state, note = "interrupted" if plan.progress(cell) == "interrupted" else "to do", ""
    return [about.row(next(iter(protocol.scores), ""), state=state, note=note)]


def _fused(plan: Plan, cells: tuple[Cell, ...], failure: str | None) -> list[Row]:
    first = cells[0]
    about = _About(plan, first, FUSED, "fused", "fused")
    result = plan.fused(cells)
    if result is not None:
        return [about.row(name, result) for name in ("last", "logistic")]
    if plan.missing(first):
        return [about.row("last", state="no data", note=f"{first.store} ({first.command})")]
    return [about.row("last", state="failed" if failure else "to do", note=failure or "")]


@dataclass(frozen=True)
class _About:
    """What the rows of one measurement have in common."""

    plan: Plan
    cell: Cell
    stream: str
    title: str
    protocol: str

    def row(self, score: str, result: Result | None = None, *, state: State = "done", note: str = "") -> Row:
        plan, cell = self.plan, self.cell
        figure = published(cell, self.stream, self.protocol, score, plan.stores.get(cell.store))
        found = result.scores[score] if result else Score(0.0)
        low, high = found.interval or (None, None)
        baselines = (
            [result.baselines[each] for each in (RANDOM, SCRATCH) if each in result.baselines]
            if result
            else []
        )
        beside = next((each[score].value for each in baselines if score in each), None)
        return Row(
            recipe=cell.recipe.stem,
            store=cell.store,
            split=result.split if result else cell.split or "",
            stream=self.stream,
            protocol=self.title,
            score=score,
            state=state,
            note=note,
            published=figure.value if figure else None,
            source=figure.source if figure else None,
            obtained=found.value if result else None,
            low=low,
            high=high,
            deviation=found.deviation,
            difference=found.value - figure.value if figure and result else None,
            baseline=beside,
            pretraining_seconds=self._pretraining() if result else None,
            evaluation_seconds=result.seconds if result else None,
            epochs=result.pretrained_epochs if result else None,
            recipe_epochs=plan.recipes[cell.recipe].train.epochs,
            probe_epoch=found.epoch,
            commit=result.commit if result else None,
        )

    def _pretraining(self) -> float | None:
        """Seconds of pre-training, of all streams that are fused."""
        streams = (
            [cell for cell in self.plan.grid.cells if cell.kin == self.cell.kin]
            if self.stream == FUSED
            else []
        )
        seconds = [_seconds(self.plan.run(cell) / HISTORY) for cell in streams or [self.cell]]
        return sum(each for each in seconds if each is not None) if None not in seconds else None


def _seconds(history: Path) -> float | None:
    """What history.csv says that a pre-training has taken."""
    if not history.is_file():
        return None
    with history.open(newline="") as file:
        taken = [row["seconds"] for row in csv.DictReader(file)]
    return float(taken[-1]) if taken else None


OBTAINED = "obtained [95 % interval]"
# Column → what stands in it.
_SHOWN: dict[str, Callable[[Row], str]] = {
    "recipe": lambda row: row.recipe,
    "data": lambda row: f"{row.store}, {row.split}" if row.split else row.store,
    "stream": lambda row: row.stream,
    "protocol": lambda row: measured_as(row),
    "published": lambda row: _figure(row.published),
    OBTAINED: lambda row: obtained(row),
    "difference": lambda row: "" if row.difference is None else f"{row.difference:+.1f}",
    "random": lambda row: _figure(row.baseline),
    "pre-training": lambda row: _time(row.pretraining_seconds),
    "evaluation": lambda row: _time(row.evaluation_seconds),
    "epochs": lambda row: epochs(row),
    "commit": lambda row: (row.commit or "")[:8] + ("-dirty" if (row.commit or "").endswith("dirty") else ""),
}
_TERMINAL = ("published", OBTAINED, "difference", "random", "pre-training", "evaluation", "epochs")


def measured_as(row: Row) -> str:
    """A protocol and its score, called as in other tables; without the score where there is no other."""
    if row.score == row.protocol or row.obtained is None:
        return row.protocol
    qualified = f"{row.protocol} {row.score}"
    return COLUMNS.get(qualified, f"{row.protocol}: {COLUMNS.get(row.score, row.score)}")


def obtained(row: Row) -> str:
    """A figure with its interval, and its deviation over seeds, or why there is none."""
    if row.obtained is None:
        return f"{row.state}: {row.note}" if row.note else row.state
    deviation = "" if row.deviation is None else f" ± {row.deviation:.1f}"
    interval = "" if row.low is None else f" [{row.low:.1f}–{row.high:.1f}]"
    return f"{row.obtained:.1f}{deviation}{interval}"


def epochs(row: Row) -> str:
    """Of pre-training: how many, and of how many where the recipe would have trained more or less."""
    if row.epochs is None:
        return ""
    return f"{row.epochs}" + (f" (recipe {row.recipe_epochs})" if row.epochs != row.recipe_epochs else "")


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _time(seconds: float | None) -> str:
    return "" if seconds is None else duration(seconds)


def terms(plan: Plan) -> str:
    """On which terms the cells were trained, in a phrase."""
    if plan.epochs is not None:
        length = f"{plan.epochs} epochs each"
    elif plan.minutes is not None:
        length = f"{plan.minutes:g} minutes of pre-training each"
    else:
        length = "as long as each recipe says"
    return f"{length}, seed {plan.seed}"


def shown(plan: Plan, found: Sequence[Row]) -> Table:
    """For the terminal: a section for each cell."""
    columns = [name for name in _TERMINAL if any(_SHOWN[name](row) for row in found)]
    table = Table(
        title=f"{plan.grid.name}: per cent, {terms(plan)}",
        title_justify="left",
        min_width=60,
        box=SIMPLE_HEAD,
    )
    table.add_column("")
    for name in columns:
        table.add_column(name, justify="left" if name == OBTAINED else "right")
    before = None
    for row in found:
        cell = f"{row.recipe}, {row.store}, {row.stream}"
        if cell != before:
            table.add_section()
            table.add_row(cell, style="bold")
        before = cell
        cells = (row.state if name == OBTAINED and row.note else _SHOWN[name](row) for name in columns)
        table.add_row(f"  {_SHOWN['protocol'](row)}", *cells)
    return table


def notes(found: Sequence[Row]) -> list[str]:
    """What is wanting and why, each reason once."""
    return [*dict.fromkeys(f"{row.state}: {row.note}" for row in found if row.note)]


def write(plan: Plan, found: Sequence[Row]) -> None:
    """Writes table.md, table.csv and table.json into the grid's folder."""
    with written_aside(plan.out / "table.md") as aside:
        aside.write_text(markdown(plan, found), encoding="utf-8")
    with (
        written_aside(plan.out / "table.csv") as aside,
        aside.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, [each.name for each in fields(Row)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in found)
    data: dict[str, Any] = {
        "unit": "per cent",
        "grid": plan.grid.name,
        "epochs": plan.epochs,
        "minutes": plan.minutes,
        "seed": plan.seed,
        "stores": {name: store.manifest.fingerprint for name, store in plan.stores.items()},
        "version": __version__,
        "commit": source_commit(),
        "rows": [asdict(row) for row in found],
    }
    with written_aside(plan.out / "table.json") as aside:
        aside.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def markdown(plan: Plan, found: Sequence[Row]) -> str:
    """The table as Markdown, columns that are empty left out."""
    columns = [name for name in _SHOWN if any(_SHOWN[name](row) for row in found)]
    lines = [
        f"# {plan.grid.name}",
        "",
        f"Top-1, or what the protocol names, in per cent; {terms(plan)}.",
        "",
        f"| {' | '.join(columns)} |",
        f"|{'---|' * len(columns)}",
        *(f"| {' | '.join(_SHOWN[name](row).replace('|', '/') for name in columns)} |" for row in found),
        "",
    ]
    sources = dict.fromkeys(f"{row.published:.1f}: {row.source}" for row in found if row.source)
    if sources:
        lines += ["Published:", "", *(f"- {source}" for source in sources), ""]
    return "\n".join(lines)
