"""Makes the pictures of pages in the documentation: `python docs/pictures.py`, some ten minutes.

They show generated motion. Needs Playwright and Chromium. The pictures of `explore` are made by its tests:
`tests/explore/test_in_browser.py`.
"""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from kineme.__main__ import main

PICTURES = Path(__file__).parent / "pictures"
COMMANDS = """
generate clips --subjects 8
generate takes --untrimmed --subjects 5 --seconds 40 --repetitions 1 --cameras 2 \
  --actions wave squat kick bow "jumping jack"
pretrain --store clips --out run --data.split odd-even --train.max_minutes 4
cluster run takes --out kinds.csv
search run clips --like S001C001P002R001A008 --page search.html
evaluate linear run
evaluate knn run
report run --out report.html
show clips S001C001P002R001A011 --out strip.png
"""


def picture(page: Page, path: Path, name: str, height: int, scroll_to: str = "h1") -> None:
    """The page from an element on, after its skeletons have moved a little."""
    page.set_viewport_size({"width": 1100, "height": height})
    page.goto(path.resolve().as_uri())
    page.locator(scroll_to).first.evaluate("element => element.scrollIntoView()")
    page.wait_for_timeout(2500)
    page.screenshot(path=PICTURES / name)
    Image.open(PICTURES / name).convert("RGB").save(PICTURES / name, optimize=True)


def write_pictures() -> None:
    """All of them, from a folder that is removed at the end."""
    PICTURES.mkdir(exist_ok=True)
    for command in COMMANDS.strip().splitlines():
        if status := main(shlex.split(command)):
            raise SystemExit(status)
    shutil.copy("strip.png", PICTURES / "strip.png")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        picture(page, Path("kinds.html"), "kinds.png", 900)
        picture(page, Path("search.html"), "search.png", 760)
        picture(page, Path("report.html"), "report.png", 1000, "text=/^Results$/ >> nth=-1")
        browser.close()


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        os.chdir(folder)
        write_pictures()
