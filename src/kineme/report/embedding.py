"""A map of the clips: clips near each other have similar features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from kineme.drawing.projection import has_collapsed, tsne
from kineme.report.charts import HUES
from kineme.report.examined import Examined, evenly
from kineme.report.templating import render
from kineme.typing import Array

POINTS = 1500  # drawn at most: more only cover each other
FRAMES = 24  # of a clip that plays beside the map
SHAPES = ("●", "■", "▲", "◆", "▼", "✚", "★", "⬟")  # as report.js draws them, in this order
FEWEST = 5  # clips that make a map
GROUPS = 64  # people or recordings that colours and shapes tell apart


def embedding(number: int, seen: Examined, playable: int, kinds: Array | None = None) -> Markup:
    """The map of a run's clips with its legends, and a player for at most `playable` of them.

    `kinds` are the kind of each clip, if they were found; 0 is none.
    """
    clips = len(seen.test)
    collapsed = clips > 1 and has_collapsed(seen.features)
    if clips < FEWEST or collapsed:
        return render("no_map.html", seen=seen, clips=clips, collapsed=collapsed)
    shown = evenly(np.arange(clips), POINTS)
    places = tsne(seen.features[shown])
    places = (places - places.min(axis=0)) / np.maximum(np.ptp(places, axis=0), 1e-9)
    plays = dict.fromkeys(evenly(shown, playable).tolist())
    colourings = colourings_of(seen, shown, kinds)
    points = [
        {
            "x": round(float(x), 4),
            "y": round(float(y), 4),
            "groups": [each.groups[place] for each in colourings],
            "name": seen.name(int(seen.test[i])),
            "near": None if seen.right[i] else seen.class_name(int(seen.neighbours[i, 0])) or None,
            "scene": seen.scene(int(seen.test[i]), FRAMES) if i in plays else None,
        }
        for place, (i, (x, y)) in enumerate(zip(shown.tolist(), places, strict=True))
    ]
    name = f"map-{number}"
    return render(
        "embedding.html",
        name=name,
        seen=seen,
        shown=len(shown),
        judged=any(point["near"] is not None for point in points),
        playable=len(plays),
        player=seen.player(name, int(seen.test[next(iter(plays))]), FRAMES, caption="…", autoplay=False),
        colourings=[
            (
                each.title,
                [(text, SHAPES[i // HUES % len(SHAPES)], i % HUES) for i, text in enumerate(each.names)],
            )
            for each in colourings
        ],
        data={"points": points, "colourings": [each.names for each in colourings], "hues": HUES},
    )


@dataclass(frozen=True)
class Colouring:
    """Groups that colour the points of a map: their names, and the group of each point."""

    title: str
    names: list[str]
    groups: list[int]


def colourings_of(seen: Examined, shown: Array, kinds: Array | None = None) -> list[Colouring]:
    """What tells the shown clips apart: class, kind, person, camera, recording."""
    clips, index = seen.test[shown], seen.store.index
    rows = seen.rows_of(clips)
    classes = np.array([seen.class_name(clip) for clip in clips.tolist()])
    camera = index["camera"][rows]
    none = np.full(len(rows), "")
    columns = {
        "class": classes,
        "kind": none if kinds is None else np.array([str(kind or "") for kind in kinds[shown].tolist()]),
        "person": index["subject"][rows].astype(str),
        "camera": np.where(camera >= 0, camera.astype(str), ""),
        "recording": seen.store.names[rows].astype(str) if seen.cut is not None else none,
    }
    found = []
    for title, column in columns.items():
        names, groups = np.unique(column, return_inverse=True)
        order = sorted(range(len(names)), key=lambda i: _in_order(str(names[i])))
        if title == "class" and (seen.labels >= 0).any():
            known = [*map(str, seen.store.manifest.class_names), ""]
            order = sorted(range(len(names)), key=lambda i: known.index(str(names[i])))
        elif not 1 < len(names) <= GROUPS:
            continue
        rank = np.argsort(order)
        told = [_told(title, str(names[i])) for i in order]
        found.append(Colouring(title, told, rank[groups].tolist()))
    return found or [Colouring("", [seen.noun], [0] * len(rows))]


def _told(title: str, name: str) -> str:
    """A group in the legend: `kind 1`, `anna`, `unknown`."""
    if not name:
        return "in no kind" if title == "kind" else "unknown"
    return f"{title} {name}" if name.isdecimal() and title != "class" else name


def _in_order(name: str) -> tuple[bool, int, str]:
    """Sort key: numbers by value, before names; unknown ones last."""
    return (
        (True, 0, "") if not name else (False, int(name), "") if name.isdecimal() else (False, 1 << 62, name)
    )
