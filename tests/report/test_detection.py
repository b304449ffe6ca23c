"""Detections: scores in a table, and segments over the recordings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kineme.report import detection

from .conftest import write_detections, write_recordings
from .pages import made


def test_detections_are_drawn_over_their_recordings(run: Path, tmp_path: Path) -> None:
    store = write_recordings(tmp_path / "recordings")
    result = write_detections(run, store)
    text, reader = made(run, store=store)
    precision = result.scores["mAP_a@0.5 (PKU-MMD)"]
    assert precision.interval is not None
    (table,) = (table for table in reader.tables if "mAP_a@0.5 (PKU-MMD) " in table[0])
    shown = dict(zip(map(str.strip, table[0]), table[1], strict=True))["mAP_a@0.5 (PKU-MMD)"].split()
    assert shown[0] == f"{precision.value:.1f}"
    assert shown[1] == "{:.1f}–{:.1f}".format(*precision.interval)
    players = [str(each["id"]) for each in reader.players if str(each["id"]).startswith("player")]
    assert players == ["player-0-0-0", "player-0-0-1"]
    bands = re.findall(r'data-start="(\d+)" data-end="(\d+)" title="([^,]*),', text)
    hostile = "&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt; &amp; co"
    first = [("10", "40", "wave"), ("60", "90", hostile)]
    late = [("15", "40", "wave"), ("65", "90", hostile)]
    # Of the second recording the last proposal is too unsure to be drawn.
    assert bands == [*first, *late, *late, *first, *late[:1], *late]
    assert "<script>alert" not in text


def test_bands_count_the_frames_that_a_thinned_recording_still_has(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detection, "FRAMES", 34)  # of 100: one in three
    store = write_recordings(tmp_path / "recordings")
    write_detections(run, store)
    text, reader = made(run, store=store)
    shown = [each for each in reader.players if str(each["id"]).startswith("player")]
    assert [each["data-frames"] for each in shown] == ["34", "34"]
    assert "Shows 1 in 3 frames of the recording." in text
    bands = re.findall(r'data-start="(\d+)" data-end="(\d+)"', text)
    assert bands[:4] == [("3", "14"), ("20", "30"), ("5", "14"), ("21", "30")]


def test_recordings_that_are_not_here_are_asked_for(run: Path, tmp_path: Path) -> None:
    write_detections(run, write_recordings(tmp_path / "recordings"))
    text, reader = made(run)
    assert "<strong>Recordings are left out:</strong> no known store holds the clips of recordings" in text
    assert len(reader.players) == 1 + 12 * 5
