"""Galleries: every card is a player of its own clip, and all follow one clock."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.resources import files

import pytest
from drawing.test_player import STICK, attribute, standing

from kineme.drawing.gallery import Card, gallery
from kineme.drawing.player import head, page, player

CARDS = [
    Card(standing(5), "walk", "query"),
    Card(standing(9), "wave", "0.98\nanna", first=40),
    Card(standing(7), "bow"),
]


def test_cards_are_players_without_controls_in_their_order() -> None:
    html = gallery("hits", CARDS, STICK, fps=10, up=(0, 1, 0))
    assert re.findall(r'id="([^"]*)"', html) == ["hits", "hits-0", "hits-1", "hits-2"]
    for place, card in enumerate(CARDS):
        options = {
            "fps": 10,
            "controls": False,
            "autoplay": False,
            "first": card.first,
            "caption": card.title,
        }
        assert player(f"hits-{place}", card.clip, STICK, **options) in html  # type: ignore[arg-type]
    assert re.findall(r"<p>([^<]*)</p>", html) == ["query", "0.98\nanna"]
    assert html.count("<button") == 1


def test_players_leave_the_clock_to_the_gallery() -> None:
    assert attribute(gallery("hits", CARDS[:1], STICK, fps=10), "autoplay") == "0"


def test_names_from_strangers_stay_text() -> None:
    evil = '"><script>alert(1)</script>'
    assert "<script" not in gallery(evil, [Card(standing(), evil, evil)], STICK, fps=30)


def test_a_page_has_what_galleries_need() -> None:
    html = page("Hits", gallery("hits", CARDS, STICK, fps=30))
    assert html.count("<style>") == html.count("<script>") == 1
    for name in ("gallery.css", "gallery.js"):
        text = files("kineme.drawing").joinpath(name).read_text(encoding="utf-8")
        assert text in head()
        assert not re.search(r"https?:|@import|url\(", text)


def test_its_colours_are_those_of_the_player() -> None:
    own, players = (
        files("kineme.drawing").joinpath(f"{name}.css").read_text() for name in ("gallery", "player")
    )
    assert set(re.findall(r"var\((--kineme-[\w-]+)\)", own)) <= set(
        re.findall(r"(--kineme-[\w-]+): #", players)
    )
    assert "#" not in own


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_the_script_is_javascript() -> None:
    with files("kineme.drawing").joinpath("gallery.js").open("rb") as script:
        subprocess.run(["node", "--check", "-"], stdin=script, check=True)
