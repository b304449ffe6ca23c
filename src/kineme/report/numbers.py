"""The figures: a table for each protocol and data set, baselines first, several runs on equal terms."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kineme.evaluation.detection.scores import HEADLINE, SHOWN
from kineme.evaluation.results import COLUMNS, PRETRAINED, RANDOM, RAW, Result, Score
from kineme.report.charts import strip
from kineme.report.differences import Pair, differences
from kineme.report.html import Html, boxed, join, note, tag
from kineme.report.runs import DETECT, Measured, Run

Row = tuple[str, str, Mapping[str, Score]]  # title, which run, scores by probe

TITLES = {
    "linear": "Linear evaluation",
    "knn": "Nearest neighbour",
    "transfer": "Transfer to other data",
    "finetune": "Fine-tuned",
    "semi": "Few labels",
    "fused": "Fused streams",
    DETECT: "Detection",
}
PROBED = ("linear", "knn", "transfer")  # protocols on frozen features, of which these are the probes
MEANING = {
    "logistic": "logistic regression on standardised features",
    "last": "SGD probe by the method's published protocol, last epoch",
    "best": "the same probe at the epoch that did best on the test clips, as papers report it",
    "knn": "a test clip takes the label of its nearest training clips",
    "recall@5": "share of test clips with one of their class among the five nearest training clips",
    "recall@10": "the same among the ten nearest",
    "mAP": "mean average precision of the ranking of all training clips",
}

MANNER = {"logistic": "logistic regression", "knn": "the nearest training clips", "last": "an SGD probe"}


def numbers(runs: Sequence[Run]) -> Html:
    """All recognition results, those that were measured alike in one table."""
    groups: dict[tuple[Any, ...], list[Pair]] = {}
    for run in runs:
        for each in run.measured:
            groups.setdefault(_terms(each.result), []).append((run, each))
    none = [run for run in runs if not run.measured]
    return tag(
        "section",
        tag("h2", "Numbers"),
        [_group(pairs, len(runs) > 1) for pairs in groups.values()],
        [
            note(
                f"{run.name} has no results yet; measure it with ",
                tag("code", f"kineme evaluate linear {run.path}"),
                " and ",
                tag("code", f"kineme evaluate knn {run.path}"),
                ".",
            )
            for run in none
        ],
        id="numbers",
    )


def _terms(result: Result) -> tuple[Any, ...]:
    """What must be equal for figures to be compared. A linear probe's settings belong to its method."""
    neighbours = result.settings.get("k") if result.protocol == "knn" else None
    return result.protocol, result.fingerprint, result.split, result.test_clips, neighbours


def headline(run: Run) -> Html:
    """The first figure of the run and what it is to be held against, in a sentence."""
    result = next((each.result for each in run.measured if each.result.protocol in (*PROBED, DETECT)), None)
    if result is None:
        return Html("")
    if result.protocol == DETECT:
        probe = HEADLINE if HEADLINE in result.scores else next(iter(result.scores))
        what = f"{probe} of detection, {_parts(result)}"
    else:
        probe = next(iter(result.scores))
        manner = MANNER.get(probe, title_of(result, probe))
        what = f"of {result.test_clips:,} test clips are recognised from the encoder's features by {manner}"
    score = result.scores[probe]
    low_high = f" (95 % interval {_interval(score)}) " if score.interval else " "
    others = [
        f"{result.baselines[row][probe].value:.1f}\u00a0% from {words}"
        for row, words in ((RANDOM, "a random encoder"), (RAW, "raw coordinates"))
        if probe in result.baselines.get(row, {})
    ]
    held = f", against {' and '.join(others)}" if others else ""
    return tag("p", tag("strong", f"{score.value:.1f}\u00a0%"), f"{low_high}{what}{held}.", class_="headline")


def unit(result: Result) -> str:
    """What is counted in a result's parts."""
    return "recordings" if result.protocol == DETECT else "clips"


def _parts(result: Result) -> str:
    return f"{result.train_clips:,} training and {result.test_clips:,} test {unit(result)}"


def title_of(result: Result, probe: str) -> str:
    """How a probe of a protocol is called above a column."""
    return COLUMNS.get(f"{result.protocol} {probe}", COLUMNS.get(probe, probe))


def _group(pairs: Sequence[Pair], several: bool) -> Html:
    """Heading, table, differences and sources of results that were measured alike."""
    first = pairs[0][1].result
    rows = list(_rows(pairs, several))
    probes = list(dict.fromkeys(probe for _, _, scores in rows for probe in scores))
    chief = [probe for probe in probes if probe in SHOWN] if first.protocol == DETECT else probes
    meaning = MEANING if first.protocol in PROBED else {}
    explained = [f"{title_of(first, probe)}: {meaning[probe]}" for probe in probes if probe in meaning]
    said = [f"{_parts(first)}, prepared by {first.store_preprocessing}", "; ".join(explained)]
    heading = f"{TITLES.get(first.protocol, first.protocol)}: {first.store}, {first.split}"
    titles = {probe: title_of(first, probe) for probe in probes}
    others = {probe: title for probe, title in titles.items() if probe not in chief}
    summary = tag("summary", "All other figures")
    more = tag("details", summary, _table(rows, others, "Other figures")) if others else ""
    return join(
        tag("h3", heading),
        tag("p", "".join(f"{each}. " for each in said if each), class_="faint"),
        _table(rows, {probe: titles[probe] for probe in chief}, heading),
        more,
        differences(pairs),
        [_remark(run, each, several) for run, each in pairs],
    )


def _table(rows: Sequence[Row], probes: Mapping[str, str], label: str) -> Html:
    """Baselines and runs by probe (with its title), each figure on an axis that all share."""
    low, high = _axis([scores[probe] for _, _, scores in rows for probe in probes if probe in scores])
    head = [tag("th", title, scope="col") for title in probes.values()]
    body = [
        tag(
            "tr",
            tag("th", title, tag("span", detail, class_="of") if detail else "", scope="row"),
            [_cell(scores.get(probe), low, high) for probe in probes],
            class_="own" if title == PRETRAINED else None,
        )
        for title, detail, scores in rows
    ]
    spread = any(score.deviation is not None for _, _, scores in rows for score in scores.values())
    caption = (
        f"Per cent, with 95 % bootstrap interval{' or standard deviation over seeds' * spread}. Each strip "
        f"runs from {low:.0f} to {high:.0f} %."
    )
    table = tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", tag("td"), head)),
        tag("tbody", body),
        class_="numbers",
    )
    return boxed(table, label=label)


def _rows(pairs: Sequence[Pair], several: bool) -> Iterator[Row]:
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
            yield title, ", ".join(names) if len(found) > 1 else "", scores
    for run, each in pairs:
        repeated = sum(other is run for other, _ in pairs) > 1
        yield PRETRAINED, ", ".join([run.name] * several + [each.file] * repeated), each.result.scores


def _axis(scores: Sequence[Score]) -> tuple[float, float]:
    """Full tens about all figures and intervals."""
    ends = [end for score in scores for end in (*(score.interval or ()), score.value)]
    low, high = 10 * math.floor(min(ends) / 10), 10 * math.ceil(max(ends) / 10)
    return float(low), float(max(high, low + 10))


def _cell(score: Score | None, low: float, high: float) -> Html:
    if score is None:
        return tag("td", "")
    spread = f" ± {score.deviation:.1f}" if score.deviation is not None else ""
    extra = [
        f"top-5 {score.top5:.1f}" if score.top5 is not None else "",
        f"epoch {score.epoch}" if score.epoch is not None else "",
    ]
    return tag(
        "td",
        tag("b", f"{score.value:.1f}{spread}"),
        tag("span", _interval(score), class_="interval") if score.interval else "",
        strip(score.value, score.interval, low, high),
        tag("small", ", ".join(filter(None, extra))),
    )


def _interval(score: Score) -> str:
    return f"{score.interval[0]:.1f}–{score.interval[1]:.1f}" if score.interval else ""


def _worded(settings: Mapping[str, Any]) -> str:
    """Settings as words: `lr 3, windows (kind tokens, frames 64)`."""
    return ", ".join(
        f"{key} ({_worded(value)})" if isinstance(value, Mapping) else f"{key} {value}"
        for key, value in settings.items()
        if value is not None
    ).replace("_", " ")


def _remark(run: Run, measured: Measured, several: bool) -> Html:
    """Where the figures come from; a warning where the run has other weights now."""
    result = measured.result
    settings = _worded(result.settings)
    when = result.time.replace("T", " ").replace("+00:00", " UTC")
    where = f"{run.name}, {measured.file}" if several else measured.file
    text = f"{where}: {settings}; seed {result.seed}; measured {when}"
    parts = [tag("p", text, class_="source")]
    if run.pretrained is not None and run.pretrained.weights != result.weights:
        parts.append(
            note(
                f"{measured.file} was measured on other weights than {run.name} holds now; evaluate it again."
            )
        )
    if result.preprocessing != result.store_preprocessing:
        parts.append(
            note(
                f"{measured.file}: the encoder was trained on clips prepared by {result.preprocessing} and "
                f"measured on clips prepared by {result.store_preprocessing}."
            )
        )
    return join(parts)
