"""The map of the test clips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kineme.evaluation.results import Result
from kineme.report import embedding as embedding_of
from kineme.report.embedding import colourings_of, embedding
from kineme.report.examined import Examined, examine
from kineme.report.runs import read_runs

from .pages import Reader


@pytest.fixture
def seen(finished: Path) -> Examined:
    return examine(read_runs([finished])[0], (), "cpu")


def points(html: str) -> list[dict[str, object]]:
    (told,) = (each for each in Reader(html).data if isinstance(each, dict) and "points" in each)
    found: list[dict[str, object]] = told["points"]
    return found


def test_every_test_clip_is_on_the_map_with_its_wrong_neighbour(seen: Examined, finished: Path) -> None:
    found = points(embedding(0, seen, 500))
    assert [point["name"] for point in found] == seen.store.names[seen.test].tolist()
    assert [point["groups"][0] for point in found] == seen.labels.tolist()
    assert all(0 <= point[axis] <= 1 for point in found for axis in "xy")  # type: ignore[operator]
    near = [seen.class_name(int(neighbour)) for neighbour in seen.neighbours[:, 0]]
    judged = zip(seen.right.tolist(), near, strict=True)
    assert [point["near"] for point in found] == [None if right else name for right, name in judged]
    right = sum(point["near"] is None for point in found)
    knn = Result.from_json(finished / "results" / "knn.json")
    assert 100 * right / len(found) == pytest.approx(knn.scores["knn"].value)


def test_of_many_clips_some_are_drawn(seen: Examined, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding_of, "POINTS", 6)
    rows = [0, 5, 9, 14, 18, 23]
    kinds = np.arange(24)
    found = points(embedding(0, seen, 500, kinds))
    assert [point["name"] for point in found] == seen.store.names[seen.test[rows]].tolist()
    colourings = {each.title: each for each in colourings_of(seen, np.array(rows), kinds)}
    assert [*zip(*(each.groups for each in colourings.values()), strict=True)] == [
        tuple(point["groups"]) for point in found
    ]
    told = colourings["kind"]
    assert [told.names[group] for group in told.groups] == ["in no kind", *(f"kind {i}" for i in rows[1:])]
    assert told.names == ["kind 5", "kind 9", "kind 14", "kind 18", "kind 23", "in no kind"]
    told = colourings["class"]
    assert [told.names[group] for group in told.groups] == [seen.class_name(i) for i in seen.test[rows]]


def test_only_some_clips_can_be_played(seen: Examined) -> None:
    html = embedding(0, seen, 6)
    assert sum(point["scene"] is not None for point in points(html)) == 6
    assert "6 of them, drawn larger, can be played." in html


@pytest.mark.parametrize("distinct", [2, 23])
def test_features_of_low_rank_are_drawn(seen: Examined, distinct: int) -> None:
    features = np.eye(24)[np.minimum(np.arange(24), distinct - 1)]
    found = points(embedding(0, replace(seen, features=features), 500))
    assert all(np.isfinite([point["x"], point["y"]]).all() for point in found)  # type: ignore[arg-type]


def test_a_collapsed_embedding_is_named_instead(seen: Examined) -> None:
    html = embedding(0, replace(seen, features=np.ones((24, 8), dtype=np.float32)), 500)
    assert "All 24 test clips have the same feature: the embedding has collapsed" in html
    assert "<canvas" not in html


@pytest.mark.parametrize(("clips", "text"), [(1, "1 test clip is too few"), (3, "3 test clips are too few")])
def test_few_clips_make_no_map(seen: Examined, clips: int, text: str) -> None:
    few = replace(seen, test=seen.test[:clips], features=seen.features[:clips])
    assert f"{text} for a map." in embedding(0, few, 500)
