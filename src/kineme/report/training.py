"""Training curves: several runs in one panel, over epochs or over time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from markupsafe import Markup

from kineme.report.charts import Series, chart
from kineme.report.runs import Run
from kineme.report.templating import render

SPREAD = "effective_rank"
FEATURES = "feature_rank", "feature_std"  # of whole clips; the others are of a batch's views
ASIDE = ("epoch", "step", "seconds", "lr", "knn", "loss", SPREAD, "embedding_std", *FEATURES)
LABELS = {
    "lr": "learning rate",
    "knn": "kNN",
    SPREAD: "effective rank",
    "feature_rank": "effective rank",
    "feature_std": "deviation",
}
AXES: dict[str, Callable[[dict[str, float]], float]] = {
    "epoch": lambda row: row["epoch"],
    "minutes": lambda row: row.get("seconds", math.nan) / 60,
}
MAX_POINTS = 400  # of a line: more cannot be told apart, and a page of many runs stays small


def training(runs: Sequence[Run]) -> Markup:
    """Loss, its terms, kNN, learning rate and effective rank of all runs that have a history."""
    watched = [run for run in runs if run.history]
    views = {axis: [each for each in _charts(watched, axis, len(runs) > 1) if each] for axis in AXES}
    return render(
        "training.html",
        views={axis: charts for axis, charts in views.items() if charts},
        missing=[run for run in runs if not run.history],
    )


def _charts(runs: Sequence[Run], axis: str, several: bool) -> Iterator[Markup]:
    """A panel per quantity; losses of different methods are not comparable and have a panel each."""
    styles = {run.name: i for i, run in enumerate(runs)}

    def lines(chosen: Sequence[Run], column: str, scale: float = 1.0) -> list[Series]:
        named = [(run, run.name if several else LABELS.get(column, column)) for run in chosen]
        return [_series(run, axis, column, name, styles[run.name], scale) for run, name in named]

    methods = list(dict.fromkeys(str(run.config.method["name"]) for run in runs))
    for method in methods:
        title = f"Loss ({method})" if len(methods) > 1 else "Loss"
        same = [run for run in runs if run.config.method["name"] == method]
        yield chart(title, lines(same, "loss"), x_label=axis)
    title = "kNN on training clips, neighbours of other subjects"
    yield chart(title, lines(runs, "knn", 100.0), x_label=axis, unit=" %")
    for run in runs:
        columns = dict.fromkeys(name for row in run.history for name in row)
        terms = [name for name in columns if name not in ASIDE and "/" not in name]
        drawn = [_series(run, axis, name, name.replace("_", " "), i) for i, name in enumerate(terms)]
        title = f"Loss terms, {run.name}" if several else "Loss terms"
        yield chart(title, drawn, x_label=axis, log=_spans_decades(drawn))
    yield chart("Effective rank of the embedding", lines(runs, SPREAD), x_label=axis)
    yield chart("Effective rank of the features", lines(runs, FEATURES[0]), x_label=axis)
    title = "Deviation of the features, relative to their size"
    yield chart(title, lines(runs, FEATURES[1], 100.0), x_label=axis, unit=" %")
    yield chart("Learning rate", lines(runs, "lr"), x_label=axis)


def _series(run: Run, axis: str, column: str, name: str, style: int, scale: float = 1.0) -> Series:
    kept = [row for row in run.history if column in row]
    kept = kept[:: max(1, len(kept) // MAX_POINTS)] + (kept[-1:] if len(kept) > MAX_POINTS else [])
    return Series(name, [AXES[axis](row) for row in kept], [scale * row[column] for row in kept], style)


def _spans_decades(series: Sequence[Series]) -> bool:
    """Whether values are so far apart that only a logarithmic axis shows them all."""
    values = [y for each in series for _, y in each.points]
    return bool(values) and min(values) > 0 and max(values) / min(values) > 30
