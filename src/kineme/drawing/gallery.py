"""A grid of small clips that play in step, such as a query and what was found.

    from kineme.drawing.gallery import Card, gallery
    from kineme.drawing.player import page

    cards = [Card(clip, "walk", "0.98 · 2.0 to 4.0 s") for clip in clips]
    path.write_text(page("Like walk", gallery("hits", cards, layout, fps=30)), encoding="utf-8")

All players follow one clock. The longest clip sets its length: all clips begin together, and a shorter one
stands at its last frame until they begin again. In JavaScript a gallery is its element:

    const element = document.getElementById("hits");
    element.gallery.play(); element.gallery.pause(); element.gallery.seek(1.5);  // seconds
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from kineme.drawing.player import TEMPLATES, player
from kineme.drawing.posture import Y_UP
from kineme.layouts import Layout
from kineme.typing import Array


@dataclass(frozen=True)
class Card:
    """One clip of a gallery.

    Attributes:
        clip: (T, M, V, C), as of `player`.
        title: below the skeleton.
        text: below the title; lines are kept.
        first: number of the first frame, where the clip is part of a recording.
    """

    clip: Array
    title: str
    text: str = ""
    first: int = 0


def gallery(
    name: str, cards: Sequence[Card], layout: Layout, *, fps: float, up: Sequence[float] = Y_UP
) -> Markup:
    """Clips side by side that play in sync, with one button for all, as an HTML fragment.

    A click on a skeleton plays or pauses all, too; dragging turns one. Cards are of equal width, as many in
    a row as the page has room for. The page needs `head()` of the player, which `page` has.

    Args:
        name: the element's id, unique on the page; its players are NAME-0, NAME-1, ...
        cards: the clips in order, at least one.
        layout: their joints.
        fps: frames per second of all of them.
        up: unit vector of the clips' axis that points up.
    """
    shown = [
        {
            "player": player(
                f"{name}-{place}",
                card.clip,
                layout,
                fps=fps,
                caption=card.title,
                up=up,
                first=card.first,
                controls=False,
                autoplay=False,
            ),
            "text": card.text,
        }
        for place, card in enumerate(cards)
    ]
    return TEMPLATES.render("gallery.html", name=name, cards=shown)
