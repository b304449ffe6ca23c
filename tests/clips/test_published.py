"""Numbers of clips beside those that were published."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from kineme.clips.published import compare
from kineme.clips.store import Clip, ClipStore, Manifest
from kineme.clips.writer import StoreWriter
from kineme.layouts import Layout
from kineme.preprocessing import get_preprocessing
from kineme.words import counted

DOT = Layout.from_names("dot", ["hip", "neck"], [None, "hip"])


def store(path: Path, source: str, clips: Iterable[Clip]) -> ClipStore:
    with StoreWriter(path / "store", Manifest(DOT, get_preprocessing("plain"), source), 1) as writer:
        for clip in clips:
            writer.add(clip)
    return ClipStore(path / "store")


def clips(count: int) -> Iterable[Clip]:
    """By performer 1 before camera 2 (both train) and by performer 3 before camera 1 (both test) in turns."""
    xyz = np.ones((1, 1, 2, 3))
    for i in range(count):
        yield Clip(f"clip{i}", xyz, subject=str(1 + i % 2 * 2), camera=2 - i % 2)


@pytest.mark.parametrize(
    ("count", "told"),
    [
        (861, "861 clips: as published"),
        (858, "858 clips: 3 fewer than the published 861"),
        (862, "862 clips: 1 more than the published 861"),
    ],
)
def test_a_difference_is_told(tmp_path: Path, count: int, told: str) -> None:
    assert compare(store(tmp_path, "utdmhad", clips(count))) == [told]


def test_splits_are_compared_too(tmp_path: Path) -> None:
    assert compare(store(tmp_path, "ntu60", clips(100))) == [
        "100 clips: 56,478 fewer than the published 56,578",
        "split xsub: 50 train (40,041 fewer than the published 40,091), 50 test (16,437 fewer than the "
        "published 16,487)",
        "split xview: 50 train (37,596 fewer than the published 37,646), 50 test (18,882 fewer than the "
        "published 18,932)",
    ]


class Counted(ClipStore):
    """A store that says it has so many clips, none of which a split can be made of."""

    def __init__(self, source: str, count: int) -> None:
        self.path = Path("counted")
        self.manifest = Manifest(DOT, get_preprocessing("plain"), source)
        self.index = {"name": np.array([f"clip{i}" for i in range(count)])}
        self.index |= {name: np.full(count, -1) for name in ("camera", "setup")}
        self.index["subject"] = np.full(count, "")
        self.splits = {}


@pytest.mark.parametrize(
    ("source", "count", "told"),
    [
        ("ntu60", 56_578, "56,578 clips: as published"),
        ("ntu60", 56_880, "56,880 clips: as published, including the 302 incomplete ones"),
        ("ntu120", 113_945, "113,945 clips: as published"),
        ("ntu120", 114_480, "114,480 clips: as published, including the 535 incomplete ones"),
    ],
)
def test_the_authors_lists_of_incomplete_clips_are_known(source: str, count: int, told: str) -> None:
    assert compare(Counted(source, count)) == [told]


@pytest.mark.parametrize("names", [["0002-L-001", "0002-L-012", "0003-R-001"], ["0002-L", "0003-R"]])
def test_videos_are_counted_however_they_are_cut(tmp_path: Path, names: list[str]) -> None:
    made = store(tmp_path, "pkummd1", [Clip(name, np.ones((1, 1, 2, 3))) for name in names])
    assert compare(made) == ["2 videos: 1,074 fewer than the published 1,076"]


def test_one_video_is_singular(tmp_path: Path) -> None:
    made = store(tmp_path, "pkummd1", [Clip("0002-L", np.ones((1, 1, 2, 3)))])
    assert compare(made) == ["1 video: 1,075 fewer than the published 1,076"]


def test_of_other_sources_nothing_is_told(tmp_path: Path) -> None:
    assert compare(store(tmp_path, "mine", clips(3))) == []


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 bodies"), (1, "1 body"), (2, "2 bodies"), (1200, "1,200 bodies")]
)
def test_things_are_counted_in_the_singular_and_the_plural(number: int, text: str) -> None:
    assert counted(number, "body", "bodies") == text
    assert counted(1, "clip") == "1 clip"
    assert counted(2, "clip") == "2 clips"
