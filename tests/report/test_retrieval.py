"""Test clips beside their nearest training clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kineme.report.examined import examine
from kineme.report.retrieval import retrieval
from kineme.report.runs import read_runs

from .pages import Reader


def test_neighbours_are_shown_as_they_were_found(finished: Path) -> None:
    seen = examine(read_runs([finished])[0], (), "cpu")
    text = retrieval(0, seen, 12)
    assert len(Reader(text).players) == 12 * 5
    assert text.count("✓ same class") + text.count("✗ another class") == 12 * 4
    wrong = min(6, int((~seen.right).sum()))
    assert text.count(": missed</h4>") == wrong
    assert text.count(": found</h4>") == 12 - wrong
    assert f"For {seen.right.sum()} of 24 test clips ({100 * seen.right.mean():.1f} %) the nearest" in text


def test_a_second_body_is_explained_where_there_is_one(finished: Path) -> None:
    seen = examine(read_runs([finished])[0], (), "cpu")
    shown = seen.store.index["bodies"]
    shown[:] = 1
    assert "second body" not in retrieval(0, seen, 2)
    shown[seen.train[0]] = 2
    assert "second body" in retrieval(0, seen, 2)


def test_only_clips_whose_class_is_known_are_judged(finished: Path) -> None:
    seen = examine(read_runs([finished])[0], (), "cpu")
    seen.store.index["label"][seen.test[:4]] = -1
    text = retrieval(0, seen, 24)
    assert text.count(": missed</h4>") + text.count(": found</h4>") == text.count("</h4>")
    assert f"For {seen.right.sum()} of 20 test clips" in text


def test_marks_and_cosines_are_those_of_the_clips(finished: Path) -> None:
    seen = examine(read_runs([finished])[0], (), "cpu")
    query = int(np.flatnonzero(~seen.right)[0]) if not seen.right.all() else 0
    text = retrieval(0, seen, 24).partition(f">&lt;{seen.store.names[seen.test[query]][1:-1]}&gt;<")[2]
    nearest = text.partition('<p class="source">')[0]
    assert ("✓ same class" if seen.right[query] else "✗ another class") in nearest
    assert f"cosine {seen.similarity[query, 0]:.3f}" in nearest
