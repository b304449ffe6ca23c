"""What was found in untrimmed recordings, and when: truth and proposals as a timeline below the skeleton."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from kineme.drawing.player import Row, player, timeline
from kineme.errors import KinemeError
from kineme.evaluation.detection.predictions import Detections
from kineme.report.examined import evenly, missing, thinned
from kineme.report.html import Html, boxed, tag
from kineme.report.runs import Measured, Run, store_measured

FRAMES = 1500  # of a recording: a minute and more at 25 frames a second, thinned where it is longer
SURE = 0.5  # share of the best score that a proposed segment must have to be drawn


def detection(number: int, run: Run, stores: Sequence[Path], recordings: int) -> list[Html]:
    """A part for each detection result: some recordings to choose from.

    Args:
        number: of the run on the page.
        run: what was measured.
        stores: clip stores, beside the one that the run was trained on.
        recordings: how many are shown.
    """
    detected = [each for each in run.measured if each.detections is not None]
    return [
        tag(
            "details",
            tag("summary", each.file),
            _timelines(f"{number}-{i}", run, each, stores, recordings),
            class_="block",
            open=i == 0,
        )
        for i, each in enumerate(detected)
    ]


def _timelines(name: str, run: Run, detected: Measured, stores: Sequence[Path], recordings: int) -> Html:
    found = detected.detections
    assert found is not None
    try:
        store = store_measured(run, detected.result, stores)
    except KinemeError as error:
        return missing("Recordings are left out", error)
    rows = {str(clip): row for row, clip in enumerate(store.names)}
    chosen = evenly(np.arange(len(found.names)), recordings).tolist()
    options = [tag("option", str(found.names[i]), value=f"recording-{name}-{i}") for i in chosen]
    choice = tag("label", "Recording ", tag("select", options), class_="choice")
    panels = []
    for i in chosen:
        clip, fps = thinned(store.clip(rows[str(found.names[i])]), store.manifest.fps, FRAMES)
        step = round(store.manifest.fps / fps)
        which = f"player-{name}-{i}"
        thin = f"Every {step} frames of the recording." if step > 1 else ""
        moving = player(
            which,
            clip,
            store.layout,
            fps=fps,
            up=store.manifest.preprocessing.up,
            autoplay=False,
            caption=thin,
        )
        lines = timeline(which, len(clip), list(_rows(found, i, detected.result.class_names, step)))
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
    explained = tag(
        "p",
        "Proposed: segments with at least half the score of the recording's best. Click into a row to go "
        "there.",
        class_="faint",
    )
    return tag("div", explained, choice if len(chosen) > 1 else "", panels, class_="recordings")


def _rows(found: Detections, recording: int, classes: Sequence[str], step: int) -> Iterator[Row]:
    """Truth, proposed segments and the likeliest class of each frame, in frames of the thinned recording."""

    def band(label: int, start: int, end: int) -> tuple[int, int, str]:
        return int(start) // step, -(-int(end) // step), classes[int(label)]

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
