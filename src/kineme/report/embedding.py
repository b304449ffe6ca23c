"""A map of the test clips: clips near each other have similar features."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from kineme.drawing.projection import has_collapsed, tsne
from kineme.report.charts import HUES
from kineme.report.examined import Examined, evenly
from kineme.report.templating import render

POINTS = 1500  # drawn at most: more only cover each other
FRAMES = 24  # of a clip that plays beside the map
SHAPES = ("●", "■", "▲", "◆", "▼", "✚", "★", "⬟")  # as report.js draws them, in this order
FEWEST = 5  # clips that make a map


def embedding(number: int, seen: Examined, playable: int) -> Markup:
    """The map of a run's test clips with its legend, and a player for at most `playable` of them."""
    clips = len(seen.test)
    collapsed = clips > 1 and has_collapsed(seen.features)
    if clips < FEWEST or collapsed:
        return render("no_map.html", clips=clips, collapsed=collapsed)
    shown = evenly(np.arange(clips), POINTS)
    places = tsne(seen.features[shown])
    places = (places - places.min(axis=0)) / np.maximum(np.ptp(places, axis=0), 1e-9)
    plays = dict.fromkeys(evenly(shown, playable).tolist())
    classes, rank = np.unique(seen.labels[shown], return_inverse=True)
    points = [
        {
            "x": round(float(x), 4),
            "y": round(float(y), 4),
            "class": int(label),
            "name": str(seen.store.names[seen.test[i]]),
            "near": None if seen.right[i] else seen.class_name(seen.neighbours[i, 0]),
            "scene": seen.scene(int(seen.test[i]), FRAMES) if i in plays else None,
        }
        for i, (x, y), label in zip(shown.tolist(), places, rank, strict=True)
    ]
    names = [str(seen.store.manifest.class_names[int(label)]) for label in classes]
    name = f"map-{number}"
    return render(
        "embedding.html",
        name=name,
        store=seen.store.path.name,
        clips=clips,
        shown=len(shown),
        playable=len(plays),
        player=seen.player(name, int(seen.test[next(iter(plays))]), FRAMES, caption="…", autoplay=False),
        classes=[(text, SHAPES[i // HUES % len(SHAPES)], i % HUES) for i, text in enumerate(names)],
        data={"points": points, "classes": names, "hues": HUES},
    )
