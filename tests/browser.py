"""A headless Chromium that shows pages as a reader sees them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

PROGRAM = os.environ.get("CHROME") or shutil.which("chromium") or shutil.which("google-chrome")
MARKS = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("playwright") is None, reason="needs playwright: pip install playwright"),
    pytest.mark.skipif(PROGRAM is None, reason="needs Chromium: install it, or name it in CHROME"),
]
FLAGS = (
    "--no-sandbox",
    "--no-first-run",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
)
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
SETTLED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
Open = Callable[..., Any]


@contextmanager
def launched() -> Iterator[Any]:
    """A browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=PROGRAM, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def opener(browser: Any) -> Iterator[Open]:
    """Opens a file; at the end no console message, no error and no other request may have come of it."""
    heard: list[str] = []
    pages = []

    def opened(path: Path, width: int = 1280, **media: str) -> Any:
        page = browser.new_page(viewport={"width": width, "height": 900}, **media)
        page.on("console", lambda message: heard.append(message.text))
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("request", lambda request: heard.append(request.url) if request.url != address else None)
        address = path.resolve().as_uri()
        page.goto(address)
        page.evaluate(SETTLED)
        pages.append(page)
        return page

    yield opened
    for page in pages:
        page.close()
    assert heard == []
