"""Points of a library: where they lie, what is near them, what they are labelled."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from explore import explored
from inference import models

from kineme.clips.batches import joined
from kineme.clips.store import Clip
from kineme.errors import KinemeError
from kineme.explore import library, timeline
from kineme.explore.compare import Comparison
from kineme.explore.labels import Part
from kineme.explore.library import Library, open_library
from kineme.explore.timeline import strip
from kineme.inference.classifying.reading import read

KEPT = ("npy", "npz", "map.npz", "read.npy")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory, moves: Path) -> Library:
    folder = tmp_path_factory.mktemp("clips")
    return explored.library(folder, _copied(moves, folder))


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Library:
    folder = tmp_path_factory.mktemp("windows")
    return explored.library(folder, explored.recordings(folder / "long"))


def _copied(store: Path, folder: Path) -> Path:
    """So that its index is made in a folder of the test."""
    (folder / "moves").mkdir()
    for file in store.iterdir():
        (folder / "moves" / file.name).symlink_to(file)
    return folder / "moves"


def test_clips_are_points_with_places_and_kinds(clips: Library) -> None:
    assert (len(clips), clips.window) == (24, None)
    assert clips.places.shape == (24, 2)
    assert clips.places.min() == 0
    assert clips.places.max() == 1
    assert clips.kinds.min() >= 0


def test_the_map_is_computed_once(tmp_path: Path, clips: Library) -> None:
    (kept,) = clips.index.path.parent.glob("*.map.npz")
    before = kept.stat().st_mtime_ns
    again = explored.library(tmp_path, clips.store.path)
    np.testing.assert_array_equal(again.places, clips.places)
    assert kept.stat().st_mtime_ns == before


def test_long_recordings_are_cut_into_windows(windows: Library) -> None:
    assert windows.window == 2.0
    assert len(windows) == 3 * 11
    assert windows.part(12) == Part("take1", 1000, 3000)


def test_what_is_near_is_found_among_the_people_asked_for(clips: Library) -> None:
    found = clips.like_point(0, 5)
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
    assert 0 not in [point for point, _ in found]
    same = clips.of_person(0)
    assert all(same[point] for point, _ in clips.like_point(0, 5, same))
    assert not any(same[point] for point, _ in clips.like_point(0, 5, ~same))
    nearest = clips.index.features @ clips.index.features[0]
    expected = [point for point in np.argsort(-nearest, kind="stable").tolist() if not same[point]][:5]
    assert [point for point, _ in clips.like_point(0, 5, ~same)] == expected


def test_a_stretch_is_searched_for_as_a_window_is(windows: Library) -> None:
    of_part, of_point = windows.like_part(1, 1.0, 3.0, 4), windows.like_point(12, 4)
    assert [point for point, _ in of_part] == [point for point, _ in of_point]
    np.testing.assert_allclose([s for _, s in of_part], [s for _, s in of_point], atol=1e-5)


def test_a_stretch_beyond_the_recording_is_refused(windows: Library) -> None:
    with pytest.raises(KinemeError, match="take1: has no part from 1 s to 99 s; it lasts 12 s"):
        windows.like_part(1, 1.0, 99.0, 4)


def test_a_point_has_the_label_that_covers_most_of_it(windows: Library) -> None:
    short, long = Part("take0", 1000, 2100), Part("take0", 2100, 6000)
    found = windows.labelled([short, long])
    assert found == {1: short, 2: long, 3: long, 4: long}
    assert windows.labelled([Part("take0", 0, 400)]) == {}
    most, all_of_it = Part("take0", 0, 1200), Part("take0", 0, 2000)
    for parts in ([most, all_of_it], [all_of_it, most]):
        assert windows.labelled(parts) == {0: all_of_it}


def test_neighbours_do_not_overlap_their_point(windows: Library) -> None:
    found = windows.neighbours(np.array([0, 12]), 4)
    assert not {0, 1} & set(found[0].tolist())
    assert not {11, 12, 13} & set(found[1].tolist())


def test_a_run_agrees_with_itself_and_less_with_another(windows: Library) -> None:
    assert (Comparison(windows, windows).shared == 10).all()
    places = np.random.default_rng(0).permutation(len(windows))
    mixed = np.asarray(windows.index.features)[places]
    other = replace(windows, index=replace(windows.index, features=mixed))
    assert 0 < Comparison(windows, other).shared.mean() < 8


def test_a_scene_is_the_stretch_that_was_asked_for(windows: Library) -> None:
    scene = windows.scene(0, 1.0, 3.0)
    assert (scene["frames"], scene["first"], scene["fps"], scene["bodies"]) == (20, 10, "10", 1)


def test_a_thinned_scene_counts_the_frames_that_are_left(
    windows: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "FRAMES", 10)
    scene = windows.scene(0, 1.0, 3.0)
    assert (scene["frames"], scene["first"], scene["fps"]) == (10, 5, "5")


def test_a_second_run_has_the_windows_of_the_first(tmp_path: Path, windows: Library) -> None:
    short = explored.library(tmp_path, windows.store, window=1.0)
    beside = open_library(short.model, short.store, beside=short, device="cpu")
    assert (beside.window, len(beside)) == (1.0, len(short))
    np.testing.assert_array_equal(beside.places, short.places)


def test_a_strip_has_at_most_so_many_colours(windows: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    colours = strip(windows, 0)
    monkeypatch.setattr(timeline, "COLUMNS", 3)
    assert strip.__wrapped__(windows, 0) == [colours[0], colours[60], colours[-1]]


def test_what_a_classifier_reads_is_kept(clips: Library) -> None:
    found = clips.read()
    expected = read(clips.model, clips.model.clips(clips.store), device="cpu")
    np.testing.assert_allclose(found, expected, atol=1e-5)
    (kept,) = clips.index.path.parent.glob("*.read.npy")
    before = kept.stat().st_mtime_ns
    clips.read()
    assert kept.stat().st_mtime_ns == before


def test_windows_in_which_nobody_is_are_no_points(tmp_path: Path) -> None:
    xyz = models.motion(200, 0)
    xyz[60:140] = 0
    store = models.write(tmp_path / "gone", [Clip("day", xyz)])
    found = explored.library(tmp_path, store)
    assert found.index.start.tolist() == [*range(6), *range(13, 19)]
    windows = [xyz[10 * start : 10 * start + 20] for start in (5, 13, 18)]
    expected = read(found.model, joined([np.pad(each, ((0, 0), (0, 1), (0, 0), (0, 0))) for each in windows]))
    np.testing.assert_allclose(found.read()[[5, 6, 11]], expected, atol=1e-5)


def test_a_changed_library_keeps_nothing_of_what_it_was(tmp_path: Path) -> None:
    before = explored.library(tmp_path, explored.recordings(tmp_path / "long", 3))
    before.read()
    shutil.rmtree(before.store.path)
    after = explored.library(tmp_path, explored.recordings(tmp_path / "long", 4))
    after.read()
    kept = {path.name for path in after.index.path.parent.iterdir()}
    assert kept == {after.index.path.with_suffix(f".{end}").name for end in KEPT}


def test_a_library_of_nothing_to_see_is_refused(tmp_path: Path) -> None:
    clips = [Clip(f"c{i}", np.pad(models.motion(20, 0), ((0, 0), (0, 1), (0, 0), (0, 0)))) for i in range(2)]
    with pytest.raises(KinemeError, match="fewer than three clips; there is nothing to explore"):
        explored.library(tmp_path, models.write(tmp_path / "two", clips))
