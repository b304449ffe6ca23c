"""Results: a table for each protocol and data set, baselines first; runs measured alike share one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from kineme.evaluation import early, robust
from kineme.evaluation.advice import measuring_command
from kineme.evaluation.detection.scores import HEADLINE, SHOWN
from kineme.evaluation.results import COLUMNS, PRETRAINED, RANDOM, RAW, Result, Score
from kineme.report.charts import strip
from kineme.report.differences import Pair, differences
from kineme.report.early import curves
from kineme.report.examined import Examined
from kineme.report.runs import DETECT, Run
from kineme.report.templating import render
from kineme.words import counted

EARLY, ROBUST = "early", "robust"
TITLES = {
    "linear": "Linear evaluation",
    "knn": "Nearest neighbour",
    EARLY: "Early prediction",
    ROBUST: "Robustness",
    "transfer": "Transfer to other data",
    "finetune": "Fine-tuning",
    "semi": "Few labels",
    "semi-frozen": "Few labels, frozen encoder",
    "fewshot": "Few examples",
    "fused": "Fused streams",
    DETECT: "Detection",
}
WIDE = {DETECT: SHOWN, EARLY: early.SHOWN, ROBUST: robust.SHOWN}  # those of many scores, with the chief ones
PROBED = ("linear", "knn", "transfer")  # protocols on frozen features, of which these are the probes
MEANING = {
    "logistic": "logistic regression on standardised features",
    "last": "SGD probe by the method's published protocol, last epoch",
    "best": "the same probe at its best epoch on the test clips, as papers report it",
    "knn": "a test clip takes the label of its nearest training clips",
    "recall@5": "share of test clips with one of their class among the five nearest training clips",
    "recall@10": "the same among the ten nearest",
    "mAP": "mean average precision of the ranking of all training clips",
}
MANNER = {"logistic": "logistic regression", "knn": "their nearest training clips", "last": "an SGD probe"}


@dataclass(frozen=True)
class TableRow:
    """A baseline or an encoder: its title, the run it belongs to, its scores by probe."""

    title: str
    run: str
    scores: Mapping[str, Score]


@dataclass(frozen=True)
class Table:
    """Scores with their intervals on one axis; `probes` are the columns and their titles."""

    label: str
    probes: Mapping[str, str]
    rows: Sequence[TableRow]

    @property
    def scores(self) -> list[Score]:
        """All scores in the table."""
        return [row.scores[probe] for row in self.rows for probe in self.probes if probe in row.scores]

    @property
    def axis(self) -> tuple[float, float]:
        """Multiples of ten around all scores and intervals."""
        ends = [end for score in self.scores for end in (*(score.interval or ()), score.value)]
        low, high = 10 * math.floor(min(ends) / 10), 10 * math.ceil(max(ends) / 10)
        return float(low), float(max(high, low + 10))


def numbers(runs: Sequence[Run], seen: Sequence[Examined | str]) -> Markup:
    """All results; those that were measured alike share a table. `seen` are each run's clips, if known."""
    groups: dict[tuple[Any, ...], list[Pair]] = {}
    for run in runs:
        for each in run.measured:
            groups.setdefault(_terms(each.result), []).append((run, each))
    return render(
        "numbers.html",
        groups=[_group(pairs, len(runs) > 1) for pairs in groups.values()],
        unmeasured=[
            (run, measuring_command(run.config, run.path, each.store) if isinstance(each, Examined) else None)
            for run, each in zip(runs, seen, strict=True)
            if not run.measured
        ],
        several=len(runs) > 1,
        own=PRETRAINED,
        strip=strip,
        worded=_worded,
    )


def headline(run: Run) -> Markup:
    """The run's first score and the baselines to hold it against, in a sentence."""
    result = next((each.result for each in run.measured if each.result.protocol in (*PROBED, DETECT)), None)
    if result is None:
        return Markup()
    detected = result.protocol == DETECT
    probe = HEADLINE if detected and HEADLINE in result.scores else next(iter(result.scores))
    baselines = {
        words: result.baselines[row][probe]
        for row, words in ((RANDOM, "a random encoder"), (RAW, "raw coordinates"))
        if probe in result.baselines.get(row, {})
    }
    return render(
        "headline.html",
        score=result.scores[probe],
        probe=probe,
        detected=detected,
        clips=result.test_clips,
        manner=MANNER.get(probe, title_of(result, probe)),
        measured_on=_measured_on(result),
        baselines=baselines,
    )


def title_of(result: Result, probe: str) -> str:
    """The title of a probe's column."""
    return COLUMNS.get(f"{result.protocol} {probe}", COLUMNS.get(probe, probe))


def _terms(result: Result) -> tuple[Any, ...]:
    """What must be equal for results to be compared. A linear probe's settings belong to its method."""
    setting = {"knn": "k", EARLY: "fitted_to"}.get(result.protocol, "")
    asked = result.settings.get(setting)
    return result.protocol, result.fingerprint, result.split, result.test_clips, asked


def _measured_on(result: Result) -> str:
    noun = "recording" if result.protocol == DETECT else "clip"
    train, test = counted(result.train_clips, f"training {noun}"), counted(result.test_clips, f"test {noun}")
    return f"{train} and {test}"


def _group(pairs: Sequence[Pair], several: bool) -> dict[str, object]:
    """What the template shows of results that were measured alike."""
    first = pairs[0][1].result
    rows = list(_rows(pairs, several))
    titles = {probe: title_of(first, probe) for row in rows for probe in row.scores}
    shown = WIDE.get(first.protocol, tuple(titles))
    chief = {probe: title for probe, title in titles.items() if probe in shown}
    others = {probe: title for probe, title in titles.items() if probe not in chief}
    meaning = MEANING if first.protocol in PROBED else {}
    heading = f"{TITLES.get(first.protocol, first.protocol)}: {first.store}, {first.split}"
    return {
        "heading": heading,
        "measured_on": f"{_measured_on(first)}, prepared with {first.store_preprocessing}",
        "meanings": [f"{title}: {meaning[probe]}" for probe, title in titles.items() if probe in meaning],
        "curves": curves(_named(rows), first.settings["fitted_to"]) if first.protocol == EARLY else "",
        "table": Table(heading, chief, rows),
        "others": Table(f"Other metrics, {heading}", others, rows) if others else None,
        "differences": differences(pairs),
        "pairs": pairs,
    }


def _rows(pairs: Sequence[Pair], several: bool) -> Iterator[TableRow]:
    """Baselines first; equal ones of several runs once."""
    for title in dict.fromkeys(title for _, each in pairs for title in each.result.baselines):
        found: list[tuple[Mapping[str, Score], list[str]]] = []
        for run, each in pairs:
            scores = each.result.baselines.get(title)
            alike = [names for other, names in found if other == scores]
            if alike:
                alike[0].append(run.name)
            elif scores is not None:
                found.append((scores, [run.name]))
        for scores, names in found:
            yield TableRow(title, ", ".join(names) if len(found) > 1 else "", scores)
    for run, each in pairs:
        repeated = sum(other is run for other, _ in pairs) > 1
        names = [run.name] * several + [each.file] * repeated
        yield TableRow(PRETRAINED, ", ".join(names), each.result.scores)


def _named(rows: Sequence[TableRow]) -> Iterator[tuple[str, Mapping[str, Score]]]:
    for row in rows:
        yield f"{row.title}, {row.run}" if row.run else row.title, row.scores


def _worded(settings: Mapping[str, Any]) -> str:
    """Settings as words, with the digits that matter: `lr 3, windows (kind tokens, frames 64)`."""

    def text(value: Any) -> str:
        if isinstance(value, Mapping):
            return f"({_worded(value)})"
        return f"{value:.6g}" if isinstance(value, float) else str(value)

    return ", ".join(
        f"{key} {text(value)}" for key, value in settings.items() if value not in (None, [])
    ).replace("_", " ")
