"""Features and neighbours of the test clips; clips and rows thinned for a page."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest

from conftest import Settings
from kineme.clips.store import ClipStore
from kineme.evaluation.advice import measuring_command
from kineme.evaluation.features import extract
from kineme.evaluation.task import Task
from kineme.loading import load_run
from kineme.metrics.neighbours import nearest, nearest_label
from kineme.report.examined import _without_itself, evenly, examine, over_classes, thinned
from kineme.report.runs import read_runs
from kineme.training.run import train


def test_the_nearest_neighbour_is_that_of_the_protocol(finished: Path) -> None:
    (run,) = read_runs([finished])
    seen = examine(run, (), "cpu")
    train = extract(load_run(finished), seen.store, seen.train, device="cpu")
    predicted = nearest_label(train, seen.store.labels[seen.train], seen.features)
    np.testing.assert_array_equal(predicted == seen.labels, seen.right)
    assert np.isin(seen.neighbours, seen.train).all()
    assert (np.diff(seen.similarity, axis=1) <= 0).all()


def test_of_equally_near_clips_the_nearest_is_that_of_the_protocol(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Features that have nearly collapsed are such; the protocol seeks one."""
    rng = np.random.default_rng(0)
    near = (rng.normal(size=64) + 1e-6 * rng.normal(size=(1000, 64))).astype(np.float32)
    monkeypatch.setattr(Task, "features", lambda self, model, rows: near[rows])
    seen = examine(read_runs([finished])[0], (), "cpu")
    first, _ = nearest(near[seen.train], near[seen.test], k=1)
    np.testing.assert_array_equal(seen.neighbours[:, 0], seen.train[first[:, 0]])
    assert (seen.similarity[:, 0] == seen.similarity[:, 1]).any()  # so that it matters
    assert all(len({*row}) == len(row) for row in seen.neighbours.tolist())


def test_no_clip_is_its_own_neighbour() -> None:
    """Of equal clips others may come first, and one with many equals may not be found at all."""
    found = np.array([[0, 1, 2], [0, 1, 2], [0, 1, 2], [2, 0, 1]])
    others, similarity = _without_itself(found, found / 10)
    assert others.tolist() == [[1, 2], [0, 2], [0, 1], [2, 0]]
    assert (similarity == others / 10).all()


def test_a_store_is_examined_behind_its_address(
    tmp_path: Path, settings: Settings, moves: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsspec, address = pytest.importorskip("fsspec"), "memory://examined/moves"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    fsspec.filesystem("memory").put(str(moves), "/examined/moves", recursive=True)
    train(settings(data_store=address, data_split="odd-even"), tmp_path / "run")
    (run,) = read_runs([tmp_path / "run"])
    seen = examine(run, (), "cpu")
    assert seen.divided
    run.config.data.store = [address, "elsewhere"]
    assert address in shlex.split(measuring_command(run.config, run.path, ClipStore(address)))


def test_a_long_clip_is_thinned_and_keeps_its_duration() -> None:
    clip = np.ones((10, 2, 3, 3))
    clip[:, 0] *= np.arange(1, 11)[:, None, None]
    clip[:, 1] = 0
    thin, fps = thinned(clip, 30.0, 4)
    assert thin[:, 0, 0, 0].tolist() == [1, 4, 7, 10]
    assert thin.shape[1] == 1  # without the body that never appears
    assert fps == 10


@pytest.mark.parametrize(("count", "rows"), [(1, [10]), (3, [10, 12, 14]), (9, [10, 11, 12, 13, 14])])
def test_rows_are_chosen_evenly(count: int, rows: list[int]) -> None:
    assert evenly(np.arange(10, 15), count).tolist() == rows


def test_rows_are_of_as_many_classes_as_possible() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 2])
    assert over_classes(np.arange(7), labels, 3).tolist() == [0, 4, 6]
    assert sorted(labels[over_classes(np.arange(7), labels, 5)].tolist()) == [0, 0, 1, 1, 2]
    assert over_classes(np.array([], dtype=int), labels, 3).tolist() == []
