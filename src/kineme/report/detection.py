"""What was found in untrimmed recordings, and when: truth and proposals as a timeline below the skeleton."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kineme.clips.recipes import upward
from kineme.drawing.player import Row, player, timeline
from kineme.errors import KinemeError
from kineme.report.examined import evenly, missing, thinned
from kineme.report.html import Html, boxed, note, tag
from kineme.report.runs import Detected, Run, store_of

FRAMES = 1500  # of a recording: a minute and more at 25 frames a second, thinned where it is longer
SURE = 0.5  # share of the best score that a proposed segment must have to be drawn


def detection(number: int, run: Run, store: Path | None, recordings: int) -> list[Html]:
    """A part for each detection result: its figures, and some recordings to choose from.

    Args:
        number: of the run on the page.
        run: what was measured.
        store: clip store, in place of the one that the run was trained on.
        recordings: how many are shown.
    """
    return [
        tag(
            "details",
            tag("summary", each.file),
            _figures(each.data),
            _timelines(f"{number}-{i}", run, each, store, recordings),
            class_="block",
            open=i == 0,
        )
        for i, each in enumerate(run.detected)
    ]


def _figures(data: Mapping[str, Any]) -> Html:
    """The scores of the file, whatever they are called, with their intervals."""
    rows = [("pre-trained encoder", data.get("scores", {}))]
    rows = [*data.get("baselines", {}).items(), *rows]
    names = list(dict.fromkeys(name for _, scores in rows for name in scores))
    if not names:
        return Html("")
    body = [
        tag("tr", tag("th", title, scope="row"), [_figure(scores.get(name)) for name in names])
        for title, scores in rows
    ]
    head = tag("tr", tag("td"), [tag("th", name, scope="col") for name in names])
    caption = tag("caption", "Per cent, with 95 % bootstrap interval over recordings.")
    return boxed(
        tag("table", caption, tag("thead", head), tag("tbody", body), class_="numbers"), label="Detection"
    )


def _figure(score: Any) -> Html:
    if score is None:
        return tag("td", "")
    if not isinstance(score, Mapping):
        return tag("td", tag("b", f"{score:.1f}"))
    interval = score.get("interval")
    span = tag("span", f"{interval[0]:.1f}–{interval[1]:.1f}", class_="interval") if interval else ""
    return tag("td", tag("b", f"{score['value']:.1f}"), span)


def _timelines(name: str, run: Run, detected: Detected, path: Path | None, recordings: int) -> Html:
    try:
        store = store_of(run, path)
        rows = {str(clip): row for row, clip in enumerate(store.names)}
    except KinemeError as error:
        return missing("Recordings", error)
    found = detected.detections
    known = [i for i, each in enumerate(found.names) if str(each) in rows]
    if not known:
        return note(
            f"{store.path}: has none of the recordings of {detected.file}; pass their store by --store."
        )
    chosen = evenly(known, recordings).tolist()
    classes = [str(each) for each in detected.data.get("class_names", [])]
    options = [tag("option", str(found.names[i]), value=f"recording-{name}-{i}") for i in chosen]
    choice = tag("label", "Recording ", tag("select", options), class_="choice")
    panels = []
    for i in chosen:
        clip, fps = thinned(store.clip(rows[str(found.names[i])]), store.manifest.fps, FRAMES)
        step = round(store.manifest.fps / fps)
        which = f"player-{name}-{i}"
        moving = player(which, clip, store.layout, fps=fps, up=upward(store.manifest.recipe), autoplay=False)
        lines = timeline(which, len(clip), list(_rows(detected, i, classes, step)))
        panels.append(
            tag(
                "div",
                tag("h4", str(found.names[i])),
                Html(moving),
                boxed(Html(lines), label="Timeline"),
                id=f"recording-{name}-{i}",
                class_="recording",
            )
        )
    several = choice if len(chosen) > 1 else ""
    return tag("div", several, panels, class_="recordings")


def _rows(detected: Detected, recording: int, classes: Sequence[str], step: int) -> Iterator[Row]:
    """Truth, proposed segments and the likeliest class of each frame, in frames of the thinned recording."""
    found = detected.detections

    def named(label: int) -> str:
        return classes[label] if label < len(classes) else f"class {label}"

    def band(label: int, start: int, end: int) -> tuple[int, int, str]:
        return int(start) // step, -(-int(end) // step), named(int(label))

    yield Row("truth", [band(*each[1:]) for each in found.truth[found.truth[:, 0] == recording]])
    mine = np.flatnonzero(found.segments[:, 0] == recording)
    scores = found.segment_scores[mine]
    kept = mine[scores >= SURE * scores.max()] if len(mine) else mine
    yield Row("proposed", [band(*each[1:]) for each in found.segments[kept]])
    begin, end = found.offsets[recording : recording + 2]
    likeliest = found.probabilities[begin:end].argmax(axis=1)
    edges = np.flatnonzero(np.diff(likeliest, prepend=-1, append=-1))
    pieces = zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    yield Row(
        "frame by frame",
        [
            band(likeliest[start], start, stop)
            for start, stop in pieces
            if likeliest[start] and stop - start >= step
        ],
    )
