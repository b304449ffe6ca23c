"""The page of `kineme cluster`."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from inference.clustering.test_changes import recording
from inference.models import model, motion, write

from kineme.clips.store import Clip
from kineme.inference import Changes, cluster
from kineme.inference.clustering.cluster import cluster_opened
from kineme.inference.clustering.segments import Kinds, Segment, described
from kineme.inference.recordings import open_input
from kineme.model import Model
from kineme.report.kinds import _following, write_kinds

from .conftest import HOSTILE
from .pages import Reader


@pytest.fixture
def own(tmp_path: Path) -> Model:
    return model(tmp_path / "run")


def page_of(own: Model, store: Path, k: int) -> tuple[str, Reader]:
    opened = [open_input(own, store, {})]
    path = store.with_name("page.html")
    write_kinds(cluster_opened(own, opened, k=k), path, opened)
    text = path.read_text(encoding="utf-8")
    return text, Reader(text)


def test_recordings_that_were_cut(own: Model, tmp_path: Path) -> None:
    clips = []
    for i in range(3):
        xyz, edges = recording([40, 60, 30], [40, 30, 50, 40], seed=i)
        intervals = [(int(start), int(end), 0) for start, end in edges.reshape(-1, 2)]
        clips.append(Clip(f"long {HOSTILE} {i}", xyz, subject=f"{HOSTILE}{i}", intervals=intervals))
    store = tmp_path / "long"
    write(store, clips, fps=30.0)
    text, reader = page_of(own, store, 3)
    assert "<script>alert" not in text
    assert HOSTILE in " ".join(reader.words)
    assert len(reader.players) <= 18
    assert text.count('class="kineme-track"') == 3
    kinds, following = reader.tables
    counts = [int(row[1]) for row in kinds[1:]]
    assert counts == sorted(counts, reverse=True)
    assert sum(counts) == 21
    assert sum(int(cell) for row in following[1:] for cell in row[1:] if cell.strip()) == 18
    assert "boundary F1 100.0 %" in " ".join(text.split())


def test_kinds_that_share_a_hue_are_striped(own: Model, tmp_path: Path) -> None:
    store = tmp_path / "mine"
    write(store, [Clip(f"clip{i}", motion(20 + i, i)) for i in range(18)])
    text, _ = page_of(own, store, 9)
    marks = re.findall(r'class="mark" data-round="(\d)" style="(\S*)">(\d+)<', text)
    looks = {number: (around, hue) for around, hue, number in marks}
    assert looks["8"][1] == looks["1"][1] == "background-color:var(--kineme-hue-0)"
    assert (looks["1"][0], looks["8"][0]) == ("0", "1")
    assert len(set(looks.values())) == len(looks) == 9


def test_clips_have_no_timeline_and_nothing_follows(own: Model, tmp_path: Path) -> None:
    store = tmp_path / "mine"
    write(store, [Clip(f"clip{i}", motion(20 + i, i)) for i in range(9)])
    text, reader = page_of(own, store, 2)
    (kinds,) = reader.tables
    assert [title.strip() for title in kinds[0]] == ["kind", "segments", "share of time", "mean length"]
    assert "each clip is one segment" in text
    assert "already trimmed do not follow one another" in text
    assert len(reader.players) == 9
    assert all(player["data-fps"] == "10" for player in reader.players)


def test_a_row_says_what_follows_its_kind() -> None:
    segments = [Segment("mine", "long", i, i + 1, kind, 1.0, "", "") for i, kind in enumerate((1, 1, 2))]
    found = Kinds(tuple(segments), described(segments), {}, untrimmed=True)
    assert _following(found) == [
        {"kind": 1, "cells": [(1, 50), (1, 50)]},
        {"kind": 2, "cells": [(0, 0), (0, 0)]},
    ]


def test_exemplars_show_their_part_of_the_recording(own: Model, tmp_path: Path) -> None:
    xyz, _ = recording([40, 60, 30], [40, 30, 50, 60])
    store = tmp_path / "long"
    write(store, [Clip("long", xyz)], fps=30.0)
    found = cluster(own, [store], k=2, changes=Changes())
    _, reader = page_of(own, store, 2)
    shown = sorted((int(p["data-first"] or 0), int(p["data-frames"] or 0)) for p in reader.players)
    assert shown == [(round(each.start * 30), round(each.length * 30)) for each in found.segments]
    assert sum(frames for _, frames in shown) == len(xyz)


def test_exemplars_of_an_input_at_another_rate_show_their_part_at_the_first_ones(
    own: Model, tmp_path: Path
) -> None:
    write(tmp_path / "slow", [Clip("slow", motion(40, 0))], fps=10.0)
    write(tmp_path / "fast", [Clip("fast", motion(80, 1))], fps=20.0)
    opened = [open_input(own, tmp_path / name, {}) for name in ("slow", "fast")]
    write_kinds(cluster_opened(own, opened, k=2, window=1.0), tmp_path / "page.html", opened)
    reader = Reader((tmp_path / "page.html").read_text(encoding="utf-8"))
    shown = sorted((int(p["data-first"] or 0), int(p["data-frames"] or 0)) for p in reader.players)
    assert shown == sorted([(10 * i, 10) for i in range(4)] + [(20 * i, 10) for i in range(4)])


def test_both_bodies_of_an_exemplar_are_shown(own: Model, tmp_path: Path) -> None:
    both = [np.concatenate([motion(20, i), motion(20, 10 + i)], axis=1) for i in range(3)]
    write(tmp_path / "two", [Clip(f"clip{i}", xyz) for i, xyz in enumerate(both)])
    _, reader = page_of(own, tmp_path / "two", 2)
    assert [player["data-bodies"] for player in reader.players] == ["2"] * 3


def test_a_recording_of_minutes_has_a_line_for_each(own: Model, tmp_path: Path) -> None:
    xyz, _ = recording([30] * 40, [30] * 41)
    store = tmp_path / "long"
    write(store, [Clip("long", np.concatenate([xyz, xyz]))], fps=30.0)  # 162 s
    text, _ = page_of(own, store, 2)
    assert text.count('class="kineme-track"') == 3
    assert "long from 2 min" in text
    for line, full in zip(text.split('class="kineme-track"')[1:], (100, 100, 70), strict=True):
        bands = [[*map(float, each)] for each in re.findall(r"left:([\d.]+)%;width:([\d.]+)%", line)]
        ends = [0, *(left + width for left, width in bands)]
        assert [left for left, _ in bands] == pytest.approx(ends[:-1], abs=0.011)  # one after another
        assert ends[-1] == pytest.approx(full, abs=0.011)
    assert "A full line is 60 s." in text
