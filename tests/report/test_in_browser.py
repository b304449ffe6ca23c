"""The page as a reader sees it, in a headless Chromium: drawn, moving, answering, within its width."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import EMPTY_CANVASES, MARKS, SETTLED, TOO_WIDE, Open, launched, opener

from kineme.report.page import write_report
from kineme.training.history import read_history

from .conftest import write_detections, write_recordings
from .test_unlabelled import recorded, trained

pytestmark = MARKS


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as browser:
        yield browser


@pytest.fixture
def show(browser: Any) -> Iterator[Open]:
    with opener(browser) as show:
        yield show


@pytest.fixture(scope="module")
def report(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pages") / "page.html"
    write_report([finished], out, device="cpu")
    return out


@pytest.fixture
def detections(run: Path, tmp_path: Path) -> Path:
    store = write_recordings(tmp_path / "recordings")
    write_detections(run, store)
    write_report([run], tmp_path / "page.html", stores=[store], device="cpu")
    return tmp_path / "page.html"


def frame(page: Any, name: str) -> int:
    return int(page.evaluate(f"document.getElementById('{name}').player.frame"))


def moves(page: Any, name: str, beyond: int = 0) -> None:
    """Waits until a player has come beyond a frame."""
    page.wait_for_function(f"document.getElementById('{name}').player.frame > {beyond}")


@pytest.mark.parametrize("width", [1280, 500, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_is_drawn_within_the_width(show: Open, report: Path, width: int, scheme: str) -> None:
    page = show(report, width, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(TOO_WIDE) == []
    assert page.locator("canvas").count() == 2 + 12 * 5
    assert page.evaluate(EMPTY_CANVASES) == 0


def test_skeletons_move_when_they_are_in_view_and_stop_together(show: Open, report: Path) -> None:
    page = show(report)
    assert frame(page, "near-0-0-0") == 0  # far below
    page.locator("#near-0-0-0").scroll_into_view_if_needed()
    moves(page, "near-0-0-0")
    assert page.locator(".stop").inner_text() == "❚❚ Pause all"  # as in a gallery
    page.locator(".stop").click()
    assert page.locator(".stop").inner_text() == "▶ Play all"
    before = frame(page, "near-0-0-0")
    page.wait_for_timeout(300)
    assert frame(page, "near-0-0-0") == before


def test_nothing_moves_by_itself_for_readers_who_prefer_that(show: Open, report: Path) -> None:
    page = show(report, reduced_motion="reduce")
    page.locator("#near-0-0-0").scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    assert frame(page, "near-0-0-0") == 0


def test_a_chart_is_read_off_under_the_pointer(show: Open, report: Path, finished: Path) -> None:
    page = show(report)
    chart = page.locator(".chart > svg").first
    box = chart.bounding_box()
    chart.hover(position={"x": 0.97 * box["width"], "y": 0.5 * box["height"]})
    last = read_history(finished / "history.csv")[-1]
    assert page.locator(".chart output").first.inner_text() == f"epoch 3: loss {last['loss']:.4g}"


def test_training_is_shown_over_epochs_or_over_time(show: Open, report: Path) -> None:
    page = show(report)
    over = page.locator(".charts")
    assert [over.nth(i).is_visible() for i in range(2)] == [True, False]
    page.get_by_role("radio", name="minutes").check()
    assert [over.nth(i).is_visible() for i in range(2)] == [False, True]


def test_a_cell_of_the_confusion_matrix_says_what_it_is(show: Open, report: Path) -> None:
    page = show(report)
    cell = page.locator(".matrix rect:has(title)").first
    cell.hover()
    assert page.locator(".matrix output").first.inner_text() == cell.locator("title").text_content()


def test_the_map_is_read_and_its_clips_play(show: Open, report: Path) -> None:
    page = show(report, reduced_motion="reduce")
    plane, read = page.locator(".plane canvas"), page.locator(".plane output")
    caption = page.locator(".map figcaption")
    points = page.evaluate("document.querySelector('.map').atlas.points")
    box = plane.bounding_box()
    x, y = (14 + points[7][axis] * (box[size] - 28) for axis, size in (("x", "width"), ("y", "height")))
    plane.click(position={"x": x, "y": y})
    assert points[7]["name"] in read.inner_text()
    assert points[7]["name"] in caption.inner_text()
    moves(page, "map-0")
    plane.press("ArrowRight")
    plane.press("Enter")
    assert points[8]["name"] in caption.inner_text()
    page.locator('.classes-legend:visible [data-class="1"]').click()
    plane.press("ArrowRight")
    assert read.inner_text().startswith("<script>")


@pytest.fixture
def unlabelled(tmp_path: Path) -> Path:
    store = recorded(tmp_path / "store", 24, people=3)
    write_report([trained(tmp_path, store, train_epochs=6, train_batch_size=8)], tmp_path / "page.html")
    return tmp_path / "page.html"


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (500, "dark")])
def test_a_map_without_labels_is_coloured_by_what_one_chooses(
    show: Open, unlabelled: Path, width: int, scheme: str
) -> None:
    page = show(unlabelled, width, color_scheme=scheme, reduced_motion="reduce")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(TOO_WIDE) == []
    assert page.evaluate(EMPTY_CANVASES) == 0
    legends, caption = page.locator(".classes-legend"), page.locator(".map figcaption")
    assert [legends.nth(i).is_visible() for i in range(2)] == [True, False]
    assert caption.inner_text().startswith(("kind ", "in no kind"))
    page.locator(".colours").select_option("person")
    assert [legends.nth(i).is_visible() for i in range(2)] == [False, True]
    assert caption.inner_text() == "person 1 (clip00)"
    legends.nth(1).locator("button").nth(2).click()
    page.locator(".plane canvas").press("ArrowRight")
    assert page.locator(".plane output").inner_text() == "person 3 (clip02)"


@pytest.mark.parametrize(("width", "across"), [(1280, 0.75), (390, 0.25)])
def test_a_timeline_leads_and_follows_its_skeleton(
    show: Open, detections: Path, width: int, across: float
) -> None:
    page = show(detections, width)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    track = page.locator("#recording-0-0-0 .kineme-track").first
    track.click(position={"x": across * track.bounding_box()["width"], "y": 8})
    wanted = 100 * across
    assert abs(frame(page, "player-0-0-0") - wanted) <= 1
    at = "parseFloat(document.querySelector('.kineme-timeline').style.getPropertyValue('--at'))"
    assert abs(page.evaluate(at) - wanted) <= 1.5
    page.evaluate("document.getElementById('player-0-0-0').player.play()")
    moves(page, "player-0-0-0", int(wanted) + 3)
    page.wait_for_function(f"{at} > {wanted + 3}")
    page.locator(".recordings select").select_option(index=1)
    page.evaluate(SETTLED)
    shown = page.locator(".recording")
    assert [shown.nth(i).is_visible() for i in range(2)] == [False, True]
    assert page.evaluate(EMPTY_CANVASES) == 0
