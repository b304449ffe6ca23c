"""Skeletons that move on an HTML page: no network, no library, data and script in the page itself.

    from kineme.drawing.player import Row, page, player, timeline

    body = player("query", clip, layout, fps=30, caption="wave")       # clip (T, M, V, C)
    body += timeline("query", len(clip), [Row("truth", [(10, 80, "wave")])])
    path.write_text(page("What moves here", body), encoding="utf-8")

A page takes any number of players and timelines; each player has an id of its own. A page of another make
puts `head()` once into its <head>, and the fragments where they belong; they fill the width they are given,
so a grid of small ones is a CSS grid. `controls=False` leaves out scrubber and readout: a click plays and
pauses.

In JavaScript a player is its element:

    const element = document.getElementById("query");
    element.addEventListener("frame", event => console.log(event.detail.frame));   // on every new frame
    element.player.seek(40); element.player.play(); element.player.pause(); element.player.frame;
    element.player.load({...});   // another clip in its place, as `scene` gives it

Listeners may be added as soon as the element is parsed; `element.player` is there after DOMContentLoaded.
Players run while they are in view, and do not start by themselves for readers who prefer reduced motion.
Colours are CSS variables (player.css) with values for light and for dark pages.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

import numpy as np

from kineme.drawing.posture import Y_UP, onlooker, present
from kineme.layouts import Layout
from kineme.typing import Array

UNSEEN = -32768  # in place of a coordinate; player.js knows it too
HUES = 8  # of bands: --kineme-hue-0 and on in player.css


@dataclass(frozen=True)
class Row:
    """One row of a timeline: what happens when.

    Attributes:
        title: what the row shows, such as `truth` or `found`.
        bands: (start, end, text), frames counted from 0, end exclusive. Equal texts have equal colours.
    """

    title: str
    bands: Sequence[tuple[int, int, str]]


def player(
    name: str,
    clip: Array,
    layout: Layout,
    *,
    fps: float = 30.0,
    caption: str = "",
    up: Sequence[float] = Y_UP,
    first: int = 0,
    controls: bool = True,
    autoplay: bool = True,
) -> str:
    """A moving skeleton as an HTML fragment.

    Coordinates travel as 16-bit integers, a 65535th of the scene apart: less than 0.1 mm in a room of 5 m.

    Args:
        name: the element's id, unique on the page.
        clip: (T, M, V, C), C = 3; absent bodies are zero, joints that were not seen may be NaN.
        layout: its joints.
        fps: frames a second.
        caption: a line of text below.
        up: unit vector of the clip's axis that points up (of a store: `manifest.preprocessing.up`).
        first: number of the first frame, where the clip is part of a recording.
        controls: with a button, a scrubber and the frame's number.
        autoplay: plays as soon as it is in view.
    """
    attributes = {**scene(clip, layout, fps=fps, up=up, first=first), "autoplay": int(autoplay)}
    words = " ".join(f'data-{key}="{value}"' for key, value in attributes.items())
    label = escape(caption or name, quote=True)
    bar = (
        '<div class="kineme-bar"><button type="button" aria-label="play">▶</button>'
        f'<input type="range" min="0" max="{len(clip) - 1}" value="0" aria-label="frame">'
        "<output></output></div>"
    )
    return (
        f'<figure class="kineme-player" id="{escape(name, quote=True)}" {words}>\n'
        f'<canvas tabindex="0" role="img" aria-label="{label}: a moving skeleton; drag, or use the arrow '
        'keys, to turn it; space plays and pauses"></canvas>\n'
        f"{bar if controls else ''}\n"
        f"{f'<figcaption>{escape(caption)}</figcaption>' if caption else ''}</figure>\n"
    )


def scene(
    clip: Array, layout: Layout, *, fps: float = 30.0, up: Sequence[float] = Y_UP, first: int = 0
) -> dict[str, str | int]:
    """What a player shows: its data attributes, and what `element.player.load(...)` takes in their place.

    Args:
        clip, layout, fps, up, first: as of `player`.
    """
    frames, bodies, joints, _ = clip.shape
    points, measures = _quantised(clip, layout, up)
    sides = [0] * joints
    for left, right in layout.mirrored:
        sides[left], sides[right] = 1, 2
    return {
        "frames": frames,
        "bodies": bodies,
        "first": first,
        "fps": f"{fps:g}",
        **{key: f"{measure:.6g}" for key, measure in measures.items()},
        "parents": " ".join(map(str, layout.parents)),
        "sides": " ".join(map(str, sides)),
        "points": base64.b64encode(points.tobytes()).decode("ascii"),
    }


def timeline(name: str, frames: int, rows: Sequence[Row], *, first: int = 0) -> str:
    """Rows of coloured bands over time that follow a player and, clicked on, lead it.

    Args:
        name: the player's id.
        frames: T, its frames.
        rows: what to show, one below the other; bands are cut to the frames shown.
        first: number of the player's first frame, where it shows part of a recording; bands count from the
            recording's beginning.
    """
    texts = list(dict.fromkeys(text for row in rows for _, _, text in row.bands))
    parts = [f'<div class="kineme-timeline" data-player="{escape(name, quote=True)}" data-frames="{frames}">']
    for row in rows:
        parts.append(f'<span>{escape(row.title)}</span><div class="kineme-track">')
        for start, end, text in row.bands:
            begin, stop = max(start - first, 0), min(end - first, frames)
            if begin < stop:
                place = f"left:{100 * begin / frames:.3f}%;width:{100 * (stop - begin) / frames:.3f}%"
                parts.append(
                    f'<i style="{place};background:var(--kineme-hue-{texts.index(text) % HUES})" '
                    f'data-start="{begin}" data-end="{stop}" '
                    f'title="{escape(text, quote=True)}, frames {start} to {end}">{escape(text)}</i>'
                )
        parts.append("<b></b></div><output></output>")
    parts.append("</div>\n")
    return "".join(parts)


def legend(bodies: int) -> str:
    """Which colour is which side, of each body."""
    sides = [
        f'<span style="color:var(--kineme-{side}-{body})">{side}</span>'
        for body in range(min(bodies, 2))
        for side in ("left", "right")
    ]
    second = f"; second body {sides[2]} {sides[3]}" if bodies > 1 else ""
    return f'<p class="kineme-legend">{sides[0]} {sides[1]}{second}</p>\n'


def head() -> str:
    """Style and script of all players: once a page, in its <head>."""
    style, script = (_asset(name) for name in ("player.css", "player.js"))
    return f"<style>\n{style}</style>\n<script>\n{script}</script>\n"


def page(title: str, body: str) -> str:
    """A complete page about fragments of this module."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n{head()}</head>\n"
        f'<body class="kineme-page">\n<main>\n{body}</main>\n</body>\n</html>\n'
    )


def _asset(name: str) -> str:
    return files("kineme.drawing").joinpath(name).read_text(encoding="utf-8")


def _quantised(clip: Array, layout: Layout, up: Sequence[float]) -> tuple[Array, dict[str, float]]:
    """(T, M, V, 3) 16-bit points as an onlooker sees them, and the measures of the scene.

    The scene's middle is 0; x points right, y up, z towards the onlooker. Measures: `step`, the unit of the
    points; `radius` about the vertical axis; `tall`, half the height; `floor`, on which feet usually stand
    (where each frame is centred they leave it in both directions).
    """
    points = np.full(clip.shape, UNSEEN, dtype="<i2")
    seen = present(clip)[:, :, None] & np.isfinite(clip).all(axis=-1)
    if not seen.any():
        return points, {"step": 1.0, "radius": 1.0, "tall": 1.0, "floor": -1.0}
    scene = np.asarray(clip, dtype=float) @ onlooker(clip, layout, up).T
    low, high = scene[seen].min(axis=0), scene[seen].max(axis=0)
    scene -= (low + high) / 2
    there = scene[seen]
    step = max(float(np.abs(there).max()) / 32767, 1e-9)
    points[seen] = np.round(there / step)
    lowest = np.where(seen, scene[..., 1], np.inf).min(axis=(1, 2))
    return points, {
        "step": step,
        "radius": float(np.hypot(there[:, 0], there[:, 2]).max()),
        "tall": float(np.abs(there[:, 1]).max()),
        "floor": float(np.median(lowest[np.isfinite(lowest)])),
    }
