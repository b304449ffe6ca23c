"""Pages of hits: the query first, then every hit with its own frames and words."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np
import pytest
from browser import EMPTY_CANVASES, MARKS, TOO_WIDE, launched, opener
from inference.models import model, motion, write

from conftest import STICK
from kineme.clips.store import Clip, ClipStore
from kineme.drawing.player import scene
from kineme.errors import KinemeError
from kineme.inference import Hit, read_query, search, write_page
from kineme.inference.searching import pages
from kineme.layouts import get_layout
from kineme.model import Model
from kineme.preparing import prepare
from kineme.typing import Array

EVIL = '"><script>alert(1)</script>'


@pytest.fixture
def own(tmp_path: Path) -> Model:
    return model(tmp_path / "run")


@pytest.fixture
def library(tmp_path: Path) -> ClipStore:
    """Recordings of 4 s at 10 frames per second."""
    clips = [Clip(f"clip{i}", motion(40, i), label=i % 2, subject=f"person {i}") for i in range(4)]
    return write(tmp_path / "library", [*clips, Clip(EVIL, motion(40, 9), subject=EVIL)])


def figures(path: Path) -> list[dict[str, str]]:
    """What each player carries."""
    text = path.read_text(encoding="utf-8")
    return [dict(re.findall(r'data-(\w+)="([^"]*)"', each)) for each in re.findall(r"<figure[^>]*>", text)]


def words(path: Path) -> list[list[str]]:
    """Title and lines of each card."""
    text = path.read_text(encoding="utf-8")
    cards = re.findall(r"<figcaption>(.*?)</figcaption>\n</figure>\n<p>(.*?)</p>", text, re.DOTALL)
    return [[title, *lines.split("\n")] for title, lines in cards]


def points(clip: Array) -> str:
    """As a player of a clip with one body carries it."""
    return str(scene(clip[:, :1], STICK)["points"])


def test_the_query_comes_first_then_the_hits_with_their_frames(
    own: Model, library: ClipStore, tmp_path: Path
) -> None:
    hits = search(own, library, "clip1", part=(1, 2.5), step=0.5, k=3)
    write_page(hits, tmp_path / "page.html", read_query(own, library, "clip1", part=(1, 2.5)))
    shown, told = figures(tmp_path / "page.html"), words(tmp_path / "page.html")
    assert [each["points"] for each in shown] == [
        points(library.clip(1)[10:25]),
        *(
            points(library.clip(library.names.tolist().index(hit.name))[first : first + 15])
            for hit, first in ((hit, round(10 * hit.start)) for hit in hits)
        ),
    ]
    assert [each["first"] for each in shown] == ["10", *(f"{10 * hit.start:.0f}" for hit in hits)]
    assert {each["fps"] for each in shown} == {"10"}
    assert told[0] == ["clip1", "the example", "1.00 s to 2.50 s"]
    for hit, lines in zip(hits, told[1:], strict=True):
        if hit.name != EVIL:
            about = " · ".join(filter(None, (hit.label, f"subject {hit.subject}")))
            span = f"{hit.start:.2f} s to {hit.end:.2f} s"
            assert lines == [hit.name, f"similarity {hit.similarity:.3f}", span, about]


def test_a_query_of_another_frame_rate_plays_at_the_library_s(tmp_path: Path) -> None:
    own = model(tmp_path / "run", get_layout("ntu25"))
    (tmp_path / "raw").mkdir()
    np.save(tmp_path / "raw" / "a.npy", motion(40, 0, joints=25))
    options = {"layout": "ntu25", "fps": 10.0}
    store = prepare("poses", tmp_path / "raw", tmp_path / "library", **options).store
    np.save(tmp_path / "query.npy", motion(50, 1, joints=25))
    for query in (tmp_path / "query.npy", motion(50, 1, joints=25)):
        opened = read_query(own, store, query, layout="ntu25", fps=20.0)
        write_page(search(own, store, opened), tmp_path / "page.html", opened)
        assert [each["frames"] for each in figures(tmp_path / "page.html")] == ["25", "40"]  # 2.5 s and 4 s
        assert words(tmp_path / "page.html")[0][2] == "0.00 s to 2.50 s"


def test_a_feature_has_nothing_to_show(own: Model, library: ClipStore, tmp_path: Path) -> None:
    feature = own.embed(library)[0]
    hits = search(own, library, feature, k=2)
    write_page(hits, tmp_path / "page.html", read_query(own, library, feature))
    assert [each[0] for each in words(tmp_path / "page.html")] == [hit.name for hit in hits]


def test_only_the_frames_of_hits_are_read(
    own: Model, library: ClipStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    clip = ClipStore.clip
    monkeypatch.setattr(ClipStore, "clip", lambda self, row: (read.append(row), clip(self, row))[1])
    write_page(
        [Hit(0.5, "clip3", 1.0, 2.0, "", "")], tmp_path / "page.html", read_query(own, library, "clip0")
    )
    assert read == [0, 3]


def test_names_from_strangers_stay_text(own: Model, library: ClipStore, tmp_path: Path) -> None:
    hits = search(own, library, EVIL)
    write_page(hits, tmp_path / "page.html", read_query(own, library, EVIL))
    write_page(search(own, library, "clip0"), tmp_path / "other.html", read_query(own, library, "clip0"))
    for name in ("page", "other"):
        text = (tmp_path / f"{name}.html").read_text(encoding="utf-8")
        assert "<script>alert" not in text
        assert not re.search(r"https?:|src=", text)


def test_long_clips_are_cut_and_that_is_said(
    own: Model,
    library: ClipStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "kineme")
    monkeypatch.setattr(pages, "FRAMES", 50)
    hits = search(own, library, "clip0", k=4)
    write_page(hits, tmp_path / "page.html", read_query(own, library, "clip0"))
    assert [each["frames"] for each in figures(tmp_path / "page.html")] == ["10"] * 5
    assert "of each clip the first 10 frames are shown" in caplog.text


def test_what_makes_no_page_is_refused(own: Model, library: ClipStore, tmp_path: Path) -> None:
    with pytest.raises(KinemeError, match=r"`page`: .*page\.txt is not a page name; it must end in \.html"):
        write_page([], tmp_path / "page.txt", read_query(own, library, "clip0"))
    with pytest.raises(KinemeError, match="has no clip 'jump'; these hits are from another library"):
        write_page(
            [Hit(0.5, "jump", 0, 1, "", "")], tmp_path / "page.html", read_query(own, library, "clip0")
        )
    assert not list(tmp_path.glob("page*"))


def test_a_page_without_hits(own: Model, library: ClipStore, tmp_path: Path) -> None:
    write_page([], tmp_path / "page.html", read_query(own, library, "clip0"))
    assert "0 hits in library" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert len(figures(tmp_path / "page.html")) == 1
    write_page([], tmp_path / "page.html", read_query(own, library, np.ones(16)))
    assert figures(tmp_path / "page.html") == []


class TestInBrowser:
    """As a reader sees it."""

    pytestmark = MARKS

    def test_query_and_hits_play_in_step(self, own: Model, library: ClipStore, tmp_path: Path) -> None:
        hits = search(own, library, "clip1", part=(1, 2.5), step=0.5, k=3)
        write_page(hits, tmp_path / "page.html", read_query(own, library, "clip1", part=(1, 2.5)))
        with launched() as browser, opener(browser) as show:
            for width in (1280, 500):
                page = show(tmp_path / "page.html", width)
                assert page.evaluate("document.documentElement.scrollWidth") == width
                assert page.evaluate(TOO_WIDE) == []
                assert page.evaluate(EMPTY_CANVASES) == 0
                page.evaluate("document.getElementById('hits').gallery.pause()")
                page.evaluate("document.getElementById('hits').gallery.seek(0.75)")
                frames = (
                    "[...document.querySelectorAll('.kineme-player')].slice(0, 2).map(e => e.player.frame)"
                )
                assert page.evaluate(frames) == [7, 7]
