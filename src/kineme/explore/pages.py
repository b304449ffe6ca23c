"""The files of the page, read once: no request names a file."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
SHARED = {  # parts of other modules that the page is made of
    "player.css": "kineme.drawing",
    "player.js": "kineme.drawing",
    "gallery.css": "kineme.drawing",
    "gallery.js": "kineme.drawing",
    "report.css": "kineme.report",
}


@dataclass(frozen=True)
class File:
    """What is sent for a path."""

    body: bytes
    type: str


def page_files() -> dict[str, File]:
    """All files of the page by their path; the page itself is `/`."""
    own = {each.name: each for each in (files("kineme.explore") / "page").iterdir()}
    shared = {name: files(package) / name for name, package in SHARED.items()}
    return {
        "/" if name == "index.html" else f"/{name}": File(
            each.read_bytes(), f"{TYPES[name.rpartition('.')[2]]}; charset=utf-8"
        )
        for name, each in {**own, **shared}.items()
    }
