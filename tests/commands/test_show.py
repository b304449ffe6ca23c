"""`kineme show` from the command line."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kineme.__main__ import USAGE_ERROR, main
from kineme.clips.store import Clip, Manifest
from kineme.clips.writer import StoreWriter
from kineme.commands.show import frame_range
from kineme.drawing.player import UNSEEN
from kineme.errors import KinemeError
from kineme.layouts import Layout
from kineme.preprocessing import get_preprocessing

STICK = Layout.from_names("stick", ["hip", "neck", "hand"], [None, "hip", "neck"])


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """One recording of 60 frames with two actions, whose first ten hands were not seen."""
    manifest = Manifest(STICK, get_preprocessing("plain"), "mine", ("wave", "b<w"))
    with StoreWriter(tmp_path / "store", manifest, 1, confidence=True) as writer:
        xyz = np.tile(np.array([[0, 0.1, 0], [0, 1, 0], [0.5, 1, 0]], np.float32), (60, 1, 1, 1))
        confidence = np.ones((60, 1, 3))
        confidence[:10, 0, 2] = 0
        intervals = [(5, 20, 0), (30, 60, 1)]
        writer.add(Clip("a day/one", xyz, subject="ann", intervals=intervals, confidence=confidence))
    return tmp_path / "store"


def test_a_clip_is_a_page_named_after_it(
    moves: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["show", str(moves), "clip07"]) == 0
    html = (tmp_path / "clip07.html").read_text(encoding="utf-8")
    assert "<h1>clip07</h1>" in html
    assert "<p>swing · 11 frames, 0.4 s · subject 2</p>" in html
    assert 'data-frames="11" data-bodies="2"' in html
    assert "second body" in html
    assert "kineme-track" not in html.partition("<body")[2]


def test_a_part_of_a_recording_keeps_its_numbers_and_its_actions(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["show", str(recording), "0", "--frames", "10:40"]) == 0
    html = (tmp_path / "a-day-one.html").read_text(encoding="utf-8")
    assert "frames 10 to 39 of 60, 1.0 s · subject ann" in html
    assert 'data-first="10"' in html
    bands = re.findall(r'data-start="(\d+)" data-end="(\d+)" title="([^"]*), frames', html)
    assert bands == [("0", "10", "wave"), ("20", "30", "b&lt;w")]
    assert "second body" not in html


def test_the_file_s_name_says_what_is_drawn(recording: Path, tmp_path: Path) -> None:
    for name in ("strip.png", "strip.svg", "moving.gif", "deeper/page.html"):
        assert main(["show", str(recording), "a day/one", "--out", str(tmp_path / name)]) == 0
    assert (tmp_path / "strip.svg").read_text().startswith("<?xml")
    assert (tmp_path / "deeper" / "page.html").is_file()
    with Image.open(tmp_path / "moving.gif") as gif, Image.open(tmp_path / "strip.png") as strip:
        assert gif.n_frames == 29  # 60 frames, one in 2.1
        assert strip.width > 2 * strip.height


def test_joints_of_no_confidence_are_not_drawn(recording: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    assert main(["show", str(recording), "0", "--out", str(out)]) == 0
    (data,) = re.findall(r'data-points="([^"]*)"', out.read_text())
    points = np.frombuffer(base64.b64decode(data), dtype="<i2").reshape(60, 3, 3)
    unseen = (points == UNSEEN).all(axis=-1)
    assert unseen[:10].tolist() == [[False, False, True]] * 10
    assert not unseen[10:].any()


def test_joints_that_a_clip_lacks_are_not_drawn(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "store", Manifest(STICK, get_preprocessing("plain"), "mine"), 1) as writer:
        xyz = np.tile(np.array([[0, 0.1, 0], [0, 1, 0], [0.5, 1, 0]], np.float32), (60, 1, 1, 1))
        writer.add(Clip("clip", xyz, present=np.array([True, True, False])))
    out = tmp_path / "page.html"
    assert main(["show", str(tmp_path / "store"), "0", "--out", str(out)]) == 0
    (data,) = re.findall(r'data-points="([^"]*)"', out.read_text())
    points = np.frombuffer(base64.b64decode(data), dtype="<i2").reshape(60, 3, 3)
    assert ((points == UNSEEN).all(axis=-1) == [False, False, True]).all()


def test_long_recordings_are_cut_unless_asked_for(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("kineme.commands.show.LONGEST", {".html": 50})
    out = tmp_path / "page.html"
    assert main(["show", str(recording), "0", "--out", str(out)]) == 0
    assert "a day/one: drawing the first 50 of 60 frames; see --frames" in capsys.readouterr().err
    assert 'data-frames="50"' in out.read_text()
    assert main(["show", str(recording), "0", "--out", str(out), "--frames", ":"]) == 0
    assert 'data-frames="60"' in out.read_text()


def test_clips_of_agcn_stand_upright(tmp_path: Path) -> None:
    """Its spine lies along z: a body of 1 m has no height at all where y is taken for up."""
    with StoreWriter(tmp_path / "s", Manifest(STICK, get_preprocessing("agcn"), "mine"), 1) as writer:
        writer.add(
            Clip("a", np.tile(np.array([[0, 0, -1], [0, 0, 0], [0.5, 0, 0]], np.float32), (3, 1, 1, 1)))
        )
    assert main(["show", str(tmp_path / "s"), "a", "--out", str(tmp_path / "a.html")]) == 0
    assert 'data-tall="0.5"' in (tmp_path / "a.html").read_text()


@pytest.mark.parametrize(
    ("text", "expected"), [(None, (0, 60)), ("10:", (10, 60)), (":10", (0, 10)), ("5:600", (5, 60))]
)
def test_either_end_of_a_range_may_be_left_out(text: str | None, expected: tuple[int, int]) -> None:
    assert frame_range(text, 60) == expected


@pytest.mark.parametrize("text", ["10", "a:b", "-3:5", "10:10", "60:", "30:20", "1:2:3"])
def test_ranges_without_frames_are_refused(text: str) -> None:
    with pytest.raises(KinemeError, match=re.escape(f"--frames {text}: ")):
        frame_range(text, 60)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["clip7"], "has no clip 'clip7'; did you mean clip17 or clip07 or clip23?"),
        (["zzz"], "has no clip 'zzz'; the first is clip00"),
        (["24"], "has no row 24; its rows are 0 to 23"),
        (["0", "--out", "a.mp4"], "--out a.mp4: must end in one of .html, .gif, .png, .svg"),
        (["0", "--frames", "x"], "--frames x: is not a range"),
    ],
)
def test_mistakes_earn_one_line(
    moves: Path, words: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", str(moves), *words]) == USAGE_ERROR
    (line,) = capsys.readouterr().err.splitlines()
    assert reason in line


def test_without_a_clip_the_names_are_listed(moves: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(moves)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert (lines[0], lines[7], len(lines)) == ("0\tclip00", "7\tclip07", 24)
