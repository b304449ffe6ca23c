"""The figures: a table for each protocol and data set, baselines first, several runs on equal terms."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kineme.evaluation.metrics import bootstrap_interval, is_in_top
from kineme.evaluation.results import COLUMNS, PRETRAINED, RANDOM, RAW, Predictions, Result, Score
from kineme.report.charts import strip
from kineme.report.html import Html, boxed, join, note, tag
from kineme.report.runs import Measured, Run

Array = npt.NDArray[Any]
Pair = tuple[Run, Measured]

TITLES = {"linear": "Linear evaluation", "knn": "Nearest neighbour"}
MEANING = {
    "logistic": "logistic regression on standardised features",
    "last": "SGD probe by the method's published protocol, last epoch",
    "best": "the same probe at the epoch that did best on the test clips, as papers report it",
    "knn": "a test clip takes the label of its nearest training clips",
    "recall@5": "share of test clips with one of their class among the five nearest training clips",
    "recall@10": "the same among the ten nearest",
    "mAP": "mean average precision of the ranking of all training clips",
}


def numbers(runs: Sequence[Run]) -> Html:
    """All recognition results, those that were measured alike in one table."""
    groups: dict[tuple[Any, ...], list[Pair]] = {}
    for run in runs:
        for each in run.measured:
            groups.setdefault(_terms(each.result), []).append((run, each))
    none = [run for run in runs if not run.measured and not run.detected]
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
    settings = (
        () if result.protocol == "linear" else tuple(sorted((k, str(v)) for k, v in result.settings.items()))
    )
    return result.protocol, result.fingerprint, result.split, result.test_clips, settings


def headline(run: Run) -> Html:
    """The first figure of the run and what it is to be held against, in a sentence."""
    if not run.measured:
        return Html("")
    result = run.measured[0].result
    probe = next(iter(result.scores))
    score = result.scores[probe]
    low_high = f" (95 % interval {_interval(score)})" if score.interval else ""
    others = [
        f"{result.baselines[row][probe].value:.1f} % from {words}"
        for row, words in ((RANDOM, "a random encoder"), (RAW, "raw coordinates"))
        if probe in result.baselines.get(row, {})
    ]
    held = f", against {' and '.join(others)}" if others else ""
    return tag(
        "p",
        tag("strong", f"{score.value:.1f} %"),
        f"{low_high} of {result.test_clips:,} test clips are recognised from the pre-trained encoder's "
        f"features by {MEANING.get(probe, title_of(probe)).partition(',')[0]}{held}.",
        class_="headline",
    )


def title_of(probe: str) -> str:
    """How a probe is called above a column."""
    return COLUMNS.get(probe, probe)


def _group(pairs: Sequence[Pair], several: bool) -> Html:
    first = pairs[0][1].result
    rows = list(_rows(pairs, several))
    probes = list(dict.fromkeys(probe for _, _, scores in rows for probe in scores))
    low, high = _axis([score for _, _, scores in rows for score in scores.values()])
    head = [tag("th", title_of(probe), scope="col", title=MEANING.get(probe)) for probe in probes]
    body = [
        tag(
            "tr",
            tag("th", title, tag("span", detail, class_="of") if detail else "", scope="row"),
            [_cell(scores.get(probe), low, high) for probe in probes],
            class_="own" if title == PRETRAINED else None,
        )
        for title, detail, scores in rows
    ]
    name = TITLES.get(first.protocol, first.protocol)
    table = tag(
        "table",
        tag(
            "caption",
            f"Per cent, with 95 % bootstrap interval. Each strip runs from {low:.0f} to {high:.0f} %.",
        ),
        tag("thead", tag("tr", tag("td"), head)),
        tag("tbody", body),
        class_="numbers",
    )
    explained = [f"{title_of(probe)}: {MEANING[probe]}" for probe in probes if probe in MEANING]
    heading = f"{name}: {first.store}, {first.split}"
    return join(
        tag("h3", heading),
        tag(
            "p",
            f"{first.train_clips:,} training and {first.test_clips:,} test clips, prepared by "
            f"{first.store_recipe}. " + "; ".join(explained) + "." * bool(explained),
            class_="faint",
        ),
        boxed(table, label=heading),
        _differences(pairs),
        [_remark(run, each, several) for run, each in pairs],
    )


def _rows(pairs: Sequence[Pair], several: bool) -> Iterator[tuple[str, str, Mapping[str, Score]]]:
    """(title, which run, scores by probe), baselines first; equal ones of several runs once."""
    for title in (RAW, RANDOM):
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


def _remark(run: Run, measured: Measured, several: bool) -> Html:
    """Where the figures come from; a warning where the run has other weights now."""
    result = measured.result
    settings = ", ".join(f"{key} {value}" for key, value in result.settings.items() if value is not None)
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
    if result.recipe != result.store_recipe:
        parts.append(
            note(
                f"{measured.file}: the encoder was trained on clips prepared by {result.recipe} and "
                f"measured on clips prepared by {result.store_recipe}."
            )
        )
    return join(parts)


def _differences(pairs: Sequence[Pair]) -> Html:
    """How much each run is better than the first, clip by clip, where predictions of both are kept."""
    (base_run, base), *others = pairs
    if base.predictions is None:
        return Html("")
    said = []
    for run, each in others:
        for probe in base.predictions.scores:
            if each.predictions is None or probe not in each.predictions.scores or run is base_run:
                continue
            gains = _gains(base.predictions, each.predictions, probe)
            if gains is not None:
                low, high = bootstrap_interval(gains)
                sure = "" if low > 0 or high < 0 else ": no clear difference"
                text = f"{gains.mean():+.1f} points ({low:+.1f} to {high:+.1f}){sure}".replace("-", "−")
                said.append(tag("li", f"{title_of(probe)}, {run.name} against {base_run.name}: {text}"))
    if not said:
        return Html("")
    return join(
        tag("p", "Difference on the same test clips, with 95 % interval of the paired bootstrap:"),
        tag("ul", said),
    )


def _gains(base: Predictions, other: Predictions, probe: str) -> Array | None:
    """(N,) 100 where only the other is right, -100 where only the base; None where the clips differ."""
    order, their_order = np.argsort(base.names), np.argsort(other.names)
    if not np.array_equal(base.names[order], other.names[their_order]):
        return None
    hits = is_in_top(base.scores[probe], base.labels)[order]
    theirs = is_in_top(other.scores[probe], other.labels)[their_order]
    return 100.0 * (theirs.astype(float) - hits)
