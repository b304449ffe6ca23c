"""Skeletons that move on an HTML page: no network, no library, data and script in the page itself.

    from kineme.drawing.player import TimelineRow, page, player, timeline

    moving = player("query", clip, layout, fps=30, caption="wave")       # clip (T, M, V, C)
    actions = timeline("query", len(clip), [TimelineRow("truth", [(10, 80, "wave")])])
    path.write_text(page("A wave", moving, actions), encoding="utf-8")

A page takes any number of players and timelines; each player has an id of its own. Another page puts `head()`
into its <head> once, and the fragments where they belong; they fill the width they are given, so a grid of
small ones is a CSS grid. `controls=False` leaves out scrubber and readout: a click plays and pauses.

In JavaScript a player is its element:

    const element = document.getElementById("query");
    element.addEventListener("frame", event => console.log(event.detail.frame));   // on every new frame
    element.player.seek(40); element.player.play(); element.player.pause(); element.player.frame;
    element.player.load({...});   // another clip in its place, as `scene` gives it

Listeners may be added as soon as the element is parsed; `element.player` exists after DOMContentLoaded.
Players run while they are in view, and do not start by themselves for readers who prefer reduced motion.
Colours are CSS variables (player.css) with values for light and dark pages.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup

from kineme.drawing.posture import Y_UP, lies_flat, present, view_axes
from kineme.drawing.templating import Templates
from kineme.errors import KinemeError
from kineme.layouts import Layout
from kineme.typing import Array

UNSEEN = -32768  # in place of a coordinate; player.js knows it too
HUES = 8  # of bands: --kineme-hue-0 and on in player.css
TEMPLATES = Templates("kineme.drawing")


@dataclass(frozen=True)
class TimelineRow:
    """One row of a timeline: what happens when."""

    title: str  # what the row shows, such as `truth`
    # (start, end, text), frames counted from 0, end exclusive. Equal texts have equal colours
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
) -> Markup:
    """A moving skeleton as an HTML fragment.

    Coordinates are 16-bit integers, in steps of a 65535th of the scene: less than 0.1 mm in a room of 5 m.

    Args:
        name: the element's id, unique on the page.
        clip: (T, M, V, C), C = 3; absent bodies are zero, joints that were not seen may be NaN.
        layout: its joints.
        fps: frames per second.
        caption: a line of text below.
        up: unit vector of the clip's axis that points up (of a store: `manifest.preprocessing.up`).
        first: number of the first frame, where the clip is part of a recording.
        controls: with a button, a scrubber and the frame's number.
        autoplay: plays as soon as it is in view.
    """
    data = {**scene(clip, layout, fps=fps, up=up, first=first), "autoplay": int(autoplay)}
    return TEMPLATES.render(
        "player.html",
        name=name,
        data={f"data-{key}": value for key, value in data.items()},
        last=len(clip) - 1,
        controls=controls,
        caption=caption,
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


def timeline(name: str, frames: int, rows: Sequence[TimelineRow], *, first: int = 0) -> Markup:
    """Rows of coloured bands over time that follow a player and, when clicked, move it to that frame.

    Args:
        name: the player's id.
        frames: T, its frames.
        rows: what to show, one below the other; bands are cut to the frames shown.
        first: number of the player's first frame, where it shows part of a recording; bands count from the
            recording's beginning.
    """
    texts = list(dict.fromkeys(text for row in rows for _, _, text in row.bands))
    return TEMPLATES.render(
        "timeline.html", name=name, frames=frames, rows=rows, first=first, texts=texts, hues=HUES
    )


def legend(bodies: int) -> Markup:
    """Which colour is which side, of each body."""
    return TEMPLATES.render("legend.html", bodies=bodies)


def head() -> Markup:
    """Style and script of all players and galleries of them: once per page, in its <head>."""
    style, script = (
        Markup("").join(TEMPLATES.asset(f"{name}.{kind}") for name in ("player", "gallery"))
        for kind in ("css", "js")
    )
    return Markup("<style>\n{}</style>\n<script>\n{}</script>").format(style, script)


def check_page(path: Path, option: str = "page") -> None:
    """Checks that a page of this name, which this option gives, can be written.

    Raises:
        KinemeError: it does not end in .html.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise KinemeError(f"`{option}`: {path} is not a page name; it must end in .html")


def page(title: str, *fragments: Markup, subtitle: str = "") -> str:
    """A complete page with a heading and fragments of this module."""
    return str(
        TEMPLATES.render("page.html", title=title, subtitle=subtitle, fragments=fragments, head=head())
    )


def _quantised(clip: Array, layout: Layout, up: Sequence[float]) -> tuple[Array, dict[str, float]]:
    """(T, M, V, 3) 16-bit points as the viewer sees them, and the measures of the scene.

    The scene's middle is 0; x points right, y up, z towards the viewer. Measures: `step`, the unit of the
    points; `radius` about the vertical axis; `tall`, half the height; `floor`, the height at which feet
    usually are (where each frame is centred they go above and below it), NaN for a view from above.
    """
    points = np.full(clip.shape, UNSEEN, dtype="<i2")
    seen = present(clip)[:, :, None] & np.isfinite(clip).all(axis=-1)
    if not seen.any():
        return points, {"step": 1.0, "radius": 1.0, "tall": 1.0, "floor": -1.0}
    scene = np.asarray(clip, dtype=float) @ view_axes(clip, layout, up).T
    low, high = scene[seen].min(axis=0), scene[seen].max(axis=0)
    scene -= (low + high) / 2
    there = scene[seen]
    step = max(float(np.abs(there).max()) / 32767, 1e-9)
    points[seen] = np.round(there / step)
    lowest = np.where(seen, scene[..., 1], np.inf).min(axis=(1, 2))
    floor = float("nan") if lies_flat(clip, up) else float(np.median(lowest[np.isfinite(lowest)]))
    return points, {
        "step": step,
        "radius": float(np.hypot(there[:, 0], there[:, 2]).max()),
        "tall": float(np.abs(there[:, 1]).max()),
        "floor": floor,
    }
