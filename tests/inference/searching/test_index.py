"""Indexes of libraries: where they are kept, and what approximate search finds of the nearest."""

from __future__ import annotations

import logging
import shutil
import sys
from contextlib import suppress
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from inference.models import model, motion, write

from kineme.clips.store import Clip, ClipStore
from kineme.errors import KinemeError
from kineme.inference import embed, embed_table, open_index, search
from kineme.inference.parts import parts_of
from kineme.inference.searching import approximate, index
from kineme.model import Model
from kineme.typing import Array

WINDOWS = {"window": 1.0, "step": 0.1}


@pytest.fixture
def own(tmp_path: Path) -> Model:
    return model(tmp_path / "run")


@pytest.fixture
def library(tmp_path: Path) -> ClipStore:
    """Twelve recordings of 10 s at 10 frames per second, the last one untrimmed."""
    clips = [Clip(f"clip{i}", motion(100, i), label=i % 2, subject=str(i)) for i in range(11)]
    return write(tmp_path / "library", [*clips, Clip("day", motion(100, 99), intervals=[(20, 60, 1)])])


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "kineme"


def rows_of(blocks: Any, name: str) -> Array:
    return np.concatenate([getattr(block, name) for block in blocks])


def test_rows_are_those_of_the_table(own: Model, library: ClipStore) -> None:
    opened = open_index(own, library, **WINDOWS)
    blocks = list(embed_table(own, [library], **WINDOWS))
    features = rows_of(blocks, "features")
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    np.testing.assert_allclose(opened.features, unit, rtol=0, atol=1e-6)
    assert isinstance(opened.features, np.memmap)
    for row in (0, 500, len(opened) - 1):
        hit = opened.hit(row, 0.5)
        for name in ("name", "start", "end", "subject", "label"):
            assert getattr(hit, name) == rows_of(blocks, name)[row]
    assert [opened.hit(row, 1).label for row in range(len(opened))] == rows_of(blocks, "label").tolist()


def test_moments_in_which_nobody_is_are_no_rows(own: Model, tmp_path: Path) -> None:
    """Nobody is there for the first 5 of 10 s, and in the second recording not from 2 to 4 s."""
    late, gone = motion(100, 0), motion(60, 1)
    late[:50] = gone[20:40] = 0
    store = write(tmp_path / "mine", [Clip("late", late), Clip("gone", gone, label=1)])
    opened = open_index(own, store, window=1.0)
    starts = [*np.arange(4.5, 9.5, 0.5), 0, 0.5, 1, 1.5, 3.5, 4, 4.5, 5]
    assert opened.start.tolist() == starts
    assert opened.clip.tolist() == [0] * 10 + [1] * 8
    assert (opened.features.shape, opened.label.tolist()) == ((18, 16), [-1] * 10 + [1] * 8)
    np.testing.assert_allclose(np.linalg.norm(opened.features, axis=1), 1, atol=1e-6)
    hits = search(own, store, "late", part=(5.0, 6.0), k=100, window=1.0)
    assert not [hit for hit in hits if hit.name == "gone" and 2 <= hit.start <= 3]


def test_every_window_step_and_rate_has_an_index_of_its_own(own: Model, library: ClipStore) -> None:
    for window, step, starts in ((1.0, 0.5, [0, 0.5, 1]), (1.0, 0.1, [0, 0.1, 0.2]), (2.0, None, [0, 1, 2])):
        opened = open_index(own, library, window=window, step=step)
        assert opened.start[:3].tolist() == pytest.approx(starts)
        assert opened.end[0] == window
    assert open_index(own, library).end.tolist() == [10.0] * 12
    clips = [library.clip(row) for row in range(len(library))]
    shutil.rmtree(library.path)
    names = zip(library.names.tolist(), library.labels.tolist(), clips, strict=True)
    same = [Clip(name, xyz, label=label) for name, label, xyz in names]
    assert open_index(own, write(library.path, same, fps=20.0)).end.tolist() == [5.0] * 12


def test_of_a_library_that_has_changed_only_indexes_are_removed(own: Model, library: ClipStore) -> None:
    folder = open_index(own, library).path.parent
    old, notes = folder / f"{'0' * 16}-{'0' * 32}.npy", folder / "notes.txt"
    old.touch()
    notes.touch()
    open_index(own, library)
    assert (old.exists(), notes.exists()) == (False, True)


def test_many_queries_at_once(own: Model, library: ClipStore) -> None:
    opened = open_index(own, library, **WINDOWS)
    queries = 3 * np.asarray(opened.features[::100])
    rows, similarity = opened.nearest(queries, k=5)
    all_of_them = np.asarray(opened.features[::100]) @ opened.features.T
    np.testing.assert_array_equal(rows[:, 0], np.arange(len(opened))[::100])
    np.testing.assert_allclose(similarity, -np.sort(-all_of_them, axis=1)[:, :5], rtol=0, atol=1e-6)
    with pytest.raises(KinemeError, match="k = 0 neighbours"):
        opened.nearest(queries, k=0)


def test_a_library_that_cannot_be_written_has_its_index_in_the_cache(
    own: Model, library: ClipStore, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "kineme")
    beside = library.path.with_name("library.index")
    beside.write_text("a file, so that no folder can be made here")
    hits = search(own, library, "clip3", k=3)
    assert f"{beside}: cannot be written" in caplog.text
    (kept,) = cache.iterdir()
    assert f"the index is kept in {kept}" in caplog.text
    before = {path.name: path.stat().st_mtime_ns for path in kept.iterdir()}
    caplog.clear()
    assert search(own, library, "clip3", k=3) == hits
    assert {path.name: path.stat().st_mtime_ns for path in kept.iterdir()} == before
    assert caplog.text == ""


def test_a_folder_without_permission_is_one_that_cannot_be_written(
    own: Model, library: ClipStore, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = Path.mkdir

    def refused(self: Path, *rest: Any, **options: Any) -> None:
        if self.name == "library.index":
            raise PermissionError(13, "Permission denied")
        make(self, *rest, **options)

    monkeypatch.setattr(Path, "mkdir", refused)
    open_index(own, library)
    assert len(list(cache.glob("library-*.index/*.npy"))) == 1


def test_an_index_beside_a_library_that_cannot_be_written_is_used(
    own: Model, library: ClipStore, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = open_index(own, library)
    monkeypatch.setattr(index, "_writable", lambda library: pytest.fail("nothing is to be written"))
    assert open_index(own, library).path == made.path
    assert not cache.exists()


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_a_damaged_index_is_made_again(own: Model, library: ClipStore, suffix: str) -> None:
    whole = open_index(own, library)
    features = np.array(whole.features)
    file = whole.path.with_suffix(suffix)
    file.write_bytes(file.read_bytes()[:-40])
    np.testing.assert_array_equal(open_index(own, library).features, features)


def test_a_killed_index_goes_on(own: Model, library: ClipStore, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.array(open_index(own, library, **WINDOWS).features)
    path = open_index(own, library, **WINDOWS).path
    shutil.rmtree(path.parent)
    monkeypatch.setattr(embed, "ROWS", 100)
    with suppress(KeyboardInterrupt), parts_of(path) as parts:
        blocks = embed_table(own, [library], **WINDOWS, device="cpu", parts=parts)
        assert sum(len(block) for block in islice(blocks, 3)) == 300
        raise KeyboardInterrupt
    told: list[int] = []
    opened = open_index(own, library, **WINDOWS, device="cpu", progress=lambda done, total: told.append(done))
    assert told[0] > 300
    np.testing.assert_allclose(opened.features, whole, rtol=0, atol=1e-6)


def test_an_index_that_was_killed_when_it_was_whole_leaves_no_parts(own: Model, library: ClipStore) -> None:
    path = open_index(own, library).path
    before = sorted(path.parent.iterdir())
    key = path.with_name(f"{path.name}.parts") / "key"
    key.mkdir(parents=True)
    (key / "000000.part").touch()
    path.with_name(f".{path.name}.lock").touch()
    open_index(own, library)
    assert sorted(path.parent.iterdir()) == before


def clustered(count: int, dim: int, seed: int) -> Array:
    """Unit vectors about 30 centres, in paths as those of overlapping windows."""
    centres = np.random.default_rng(0).normal(size=(30, dim))
    rng = np.random.default_rng(seed)
    steps = 0.3 * rng.normal(size=(count // 20, 20, dim)).cumsum(axis=1)
    points = (centres[rng.integers(30, size=count // 20)][:, None] + steps).reshape(-1, dim)
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def test_approximate_search_finds_nearly_all_of_the_nearest(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("faiss")
    caplog.set_level(logging.INFO, "kineme")
    features, queries = clustered(6000, 32, 1), clustered(400, 32, 2)
    told: list[tuple[int, int]] = []
    approximate.build(features, tmp_path / "graph.faiss", lambda *now: told.append(now))
    assert told[-1] == (6000, 6000)
    assert "of the ten nearest, measured within the library" in caplog.text
    graph = approximate.load(tmp_path / "graph.faiss", 6000)
    rows, similarity = approximate.candidates(graph, features, queries, 10)
    exact = np.argsort(-(queries @ features.T), axis=1)[:, :10]
    recall = np.mean([len({*a} & {*b}) / 10 for a, b in zip(rows.tolist(), exact.tolist(), strict=True)])
    assert recall >= 0.95
    truth = np.take_along_axis(queries @ features.T, rows, axis=1)
    np.testing.assert_allclose(similarity, truth, rtol=0, atol=1e-6)
    assert (np.diff(similarity, axis=1) <= 0).all()


def test_how_far_a_graph_is_searched_is_kept_and_too_little_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("faiss")
    features = clustered(2000, 16, 1)
    for efforts in ((300,), (400, 500)):
        monkeypatch.setattr(approximate, "EFFORTS", efforts)
        approximate.build(features, tmp_path / "graph.faiss")
        graph = approximate.load(tmp_path / "graph.faiss", 2000)
        assert graph is not None
        assert approximate._hnsw(graph).efSearch == efforts[0]
    assert "neighbours" not in caplog.text
    monkeypatch.setattr(approximate, "_tune", lambda graph, features: 0.93)
    approximate.build(features, tmp_path / "graph.faiss")
    assert "finds 93 % of the ten nearest" in caplog.text
    assert "for exact results set `neighbours` to exact" in caplog.text


def test_a_graph_of_something_else_is_not_used(tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    path = tmp_path / "graph.faiss"
    assert approximate.load(path, 200) is None
    approximate.build(clustered(200, 8, 1), path)
    assert approximate.load(path, 200).ntotal == 200  # type: ignore[union-attr]
    assert approximate.load(path, 201) is None
    path.write_bytes(path.read_bytes()[:-100])
    assert approximate.load(path, 200) is None


def test_a_search_leaves_the_graph_to_others_as_it_is(tmp_path: Path) -> None:
    """How far it goes is its own, or two searches at once would set each other's."""
    pytest.importorskip("faiss")
    features = clustered(2000, 8, 0)
    approximate.build(features, tmp_path / "graph.faiss")
    graph: Any = approximate.load(tmp_path / "graph.faiss", 2000)
    effort, seen = approximate._hnsw(graph).efSearch, []

    class Watched:
        index = graph.index

        def search(self, *given: Any, **options: Any) -> Any:
            seen.append(approximate._hnsw(graph).efSearch)
            return graph.search(*given, **options)

    rows, _ = approximate.candidates(Watched(), features, features[:5], 500)
    assert seen == [effort]
    assert (rows >= 0).all()


@pytest.mark.parametrize("most", [4096, 16])
def test_approximate_hits_are_the_exact_ones_and_as_many(
    own: Model, library: ClipStore, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """Windows overlap, so that most of the nearest are no hits; where 16 are too few, all are compared."""
    pytest.importorskip("faiss")
    monkeypatch.setattr("kineme.inference.searching.retrieval.MOST", most)
    options: dict[str, Any] = {"part": (2, 3), "step": 0.1, "k": 12}
    exact = search(own, library, "clip3", **options, neighbours="exact")
    found = search(own, library, "clip3", **options, neighbours="approximate")
    assert len(found) == 12
    assert [(hit.name, hit.start) for hit in found[:5]] == [(hit.name, hit.start) for hit in exact[:5]]
    for name in {hit.name for hit in found}:
        stretches = sorted((hit.start, hit.end) for hit in found if hit.name == name)
        assert all(end <= start + 1e-9 for (_, end), (start, _) in pairwise(stretches))


def test_beyond_a_million_rows_search_is_approximate_unless_told_otherwise(
    own: Model, library: ClipStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("faiss")
    assert index.LARGE == 1_000_000
    caplog.set_level(logging.INFO, "kineme")
    assert open_index(own, library, **WINDOWS).graph is None
    monkeypatch.setattr(index, "LARGE", 1000)
    opened = open_index(own, library, **WINDOWS)
    assert opened.graph.ntotal == len(opened) == 1092  # type: ignore[union-attr]
    assert "1,092 rows are searched approximately; `neighbours` exact compares all" in caplog.text
    made = opened.path.with_suffix(".faiss").stat().st_mtime_ns
    assert open_index(own, library, **WINDOWS).graph is not None
    assert opened.path.with_suffix(".faiss").stat().st_mtime_ns == made
    assert open_index(own, library, **WINDOWS, neighbours="exact").graph is None
    assert open_index(own, library).graph is None  # twelve clips


def test_the_graph_of_an_index_that_cannot_be_written_beside_it_is_in_the_cache(
    own: Model, library: ClipStore, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("faiss")
    beside = open_index(own, library).path
    monkeypatch.setattr(index, "_writable", lambda library: index._folders(library)[1])
    for _ in range(2):
        opened = open_index(own, library, neighbours="approximate")
        assert opened.path == beside
        assert opened.graph is not None
    assert len(list(cache.glob("*/*.faiss"))) == 1
    assert not beside.with_suffix(".faiss").exists()


def test_without_faiss_large_libraries_are_searched_exactly(
    own: Model, library: ClipStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    monkeypatch.setattr(index, "LARGE", 5)
    caplog.set_level(logging.INFO, "kineme")
    hits = search(own, library, "clip3")
    assert '12 rows are compared exactly; pip install "kineme[faiss]" to search them' in caplog.text
    assert hits == search(own, library, "clip3", neighbours="exact")
    with pytest.raises(KinemeError, match=r"`neighbours`: approximate .* needs faiss; pip install"):
        search(own, library, "clip3", neighbours="approximate")


def test_a_full_disk_leaves_no_graph(tmp_path: Path, file_size_limit: Any) -> None:
    pytest.importorskip("faiss")
    features = clustered(400, 16, 0)
    with file_size_limit(1000), pytest.raises(KinemeError, match=r"graph\.faiss: cannot be written"):
        approximate.build(features, tmp_path / "graph.faiss")
    assert list(tmp_path.iterdir()) == []
