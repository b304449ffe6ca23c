"""Results as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.table import Table

from kineme.evaluation.detection.scores import SHOWN
from kineme.evaluation.fusion import PROBES
from kineme.evaluation.results import COLUMNS, PRETRAINED, RANDOM, RANKING, RAW, SCRATCH, Result, Score
from kineme.evaluation.robust import KNN

IN_BRACKETS = "in brackets: 95 % bootstrap interval"
HEADLINE = ("top-1", "top-5")  # metrics that stand in the table or the file already


def recognition(*results: Result) -> Table:
    """One run's results on one data set, by row (baselines first) and probe.

    Recall and mAP are shown if retrieval is the only protocol; with other probes the rows would get too long.
    """
    first = results[0]
    found = dict.fromkeys(_column(result, name) for result in results for name in result.scores)
    names = sorted(found, key=lambda name: [*COLUMNS].index(name) if name in COLUMNS else len(COLUMNS))
    if set(names) - {"knn", *RANKING}:
        names = [name for name in names if name not in RANKING]
    several = any(score.deviation is not None for result in results for score in result.scores.values())
    figures = "top-1, recall and mAP" if RANKING.keys() & set(names) else "top-1"
    below = "±: standard deviation over seeds" if several else "below: 95 % bootstrap interval"
    caption = [
        f"{_measured_on(first)}; {below}",
        *filter(None, map(_metrics, results)),
    ]
    if first.seen_clips:
        caption.append(f"{first.seen_clips} of the test clips were seen in pre-training")
    shown = _table(_title(first, f"{figures} %"), caption)
    shown.add_column("")
    for name in names:
        shown.add_column(COLUMNS.get(name, name), justify="right")
    rows: dict[str, dict[str, Score]] = {RAW: {}, RANDOM: {}, SCRATCH: {}, PRETRAINED: {}}
    for result in results:
        for row, scores in {**result.baselines, PRETRAINED: result.scores}.items():
            rows[row].update({_column(result, name): score for name, score in scores.items()})
    for row, scores in rows.items():
        if scores:
            cells = [_cell(scores.get(name), row == PRETRAINED) for name in names]
            shown.add_row(row, *cells, style="bold" if row == PRETRAINED else "")
    return shown


def fusion(result: Result) -> Table:
    """Each stream alone and all of them fused, with intervals."""
    title = f"{result.method} on {result.store}, {result.split}: top-1 %"
    shown = _table(title, [f"{result.test_clips} test clips; below: 95 % bootstrap interval"])
    shown.add_column("")
    for probe in PROBES:
        shown.add_column(COLUMNS[probe], justify="right")
        shown.add_column("weight", justify="right")
    weights = result.settings["weights"]
    for stream, scores in {**result.baselines, "fused": result.scores}.items():
        cells = []
        for probe in PROBES:
            weight = weights[probe].get(stream)
            cells += [_cell(scores[probe], True), "" if weight is None else f"{weight:g}"]
        shown.add_row(stream, *cells, style="bold" if stream == "fused" else "")
    return shown


def detection(result: Result) -> Table:
    """The main figures of a result and its baselines; the file has all of them."""
    caption = f"{_measured_on(result, 'recordings')}; {IN_BRACKETS}"
    return _by_score(_title(result, "detection, per cent"), caption, result, SHOWN)


def early(result: Result) -> Table:
    """The accuracy by the share of frames that is seen, and its mean."""
    caption = f"{_measured_on(result)}; probes fitted to {result.settings['fitted_to']}; {IN_BRACKETS}"
    return _by_score(_title(result, "early prediction, top-1 %"), caption, result, result.scores)


def robust(result: Result) -> Table:
    """The accuracy under each condition, of a logistic regression and of nearest neighbours."""
    caption = f"{_measured_on(result)}; probes fitted to clean training clips; {IN_BRACKETS}"
    names = sorted(result.scores, key=lambda name: name.endswith(KNN))  # one probe below the other
    return _by_score(_title(result, "robustness, top-1 %"), caption, result, names)


def _title(result: Result, figures: str) -> str:
    return f"{result.method} ({result.stream}) on {result.store}, {result.split}: {figures}"


def _measured_on(result: Result, what: str = "clips") -> str:
    return f"{result.train_clips} training and {result.test_clips} test {what}, seed {result.seed}"


def _by_score(title: str, caption: str, result: Result, names: Iterable[str]) -> Table:
    """A row of each score, a column of each baseline and of the encoder."""
    shown = Table(title=title, caption=caption, title_justify="left", caption_justify="left")
    columns = {**result.baselines, PRETRAINED: result.scores}
    shown.add_column("")
    for name in columns:
        shown.add_column(name, justify="right", style="bold" if name == PRETRAINED else "")
    for name in names:
        cells = [_cell(scores[name], row == PRETRAINED, " ({})") for row, scores in columns.items()]
        shown.add_row(name, *cells)
    return shown


def _table(title: str, caption: Sequence[str]) -> Table:
    return Table(
        title=title,
        caption="\n".join(caption),
        title_justify="left",
        caption_justify="left",
        min_width=max(map(len, (title, *caption))),
    )


def _metrics(result: Result) -> str:
    """The other metrics of the pre-trained encoder, in a line."""
    figures = [
        f"{name} {value:.1f}"
        for name, value in result.metrics.items()
        if name not in HEADLINE and isinstance(value, float)
    ]
    probe = COLUMNS.get(_column(result, result.detailed), result.detailed)
    return f"{probe}: {', '.join(figures)}" if figures else ""


def _column(result: Result, name: str) -> str:
    """The column of a score: by its protocol and name where `COLUMNS` tells them apart, else by its name."""
    qualified = f"{result.protocol} {name}"
    return qualified if qualified in COLUMNS else name


def _cell(score: Score | None, full: bool, bracket: str = "\n{}") -> str:
    """A figure: with its deviation, or in full with its interval."""
    if score is None:
        return ""
    if score.deviation is not None:
        return f"{score.value:.1f} ± {score.deviation:.1f}"
    if full and score.interval is not None:
        return f"{score.value:.1f}" + bracket.format(f"{score.interval[0]:.1f}–{score.interval[1]:.1f}")
    return f"{score.value:.1f}"
