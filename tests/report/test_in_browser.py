"""The page as a reader sees it, in a headless Chromium: drawn, moving, answering, within its width."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Browser, find

from kineme.commands.report import report

from .conftest import write_detections, write_recordings

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find() is None, reason="no Chromium found; install one or name it in CHROME"),
]

EMPTY_CANVASES = """
[...document.querySelectorAll("canvas")].filter(canvas => {
  if (!canvas.checkVisibility()) return false;
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width || 1, canvas.height || 1);
  return !data.some((value, i) => i % 4 === 3 && value > 0);
}).length
"""
TOO_WIDE = """
[...document.querySelectorAll("body *")].filter(element => !element.closest(".scroll, svg, pre")
  && element.getBoundingClientRect().right > innerWidth + 1).map(element => element.outerHTML.slice(0, 80))
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def page(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pages") / "page.html"
    report([finished], out=out, device="cpu")
    return out


@pytest.fixture
def detections(run: Path, tmp_path: Path) -> Path:
    store = write_recordings(tmp_path / "recordings")
    write_detections(run, store)
    report([run], out=tmp_path / "page.html", store=[store], device="cpu")
    return tmp_path / "page.html"


def centre(browser: Browser, element: str, across: float = 0.5) -> tuple[float, float]:
    """A place in the window upon an element, which is scrolled to."""
    x, y = browser.run(
        f"(() => {{ const e = document.querySelector({element!r}); e.scrollIntoView({{block: 'center'}});"
        f"const box = e.getBoundingClientRect();"
        f"return [box.left + {across} * box.width, box.top + box.height / 2]; }})()"
    )
    return x, y


def wait(browser: Browser, milliseconds: int) -> None:
    browser.run(f"new Promise(done => setTimeout(done, {milliseconds}))")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True])
def test_all_is_drawn_within_the_width_without_complaint(
    browser: Browser, page: Path, width: int, dark: bool
) -> None:
    browser.open(page, width=width, dark=dark)
    assert browser.run("document.documentElement.scrollWidth") == width
    assert browser.run(TOO_WIDE) == []
    assert browser.run("document.querySelectorAll('canvas').length") == 2 + 12 * 5
    assert browser.run(EMPTY_CANVASES) == 0
    assert browser.complaints == []
    assert browser.requests == [page.resolve().as_uri()]


def player(name: str) -> str:
    return f"document.getElementById('{name}').player"


def frame(browser: Browser, name: str) -> Any:
    return browser.run(f"{player(name)}.frame")


def test_skeletons_move_when_they_are_in_view_and_stop_together(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert frame(browser, "near-0-0-0") == 0  # far below
    centre(browser, "#near-0-0-0")
    assert browser.becomes(f"{player('near-0-0-0')}.frame > 0")
    browser.click(*centre(browser, ".stop"))
    assert browser.run("document.querySelector('.stop').textContent") == "▶ Play all"
    before = frame(browser, "near-0-0-0")
    wait(browser, 300)
    assert frame(browser, "near-0-0-0") == before


def test_nothing_moves_by_itself_for_readers_who_prefer_that(browser: Browser, page: Path) -> None:
    browser.open(page, calm=True)
    centre(browser, "#near-0-0-0")
    wait(browser, 300)
    assert frame(browser, "near-0-0-0") == 0


def test_a_chart_is_read_off_where_it_is_pointed_at(browser: Browser, page: Path, finished: Path) -> None:
    browser.open(page)
    browser.pointer("mouseMoved", *centre(browser, ".chart svg", across=0.97))
    rows = list(csv.DictReader((finished / "history.csv").open()))
    said = browser.run("document.querySelector('.chart output').textContent")
    assert said == f"epoch 3: loss {float(rows[-1]['loss']):.4g}"


def test_training_is_shown_over_epochs_or_over_time(browser: Browser, page: Path) -> None:
    browser.open(page)
    shown = "[...document.querySelectorAll('.charts')].map(each => each.checkVisibility())"
    assert browser.run(shown) == [True, False]
    browser.click(*centre(browser, 'input[value="1"]'))
    assert browser.run(shown) == [False, True]


def test_a_cell_of_the_confusion_matrix_says_what_it_is(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.pointer("mouseMoved", *centre(browser, ".matrix rect:has(title)"))
    told = browser.run("document.querySelector('.matrix rect title').textContent")
    assert browser.run("document.querySelector('.matrix output').textContent") == told


def test_the_map_is_read_and_its_clips_play(browser: Browser, page: Path) -> None:
    browser.open(page, calm=True)
    points = "document.querySelector('.map').atlas.points"
    centre(browser, ".plane canvas")
    x, y = browser.run(
        "(() => { const box = document.querySelector('.plane canvas').getBoundingClientRect();"
        f"const point = {points}[7];"
        "return [box.left + 14 + point.x * (box.width - 28),"
        "box.top + 14 + point.y * (box.height - 28)]; })()"
    )
    browser.click(x, y)
    name = browser.run(f"{points}[7].name")
    assert name in browser.run("document.querySelector('.plane output').textContent")
    assert name in browser.run("document.querySelector('.map figcaption').textContent")
    assert browser.becomes(f"{player('map-0')}.frame > 0")
    browser.run("document.querySelector('.plane canvas').focus()")
    for key in ("ArrowRight", "Enter"):
        browser.call("Input.dispatchKeyEvent", type="keyDown", key=key)
    assert browser.run(f"{points}[8].name") in browser.run(
        "document.querySelector('.map figcaption').textContent"
    )
    browser.click(*centre(browser, '[data-class="1"]'))
    browser.run("document.querySelector('.plane canvas').focus()")
    browser.call("Input.dispatchKeyEvent", type="keyDown", key="ArrowRight")
    assert browser.run("document.querySelector('.plane output').textContent").startswith("<script>")
    assert browser.complaints == []


@pytest.mark.parametrize("width", [1280, 390])
def test_a_timeline_leads_and_follows_its_skeleton(browser: Browser, detections: Path, width: int) -> None:
    browser.open(detections, width=width)
    assert browser.run("document.documentElement.scrollWidth") == width
    browser.click(*centre(browser, "#recording-0-0-0 .kineme-track", across=0.25 if width == 390 else 0.75))
    wanted = 25 if width == 390 else 75
    assert abs(frame(browser, "player-0-0-0") - wanted) <= 1
    at = "parseFloat(document.querySelector('.kineme-timeline').style.getPropertyValue('--at'))"
    assert abs(browser.run(at) - wanted) <= 1.5
    browser.run(f"{player('player-0-0-0')}.play()")
    assert browser.becomes(f"{player('player-0-0-0')}.frame > {wanted + 3} && {at} > {wanted + 3}")
    browser.run(
        "(() => { const choice = document.querySelector('.recordings select'); choice.selectedIndex = 1;"
        "choice.dispatchEvent(new Event('change')); })()"
    )
    shown = "[...document.querySelectorAll('.recording')].map(each => each.checkVisibility())"
    browser.settle()
    assert browser.run(shown) == [False, True]
    assert browser.run(EMPTY_CANVASES) == 0
    assert browser.complaints == []
