"""The table of a grid: table.md, table.csv and table.json; with several seeds also seeds.csv."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from kineme import __version__
from kineme.evaluation.results import COLUMNS, source_commit
from kineme.files import atomic_write
from kineme.reproduce.plan import Plan
from kineme.reproduce.rows import TableRow
from kineme.reproduce.seeds import over_seeds
from kineme.reproduce.work import duration
from kineme.words import counted

SEEDS = "seeds.csv"
OBTAINED = "obtained [95 % interval]"
# Column → its text for a row.
CELLS: dict[str, Callable[[TableRow], str]] = {
    "recipe": lambda row: row.recipe,
    "settings": lambda row: row.settings,
    "data": lambda row: f"{row.store}, {row.split}" if row.split else row.store,
    "stream": lambda row: row.stream,
    "protocol": lambda row: measured_as(row),
    "published": lambda row: _figure(row.published),
    OBTAINED: lambda row: obtained(row),
    "difference": lambda row: "" if row.difference is None else f"{row.difference:+.1f}",
    "random": lambda row: _figure(row.baseline),
    "pre-training": lambda row: _time(row.pretraining_seconds),
    "MFLOP a clip": lambda row: "" if row.flops is None else f"{row.flops / 1e6:,.0f}",
    "evaluation": lambda row: _time(row.evaluation_seconds),
    "epochs": lambda row: epochs(row),
    "commit": lambda row: (row.commit or "")[:8] + ("-dirty" if (row.commit or "").endswith("dirty") else ""),
}


def measured_as(row: TableRow) -> str:
    """A protocol and its score, called as in other tables; without the score where there is no other."""
    if row.score == row.protocol or row.obtained is None:
        return row.protocol
    protocol, space, rest = row.protocol.partition(" ")
    if f"{protocol} {row.score}" in COLUMNS:
        return COLUMNS[f"{protocol} {row.score}"] + space + rest
    return f"{row.protocol}: {COLUMNS.get(row.score, row.score)}"


def obtained(row: TableRow) -> str:
    """A figure with its interval, and its deviation over seeds, or why there is none."""
    if row.obtained is None:
        return f"{row.state}: {row.note}" if row.note else row.state
    deviation = "" if row.deviation is None else f" ± {row.deviation:.1f}"
    interval = "" if row.low is None else f" [{row.low:.1f}–{row.high:.1f}]"
    return f"{row.obtained:.1f}{deviation}{interval}" + (f" ({row.note})" if row.note else "")


def epochs(row: TableRow) -> str:
    """Of pre-training, with those of the recipe where they differ."""
    if row.epochs is None:
        return ""
    return f"{row.epochs}" + (f" (recipe {row.recipe_epochs})" if row.epochs != row.recipe_epochs else "")


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _time(seconds: float | None) -> str:
    return "" if seconds is None else duration(seconds)


def terms(plan: Plan) -> str:
    """How long the cells were trained, and by which seeds, in a phrase."""
    if plan.epochs is not None:
        length = f"{counted(plan.epochs, 'epoch')} each"
    elif plan.minutes is not None:
        length = f"{plan.minutes:g} min of pre-training each"
    else:
        length = "epochs as in each recipe"
    last = plan.seed + plan.grid.seeds - 1
    return f"{length}, " + (f"seed {plan.seed}" if last == plan.seed else f"seeds {plan.seed} to {last}")


def notes(found: Sequence[TableRow]) -> list[str]:
    """What is missing and why, each reason once."""
    missing = [f"{row.state}: {row.note}" for row in found if row.note and row.obtained is None]
    return [*dict.fromkeys((*missing, *failures(found)))]


def failures(found: Sequence[TableRow]) -> list[str]:
    """Why seeds failed where others are done, each reason once."""
    return [*dict.fromkeys(f"failed: {row.failure}" for row in found if row.failure)]


def write(plan: Plan, each_seed: Sequence[TableRow]) -> None:
    """Writes table.md, table.csv and table.json, and single seeds, where there are several, to seeds.csv."""
    found = over_seeds(each_seed)
    with atomic_write(plan.out / "table.md") as aside:
        aside.write_text(markdown(plan, found), encoding="utf-8")
    _write_csv(plan.out / "table.csv", found)
    if plan.grid.seeds > 1:
        _write_csv(plan.out / SEEDS, each_seed)
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
    with atomic_write(plan.out / "table.json") as aside:
        aside.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _write_csv(path: Path, found: Sequence[TableRow]) -> None:
    with atomic_write(path) as aside, aside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [each.name for each in fields(TableRow)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in found)


def markdown(plan: Plan, found: Sequence[TableRow]) -> str:
    """The table as Markdown, without empty columns."""
    columns = [name for name in CELLS if any(CELLS[name](row) for row in found)]
    lines = [
        f"# {plan.grid.name}",
        "",
        f"Top-1, or what the protocol names, in per cent; {terms(plan)}.",
        "",
        f"| {' | '.join(columns)} |",
        f"|{'---|' * len(columns)}",
        *(f"| {' | '.join(CELLS[name](row).replace('|', '/') for name in columns)} |" for row in found),
        "",
    ]
    if failed := failures(found):
        lines += ["Of the other seeds:", "", *(f"- {reason}" for reason in failed), ""]
    sources = dict.fromkeys(f"{row.published:.1f}: {row.source}" for row in found if row.source)
    if sources:
        lines += ["Published:", "", *(f"- {source}" for source in sources), ""]
    return "\n".join(lines)
