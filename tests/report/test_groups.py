"""Kinds of motion among clips without labels, as skeletons."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from kineme.clips.store import ClipStore
from kineme.report.examined import Examined
from kineme.report.groups import groups

from .test_unlabelled import recorded


def test_the_most_typical_clips_of_each_kind_come_first(tmp_path: Path) -> None:
    store = ClipStore(recorded(tmp_path / "store", 9, people=3))  # clip i is of person 1 + i % 3
    rows = np.array([8, 6, 3, 1, 2, 5])  # those looked at
    none = np.zeros((6, 0))
    seen = Examined(store, rows, rows, np.eye(6), none.astype(int), none, clips=9)
    kinds, typical = np.array([2, 1, 1, 1, 2, 0]), np.array([0.4, 0.5, 0.9, 0.7, 0.6, np.nan])
    page = groups(0, seen, (kinds, typical), "kineme cluster RUN")
    told = re.findall(r"Kind (\d): ([^<]*)</h4>|class=\"source\">([^<]*)<", page)
    assert ["".join(each) for each in told] == [
        "13 clips of 2 people", "clip03", "clip01", "clip06",
        "22 clips of 1 person", "clip02", "clip08",
    ]  # fmt: skip
    assert "5 of 6 clips fall into 2 kinds of motion" in page
