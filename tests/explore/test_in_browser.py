"""The page as a person uses it, in a headless Chromium, with `kineme explore` as it is started.

With KINEME_SCREENSHOTS set to a folder, the pictures of the documentation are written there:

    KINEME_SCREENSHOTS=docs/explore python -m pytest -m slow tests/explore/test_in_browser.py
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from browser import MARKS, SETTLED, TOO_WIDE, launched
from spawning import heed_interrupts

from kineme.clips.store import open_store
from kineme.explore.compare import Comparison
from kineme.explore.labels import Labels
from kineme.explore.learning import Learner
from kineme.explore.library import Library, open_library
from kineme.generate import generate_store
from kineme.inference import read_examples
from kineme.loading import load
from kineme.model import random_like
from kineme.pretraining import pretrain

pytest.importorskip("fastapi", reason="needs fastapi: pip install 'kineme[explore]'")

from kineme.explore.serving import listening, server
from kineme.explore.told import Explored

pytestmark = MARKS
SOFTWARE = "GPU stall due to ReadPixels"  # Chromium's own remark where WebGL has no graphics card
PICTURES = os.environ.get("KINEME_SCREENSHOTS", "")
PATIENCE = 120_000  # milliseconds, on a busy machine
WIDE = 1280


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as browser:
        yield browser


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with clips, long recordings and a run."""
    folder = tmp_path_factory.mktemp("explored")
    actions = ["wave", "clap", "sit down", "squat", "kick", "jumping jack"]
    generate_store(folder / "clips", subjects=10, repetitions=2, cameras=[2], actions=actions)
    generate_store(
        folder / "takes", subjects=3, repetitions=1, cameras=[2], actions=actions, untrimmed=True, seconds=20
    )
    short = {
        "train.epochs": 4 if PICTURES else 1,
        "train.batch_size": 16,
        "encoder.hidden": 64,
        "data.frames": 32,
    }
    pretrain("usdrl-small", folder / "trained", store=folder / "clips", overrides=short)
    return folder


Started = Callable[..., str]


@pytest.fixture(scope="module")
def libraries(material: Path) -> dict[str, Library]:
    trained = load(material / "trained")
    opened = {
        name: open_library(trained, open_store(material / name), device="cpu") for name in ("clips", "takes")
    }
    other = random_like(trained, 1)
    return {
        **opened,
        "other": open_library(other, opened["clips"].store, beside=opened["clips"], device="cpu"),
    }


@pytest.fixture
def start(libraries: dict[str, Library], tmp_path: Path) -> Iterator[Started]:
    """Serves a library as the command does, in a thread, and gives the link."""
    running = []

    def started(name: str, other: str = "") -> str:
        library = libraries[name]
        labels = Labels(tmp_path / "mine.csv", library.seconds)
        learner = Learner(library, labels)
        comparison = Comparison(library, libraries[other]) if other else None
        titles = {"store": name, "run": "trained", "other": "untrained", "labels": "mine.csv"}
        opened = listening(0)
        port = opened.getsockname()[1]
        serving = server(Explored(library, labels, learner, comparison, titles), port, "token")
        thread = Thread(target=serving.run, kwargs={"sockets": [opened]})
        learner.start()
        thread.start()
        running.append((serving, learner, thread))
        return f"http://127.0.0.1:{port}/?token=token"

    yield started
    for serving, learner, thread in running:
        serving.should_exit = True
        learner.stop()
        thread.join()


@pytest.fixture
def show(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens the page; at the end the console has been silent, and nothing was asked of anybody else."""
    heard: list[str] = []
    pages = []

    def shown(link: str, width: int = WIDE, **media: str) -> Any:
        page = browser.new_page(viewport={"width": width, "height": 900}, **media)
        page.set_default_timeout(PATIENCE)
        page.on(
            "console", lambda message: heard.append(message.text) if SOFTWARE not in message.text else None
        )
        page.on("pageerror", lambda error: heard.append(str(error)))
        own = link.split("?")[0]
        page.on("request", lambda request: None if request.url.startswith(own) else heard.append(request.url))
        page.goto(link)
        page.wait_for_selector("body[data-ready]")
        pages.append(page)
        return page

    yield shown
    for page in pages:
        page.close()
    assert heard == []


def picture(page: Any, name: str, **options: bool) -> None:
    """A picture for the documentation, in the colours of the page."""
    if not PICTURES:
        return
    from PIL import Image

    path = Path(PICTURES) / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    page.evaluate(SETTLED)
    page.screenshot(path=path, **options)
    Image.open(path).convert("RGB").save(path, optimize=True)


def fits(page: Any, width: int) -> None:
    page.evaluate(SETTLED)
    assert page.evaluate("() => document.documentElement.scrollWidth") == width
    assert page.evaluate(f"() => {TOO_WIDE.strip()}") == []


def opened(page: Any) -> str:
    page.wait_for_function("() => document.querySelector('#motion-player .kineme-player') !== null")
    return str(page.inner_text("#motion-name"))


def label(page: Any, name: str) -> None:
    """By its key if it has one, else by typing it; then the next motion comes."""
    before = opened(page)
    known = page.locator("#classes .class span").all_inner_texts()
    if name in known:
        page.keyboard.press(str(1 + known.index(name)))
    else:
        page.keyboard.press("l")
        page.keyboard.type(name)
        page.keyboard.press("Enter")
        page.wait_for_function("() => document.getElementById('name').value === ''")
        page.keyboard.press("Escape")
    page.wait_for_function("name => document.getElementById('motion-name').textContent !== name", arg=before)


def words(page: Any) -> dict[str, str]:
    """What is told of the open motion."""
    told = page.evaluate(
        "() => ['dt', 'dd'].map(tag => [...document.querySelectorAll(`#motion-words ${tag}`)]"
        ".map(each => each.textContent))"
    )
    return dict(zip(*told, strict=True))


def truth(page: Any) -> str:
    """What the motion shows, as the store says: a person would see it."""
    return words(page)["in the store"]


def drawn(page: Any) -> bool:
    """Whether the map shows points: WebGL is read in the frame in which it draws."""
    return bool(
        page.evaluate("""() => new Promise(done => {
          const { map } = globalThis.kineme, { gl } = map, told = map.changed;
          map.changed = () => {
            map.changed = told;
            const pixels = new Uint8Array(4 * gl.drawingBufferWidth * gl.drawingBufferHeight);
            const size = [gl.drawingBufferWidth, gl.drawingBufferHeight];
            gl.readPixels(0, 0, ...size, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
            done(pixels.some(value => value > 0));
          };
          map.draw();
        })""")
    )


def accuracy(page: Any) -> str:
    return str(page.inner_text("#accuracy") + page.inner_text("#interval"))


@pytest.mark.parametrize(
    ("width", "scheme"), [(WIDE, "light"), (WIDE, "dark"), (500, "light"), (500, "dark")]
)
def test_somebody_looks_searches_labels_and_finds_it_all_again(
    start: Started, show: Callable[..., Any], tmp_path: Path, width: int, scheme: str
) -> None:
    page = show(start("clips"), width, color_scheme=scheme)
    fits(page, width)
    assert drawn(page)
    assert page.evaluate("() => globalThis.kineme.map.count") == 120

    page.locator("#lasso").click()  # around the left half of the map
    box = page.locator("#plane").bounding_box()
    corners = [(0.02, 0.02), (0.6, 0.02), (0.6, 0.98), (0.02, 0.98)]
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=4)
    page.mouse.up()
    page.wait_for_selector("#results-cards .kineme-card")
    assert re.fullmatch(r"\d+ selected motions", page.inner_text("#results-title"))
    page.keyboard.press("Escape")

    page.keyboard.press("n")
    opened(page)
    page.keyboard.press("s")
    page.wait_for_function("() => document.getElementById('results-title').textContent.startsWith('Like ')")
    assert page.locator("#results-cards .kineme-card").count() == 12
    page.wait_for_function(
        "() => [...document.querySelectorAll('#results-cards figure')].some(each => each.player.frame > 2)"
    )
    if width == WIDE and scheme == "light":
        page.evaluate("() => scrollTo(0, 330)")
        picture(page, "search")
        page.evaluate("() => scrollTo(0, 0)")
    fits(page, width)
    page.locator("#choose-people input[value=other]").check()
    person = f"person {words(page)['person']}"
    page.wait_for_function(
        "name => ![...document.querySelectorAll('#results-cards p')].some(p => p.textContent.endsWith(name))",
        arg=person,
    )
    page.locator("#close-results").click()

    seen = set()
    for done in range(10):
        label(page, truth(page))
        if done >= 4:
            page.wait_for_function(
                "() => document.getElementById('learning-doing').textContent !== 'learning …'"
            )
            seen.add(accuracy(page))
    page.wait_for_function("() => !document.getElementById('unlike').disabled")
    assert len(seen) > 1  # accuracy and its interval moved
    assert "10 labels" in page.inner_text("#labels-said")
    assert len(read_examples(tmp_path / "mine.csv")[0]) == 10
    page.locator("#colour").select_option("prediction")
    page.evaluate("() => scrollTo(0, 0)")
    page.wait_for_selector("#said", state="hidden")
    picture(page, {WIDE: "map", 500: "narrow"}[width] + f"-{scheme}", full_page=width == WIDE)
    fits(page, width)

    page.reload()
    page.wait_for_selector("body[data-ready]")
    page.wait_for_selector("#judged:not([hidden])")
    assert "10 labels" in page.inner_text("#labels-said")
    page.keyboard.press("u")  # also after a reload
    page.wait_for_function("() => document.getElementById('labels-said').textContent === '9 labels'")
    assert len(read_examples(tmp_path / "mine.csv")[0]) == 9
    page.keyboard.press("o")
    page.wait_for_function("() => document.getElementById('results-title').textContent === 'None of these?'")


def test_the_keyboard_alone_is_enough(start: Started, show: Callable[..., Any], tmp_path: Path) -> None:
    page = show(start("clips"))
    page.keyboard.press("m")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#hover .kineme-player")
    page.keyboard.press("Enter")
    first = opened(page)
    page.keyboard.press("x")
    page.keyboard.press("n")
    page.wait_for_function("name => document.getElementById('motion-name').textContent !== name", arg=first)
    page.keyboard.press("x")
    assert page.inner_text("#targets [aria-checked=true]") == "the 2 selected"
    page.keyboard.press("l")
    page.keyboard.type("Mine <b>")
    page.keyboard.press("Enter")
    page.wait_for_selector("#classes .class")
    assert page.inner_text("#classes .class span") == "Mine <b>"  # text, not markup
    assert page.inner_text("#labels-said") == "2 labels"
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    picture(page, "help")
    page.keyboard.press("Escape")
    page.keyboard.press("r")
    page.wait_for_selector("#recording-player .kineme-player")
    assert page.locator("#recording-view").is_visible()
    page.locator("#recording-tab").focus()
    page.keyboard.press("ArrowLeft")
    assert page.locator("#map-view").is_visible()
    assert {each.label for each in read_examples(tmp_path / "mine.csv")[0]} == {"Mine <b>"}


@pytest.mark.parametrize("width", [WIDE, 500])
def test_a_stretch_is_chosen_searched_for_labelled_and_its_edge_dragged(
    start: Started, show: Callable[..., Any], tmp_path: Path, width: int
) -> None:
    page = show(start("takes"), width, reduced_motion="reduce")
    page.locator("#recording-tab").click()
    page.wait_for_selector("#track-true .band")
    page.wait_for_function("() => document.getElementById('strip').width > 100")
    fits(page, width)
    page.locator("#tracks").scroll_into_view_if_needed()
    box = page.locator("#track-labels").bounding_box()
    y = box["y"] + 12

    def drag(start: float, end: float) -> None:
        page.mouse.move(box["x"] + start * box["width"], y)
        page.mouse.down()
        page.mouse.move(box["x"] + (start + end) / 2 * box["width"], y, steps=3)
        page.mouse.move(box["x"] + end * box["width"], y, steps=3)
        page.mouse.up()

    for class_name, begin, end in (("one", 0.1, 0.25), ("other", 0.4, 0.6), ("one", 0.7, 0.85)):
        drag(begin, end)
        page.wait_for_selector("#stretch:not([hidden])")
        page.locator("#name").fill(class_name)
        page.keyboard.press("Enter")
        page.wait_for_function("() => document.getElementById('name').value === ''")
        page.keyboard.press("Escape")
        page.locator("#tracks").scroll_into_view_if_needed()
        box = page.locator("#track-labels").bounding_box()
        y = box["y"] + 12
    page.wait_for_function("() => document.querySelectorAll('#track-labels .band').length === 3")
    drag(0.25, 0.32)  # the end of the first
    page.wait_for_function("() => !document.querySelector('#track-labels .band').title.includes('to 5.')")
    first = sorted(read_examples(tmp_path / "mine.csv")[0], key=lambda each: each.start)[0]
    assert first.start == pytest.approx(2, abs=0.3)
    assert first.end == pytest.approx(6.4, abs=0.3)
    page.locator("#track-labels .edge").first.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "start => !document.querySelector('#track-labels .band').title.includes(start)",
        arg=f"{first.start:.2f} to",
    )
    page.wait_for_selector("#track-predicted .band")
    page.locator("#track-labels .band").nth(1).click()
    page.wait_for_selector("#said", state="hidden")
    if width == WIDE:
        picture(page, "recording")
    page.locator("#stretch-similar").click()
    page.wait_for_selector("#results-cards .kineme-card")
    fits(page, width)


def test_two_runs_are_compared(start: Started, show: Callable[..., Any]) -> None:
    page = show(start("clips", "other"), reduced_motion="reduce")
    page.locator("#compare-tab").click()
    page.wait_for_selector("#run-1-cards .kineme-card")
    assert page.locator("#run-0-cards .kineme-card").count() == 6
    assert page.locator("#run-1-cards .kineme-card").count() == 6
    assert re.search(r"\d of 6 are the same", page.inner_text("#compared"))
    page.locator("#disagreements button").nth(3).click()
    page.wait_for_selector("#disagreements button[aria-pressed=true]")
    fits(page, WIDE)
    picture(page, "compare")
    page.locator("#map-tab").click()
    page.locator("#colour").select_option("agreement")
    assert "shared" in page.inner_text("#legend")


def test_two_windows_see_each_others_labels(start: Started, show: Callable[..., Any], tmp_path: Path) -> None:
    link = start("clips")
    one, other = (show(link, width, reduced_motion="reduce") for width in (WIDE, 500))
    for page, name in ((one, "wave"), (other, "clap")):
        page.keyboard.press("n")
        opened(page)
        page.locator("#name").fill(name)
        page.locator("#name").press("Enter")
        for each in (one, other):  # what has a label now is not the next to label
            each.wait_for_function(
                "name => document.getElementById('classes').textContent.includes(name)", arg=name
            )
    assert sorted(each.label for each in read_examples(tmp_path / "mine.csv")[0]) == ["clap", "wave"]
    one.locator("#name").blur()
    one.keyboard.press("u")
    for each in (one, other):
        each.wait_for_function("() => document.getElementById('labels-said').textContent === '1 label'")
    assert [each.label for each in read_examples(tmp_path / "mine.csv")[0]] == ["clap"]


def test_the_command_is_killed_and_loses_no_label_and_stops_quietly(
    browser: Any, material: Path, tmp_path: Path
) -> None:
    table = tmp_path / "mine.csv"
    command = [sys.executable, "-m", "kineme", "explore", str(material / "clips"), str(material / "trained")]
    options = ["--no-browser", "--labels", str(table)]

    def started() -> tuple[subprocess.Popen[str], Any]:
        process = subprocess.Popen(
            [*command, *options], stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts
        )
        assert process.stderr is not None
        link = next(found[0] for line in process.stderr if (found := re.search(r"http://\S+", line)))
        page = browser.new_page(reduced_motion="reduce")
        page.set_default_timeout(PATIENCE)
        page.goto(link)
        page.wait_for_selector("body[data-ready]")
        return process, page

    process, page = started()
    page.keyboard.press("n")
    label(page, "wave")
    page.wait_for_function("() => document.getElementById('labels-said').textContent === '1 label'")
    process.kill()
    process.communicate()
    page.wait_for_function(
        "() => document.getElementById('said').textContent.startsWith('Kineme has stopped')"
    )
    page.close()
    assert [each.label for each in read_examples(table)[0]] == ["wave"]

    process, page = started()
    page.wait_for_function("() => document.getElementById('labels-said').textContent === '1 label'")
    page.close()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert said.endswith(f"\nstopped; 1 label kept in {table}\n")
    assert "Traceback" not in said
