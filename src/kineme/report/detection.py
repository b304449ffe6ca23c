"""Temporal action detection: truth and proposals as a timeline below the skeleton."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from markupsafe import Markup

from kineme.drawing.player import TimelineRow, player, timeline
from kineme.errors import KinemeError
from kineme.evaluation.detection.predictions import Detections
from kineme.report.examined import evenly, thinned
from kineme.report.runs import Measured, Run, store_measured
from kineme.report.templating import render

FRAMES = 1500  # of a recording: a minute at 25 frames per second, thinned where it is longer
SURE = 0.5  # share of the best score that a proposed segment must have to be drawn


def detection(number: int, run: Run, stores: Sequence[Path], recordings: int) -> Markup:
    """For each detection result, at most so many recordings to choose from; `number` is the run's."""
    results = []
    for i, (measured, found) in enumerate(run.detections):
        panels, missing = [], ""
        try:
            panels = _panels(f"{number}-{i}", run, measured, found, stores, recordings)
        except KinemeError as error:
            missing = str(error)
        results.append({"file": measured.file, "panels": panels, "missing": missing})
    return render("detection.html", results=results)


def _panels(
    name: str, run: Run, measured: Measured, found: Detections, stores: Sequence[Path], recordings: int
) -> list[dict[str, object]]:
    """Some recordings, each with its skeleton and its timeline."""
    store = store_measured(run, measured.result, stores)
    rows = {str(clip): row for row, clip in enumerate(store.names)}
    panels: list[dict[str, object]] = []
    for i in evenly(np.arange(len(found.names)), recordings).tolist():
        recording = str(found.names[i])
        clip, fps = thinned(store.clip(rows[recording]), store.manifest.fps, FRAMES)
        step = round(store.manifest.fps / fps)
        moving = player(
            f"player-{name}-{i}",
            clip,
            store.layout,
            fps=fps,
            up=store.manifest.preprocessing.up,
            autoplay=False,
            caption=f"Shows 1 in {step} frames of the recording." if step > 1 else "",
        )
        lines = list(_rows(found, i, measured.result.class_names, step))
        panels.append(
            {
                "id": f"recording-{name}-{i}",
                "recording": recording,
                "player": moving,
                "timeline": timeline(f"player-{name}-{i}", len(clip), lines),
            }
        )
    return panels


def _rows(found: Detections, recording: int, classes: Sequence[str], step: int) -> Iterator[TimelineRow]:
    """Truth, proposed segments and the label of each frame, in frames of the thinned recording."""

    def band(label: int, start: int, end: int) -> tuple[int, int, str]:
        return int(start) // step, -(-int(end) // step), classes[int(label)]

    yield TimelineRow("truth", [band(*each[1:]) for each in found.truth[found.truth[:, 0] == recording]])
    mine = np.flatnonzero(found.segments[:, 0] == recording)
    scores = found.segment_scores[mine]
    kept = mine[scores >= SURE * scores.max()] if len(mine) else mine
    yield TimelineRow("proposed", [band(*each[1:]) for each in found.segments[kept]])
    begin, end = found.offsets[recording : recording + 2]
    labels = found.predicted[begin:end]
    edges = np.flatnonzero(np.diff(labels, prepend=-1, append=-1))
    pieces = zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    yield TimelineRow(
        "frame by frame",
        [
            band(labels[start], start, stop)
            for start, stop in pieces
            if labels[start] and stop - start >= step
        ],
    )
