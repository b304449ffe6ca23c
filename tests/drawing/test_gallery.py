"""Galleries: every card is a player of its own clip, and all follow one clock."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from browser import EMPTY_CANVASES, MARKS, TOO_WIDE, Open, launched, opener
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as browser:
        yield browser


@pytest.fixture
def show(browser: Any) -> Iterator[Open]:
    with opener(browser) as show:
        yield show


@pytest.fixture
def shown(tmp_path: Path) -> Path:
    """Twelve clips of 1 to 6 s at 10 frames per second; the last ones are below the first screen."""
    cards = [Card(standing(10 * (1 + i % 6)), f"clip {i} <b>", "0.98") for i in range(12)]
    path = tmp_path / "page.html"
    path.write_text(page("Hits", gallery("hits", cards, STICK, fps=10)), encoding="utf-8")
    return path


FRAMES = "[...document.querySelectorAll('.kineme-player')].map(element => element.player.frame)"
GALLERY = "document.getElementById('hits').gallery"


class TestInBrowser:
    """As a reader sees it."""

    pytestmark = MARKS

    @pytest.mark.parametrize(("width", "columns"), [(1280, 7), (500, 2), (390, 2)])
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_cards_are_equally_wide_and_fit(
        self, show: Open, shown: Path, width: int, columns: int, scheme: str
    ) -> None:
        page = show(shown, width, color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate(TOO_WIDE) == []
        assert page.evaluate(EMPTY_CANVASES) == 0
        boxes = [each.bounding_box() for each in page.locator("#hits canvas").all()]
        assert len({round(box["width"], 2) for box in boxes}) == 1
        assert len({round(box["x"]) for box in boxes}) == columns

    def test_all_in_view_follow_one_clock_and_short_ones_wait(self, show: Open, shown: Path) -> None:
        page = show(shown)
        page.wait_for_function(f"{GALLERY}.time > 0.3")
        page.evaluate(f"{GALLERY}.pause()")
        page.evaluate(f"{GALLERY}.seek(2.3)")
        assert page.evaluate(FRAMES)[:5] == [9, 19, 23, 23, 23]
        for frame in range(60):
            page.evaluate(f"{GALLERY}.seek({frame} / 10)")
            assert page.evaluate(FRAMES)[:3] == [min(frame, 9), min(frame, 19), min(frame, 29)]

    def test_one_button_and_every_skeleton_stop_and_start_all(self, show: Open, shown: Path) -> None:
        page = show(shown)
        button = page.locator("#hits > button")
        page.wait_for_function(f"{GALLERY}.time > 0.1")
        button.click()
        assert button.inner_text() == "▶ Play all"
        time, frames = page.evaluate(f"{GALLERY}.time"), page.evaluate(FRAMES)
        page.wait_for_timeout(300)
        assert (page.evaluate(f"{GALLERY}.time"), page.evaluate(FRAMES)) == (time, frames)
        page.locator("#hits-2 canvas").click()
        page.wait_for_function(f"{GALLERY}.time > {time} + 0.2")
        assert button.inner_text() == "❚❚ Pause all"
        page.locator("#hits-1 canvas").press(" ")
        assert button.inner_text() == "▶ Play all"

    def test_it_begins_again_when_the_longest_clip_ends(self, show: Open, shown: Path) -> None:
        page = show(shown)
        page.evaluate(f"{GALLERY}.seek(5.9)")
        page.wait_for_function(f"{GALLERY}.time < 1")

    def test_those_out_of_view_catch_up_when_they_are_seen(self, show: Open, shown: Path) -> None:
        page = show(shown, 500, reduced_motion="reduce")
        page.evaluate(f"{GALLERY}.seek(1.5)")
        assert page.evaluate(FRAMES)[11] == 0
        page.locator("#hits-11").scroll_into_view_if_needed()
        page.wait_for_function(f"{FRAMES}[11] === 15")

    def test_nothing_moves_by_itself_for_readers_who_prefer_that(self, show: Open, shown: Path) -> None:
        page = show(shown, reduced_motion="reduce")
        page.wait_for_timeout(300)
        assert page.evaluate(f"{GALLERY}.time") == 0
        page.locator("#hits > button").click()
        page.wait_for_function(f"{GALLERY}.time > 0.1")
