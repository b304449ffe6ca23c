"""A map of the test clips: near in the plane is near in the encoder's features."""

from __future__ import annotations

import numpy as np

from kineme.drawing.player import player, scene
from kineme.evaluation.projection import tsne
from kineme.report.charts import HUES
from kineme.report.examined import Examined, evenly
from kineme.report.html import Html, data, note, tag

POINTS = 1500  # drawn at most: more only cover each other
FRAMES = 24  # of a clip that plays beside the map
SHAPES = ("●", "■", "▲", "◆", "▼", "✚", "★", "⬟")  # as report.js draws them, in this order
FEWEST = 5  # clips that make a map


def embedding(number: int, seen: Examined, playable: int) -> Html:
    """Canvas, legend and a player for the clips on the map.

    Args:
        number: of the run on the page.
        seen: its test clips.
        playable: how many of them can be played at most.
    """
    if len(seen.test) < FEWEST:
        return note(f"{len(seen.test)} test clips are too few for a map.")
    shown = evenly(np.arange(len(seen.test)), POINTS)
    places = tsne(seen.features[shown].astype(np.float64))
    places = (places - places.min(axis=0)) / np.maximum(np.ptp(places, axis=0), 1e-9)
    plays = set(evenly(shown, playable).tolist())
    classes = np.unique(seen.labels[shown])
    rank = {int(label): i for i, label in enumerate(classes)}
    points = [
        {
            "x": round(float(x), 4),
            "y": round(float(y), 4),
            "class": rank[int(seen.labels[i])],
            "name": str(seen.store.names[seen.test[i]]),
            "near": None if seen.right[i] else seen.class_name(seen.neighbours[i, 0]),
            "scene": _scene(seen, i) if i in plays else None,
        }
        for i, (x, y) in zip(shown.tolist(), places, strict=True)
    ]
    names = [str(seen.store.manifest.class_names[int(label)]) for label in classes]
    first, fps = seen.thinned(int(seen.test[min(plays)]), FRAMES)
    name = f"map-{number}"
    many = f"{len(shown)} of {len(seen.test):,}" if len(shown) < len(seen.test) else f"{len(shown):,}"
    few = f" {len(plays)} of them, drawn larger, can be played." if len(plays) < len(shown) else ""
    return tag(
        "div",
        tag(
            "p",
            f"{many} test clips of {seen.store.path.name}: t-SNE of cosine distances on 50 principal "
            "components. Hollow marks are clips whose nearest training clip is of another class. Point at a "
            f"mark to read it, click to play it.{few}",
            class_="faint",
        ),
        tag(
            "div",
            tag(
                "div",
                tag(
                    "canvas",
                    "",
                    tabindex="0",
                    role="img",
                    aria_label=f"Map of {len(shown)} test clips; arrow keys walk through them, Enter plays",
                ),
                tag("output", "", aria_live="polite"),
                class_="plane",
            ),
            tag(
                "div",
                Html(
                    player(name, first, seen.store.layout, fps=fps, up=seen.up, caption="…", autoplay=False)
                ),
                class_="beside",
            ),
            class_="pair",
        ),
        tag(
            "ul",
            (
                tag(
                    "li",
                    tag(
                        "button",
                        tag(
                            "span",
                            SHAPES[i // HUES % len(SHAPES)],
                            aria_hidden="true",
                            style=f"color:var(--series-{i % HUES})",
                        ),
                        f" {text}",
                        type="button",
                        aria_pressed="false",
                        data_class=i,
                    ),
                )
                for i, text in enumerate(names)
            ),
            class_="classes-legend",
            aria_label="Classes: press to single one out",
        ),
        data({"points": points, "classes": names, "hues": HUES}),
        class_="map",
        data_player=name,
    )


def _scene(seen: Examined, i: int) -> dict[str, str | int]:
    """What differs from clip to clip; joints are the same for all and stay with the player."""
    clip, fps = seen.thinned(int(seen.test[i]), FRAMES)
    told = scene(clip, seen.store.layout, fps=fps, up=seen.up)
    return {key: value for key, value in told.items() if key not in ("parents", "sides")}
