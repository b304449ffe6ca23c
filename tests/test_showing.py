"""`kineme.show`: a clip of a store as a file. What is drawn is tested in `commands/test_show.py`."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import kineme
from conftest import STICK
from kineme.clips.store import Clip, ClipStore, Manifest
from kineme.clips.writer import StoreWriter
from kineme.errors import KinemeError
from kineme.preprocessing import get_preprocessing
from kineme.showing import find_clip


def test_a_clip_is_found_by_name_before_its_row(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "s", Manifest(STICK, get_preprocessing("plain"), "mine"), 1) as writer:
        for name in ("1", "0", "x"):
            writer.add(Clip(name, np.ones((2, 1, 3, 3), np.float32)))
    store = ClipStore(tmp_path / "s")
    assert [find_clip(store, clip) for clip in ("1", "0", "2", "x")] == [0, 1, 2, 2]


def test_a_clip_is_named_or_counted_and_its_store_open_or_not(tmp_path: Path, moves: Path) -> None:
    kineme.show(str(moves), "clip07", tmp_path / "named.html", frames=(2, 6))
    kineme.show(ClipStore(moves), np.int64(7), str(tmp_path / "counted.html"), frames=(2, 6))
    html = (tmp_path / "named.html").read_text(encoding="utf-8")
    assert "<p>swing · frames 2 to 5 of 11, 0.1 s · subject 2</p>" in html
    assert (tmp_path / "counted.html").read_text(encoding="utf-8") == html


def test_without_a_file_it_is_a_page_that_a_notebook_displays(tmp_path: Path, moves: Path) -> None:
    """In a frame of its own; its text is that of the file."""

    class Frame(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.tag, self.held = tag, dict(attrs)

    kineme.show(moves, "clip07", tmp_path / "clip.html", frames=(2, 6))
    shown, frame = kineme.show(moves, "clip07", frames=(2, 6)), Frame()
    frame.feed(shown._repr_html_())
    assert frame.tag == "iframe"
    assert frame.held["srcdoc"] == shown.html == (tmp_path / "clip.html").read_text(encoding="utf-8")
    assert repr(shown) == "Page(title='clip07')"


def test_the_suffix_says_what_is_drawn(tmp_path: Path, moves: Path) -> None:
    for suffix, begins in ((".gif", b"GIF89a"), (".png", b"\x89PNG"), (".SVG", b"<?xml")):
        kineme.show(moves, 0, tmp_path / f"clip{suffix}")
        assert (tmp_path / f"clip{suffix}").read_bytes().startswith(begins)


@pytest.mark.parametrize(
    ("clip", "out", "frames", "reason"),
    [
        ("clip7", "a.html", None, "has no clip 'clip7'; did you mean"),
        (24, "a.html", None, "has no row 24; its rows are 0 to 23"),
        (-1, "a.html", None, "has no row -1"),
        (0, "a.mp4", None, r"`out` a\.mp4: must end in one of \.html, \.gif, \.png, \.svg"),
        (0, "a.html", (3, 10), "`frames`: 3 to 10 are not in the clip; it has frames 0 to 8"),
        (0, "a.html", (3, 3), "`frames`: 3 to 3 are not in the clip"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    moves: Path, clip: str | int, out: str, frames: tuple[int, int] | None, reason: str
) -> None:
    with pytest.raises(KinemeError, match=reason):
        kineme.show(moves, clip, out, frames=frames)
