"""Search by example: hits are those that all cosine similarities say, and the index is made once."""

from __future__ import annotations

import csv
import unicodedata
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from inference.models import model, motion, write

from kineme.clips.batches import joined
from kineme.clips.retargeted import RetargetedStore
from kineme.clips.store import Clip, ClipStore
from kineme.errors import KinemeError
from kineme.inference import Hit, embed_table, search
from kineme.inference.searching.hits import write_hits
from kineme.inference.searching.queries import read_query
from kineme.layouts import Layout, get_layout
from kineme.model import Model
from kineme.preparing import prepare
from kineme.preprocessing import get_preprocessing
from kineme.typing import Array


@pytest.fixture
def own(tmp_path: Path) -> Model:
    return model(tmp_path / "run")


@pytest.fixture
def library(tmp_path: Path) -> ClipStore:
    """Clips of 4 s at 10 frames per second; `copy` holds seconds 1 to 3 of `walk` from its second 2 on."""
    walk, copy = motion(40, 0), motion(40, 1)
    copy[20:40] = walk[10:30]
    others = [Clip(f"other{i}", motion(40, 10 + i)) for i in range(5)]
    return write(
        tmp_path / "library",
        [Clip("walk", walk, label=0), Clip("copy", copy, label=1, subject="anna"), *others],
    )


def cosine(features: Array, query: Array) -> Array:
    return features @ query / np.linalg.norm(features, axis=1) / np.linalg.norm(query)


def test_the_nearest_clips_in_order(own: Model, library: ClipStore) -> None:
    hits = search(own, library, "walk", k=20)
    features = own.embed(library)
    similarity = cosine(features, features[0])
    order = [row for row in np.argsort(-similarity) if row != 0]
    assert [hit.name for hit in hits] == library.names[order].tolist()
    np.testing.assert_allclose([hit.similarity for hit in hits], similarity[order], rtol=0, atol=1e-6)
    assert {(hit.start, hit.end) for hit in hits} == {(0.0, 4.0)}


def test_an_example_is_no_hit_however_another_system_spells_it(own: Model, tmp_path: Path) -> None:
    clips = [Clip(name, motion(40, seed)) for seed, name in enumerate(("Größe/Jörg", "b", "c"))]
    store = write(tmp_path / "spelt", clips)
    for name in ("Größe\\Jörg", unicodedata.normalize("NFD", "Größe/Jörg")):
        assert search(own, store, name) == search(own, store, "Größe/Jörg")
    assert {hit.name for hit in search(own, store, "Größe/Jörg")} == {"b", "c"}


def test_a_moment_that_comes_again_is_found(own: Model, library: ClipStore) -> None:
    (best, *_) = search(own, library, "walk", part=(1, 3), step=0.5)
    assert best == Hit(pytest.approx(1.0, abs=1e-6), "copy", 2.0, 4.0, "anna", "swing")


def test_moments_overlap_neither_each_other_nor_the_query(own: Model, library: ClipStore) -> None:
    hits = search(own, library, "walk", part=(1, 2), window=1.0, step=0.25, k=1000)
    for name in library.names:
        stretches = sorted((hit.start, hit.end) for hit in hits if hit.name == name)
        stretches = sorted([*stretches, (1, 2)]) if name == "walk" else stretches
        assert all(end <= start for (_, end), (start, _) in pairwise(stretches))
    assert [hit.similarity for hit in hits] == sorted((hit.similarity for hit in hits), reverse=True)

    blocks = list(embed_table(own, [library], window=1.0, step=0.25))
    features = np.concatenate([block.features for block in blocks])
    query = own.encode(joined([library.clip(0)[10:20]]))[0]
    similarity = cosine(features, query)
    names, starts = (np.concatenate([getattr(b, name) for b in blocks]) for name in ("name", "start"))
    similarity[(names == "walk") & (starts > 0) & (starts < 2)] = -2
    assert (hits[0].name, hits[0].start) == (names[similarity.argmax()], starts[similarity.argmax()])


def test_a_window_of_its_own(own: Model, library: ClipStore) -> None:
    hits = search(own, library, "walk", part=(3, None), window=2.0)
    assert {hit.end - hit.start for hit in hits} == {2.0}
    assert max(hit.end for hit in hits if hit.name == "walk") <= 3


def test_a_part_s_length_is_that_of_the_hits(own: Model, library: ClipStore) -> None:
    for part in ((0.5, 2), (2.5, None)):
        hits = search(own, library, "walk", part=part)
        assert {hit.end - hit.start for hit in hits} == {1.5}


def test_an_example_in_other_units_and_axes(tmp_path: Path) -> None:
    """Millimetres with z up, as many laboratories have them: a file or an array."""
    own = model(tmp_path / "run", get_layout("ntu25"))
    (tmp_path / "raw").mkdir()
    for i in range(4):
        np.save(tmp_path / "raw" / f"clip{i}.npy", motion(30 + i, i, joints=25))
    store = prepare("poses", tmp_path / "raw", tmp_path / "library", layout="ntu25", axes="y-up").store
    x, y, z = np.moveaxis(motion(32, 2, joints=25), -1, 0)
    array = 1000 * np.stack([x, -z, y], axis=-1)
    np.save(tmp_path / "query.npy", array)
    given = {"layout": "ntu25", "axes": "z-up", "units": "mm"}
    for query in (tmp_path / "query.npy", array):
        hits = search(own, store, query, **given)
        assert (hits[0].name, hits[0].similarity) == ("clip2", pytest.approx(1.0, abs=1e-6))
        assert search(own, store, read_query(own, store, query, **given)) == hits
    with pytest.raises(KinemeError, match="`axes` has no effect on a query that is open already"):
        search(own, store, read_query(own, store, "clip0"), axes="z-up")
    with pytest.raises(KinemeError, match="the query was opened for another library"):
        search(own, tmp_path / "run", read_query(own, store, "clip0"))
    with pytest.raises(KinemeError, match="`axes` has no effect on clip0, a clip of"):
        search(own, store, "clip0", axes="z-up")


def test_queries_of_every_kind_agree(tmp_path: Path) -> None:
    own = model(tmp_path / "run", get_layout("ntu25"))
    (tmp_path / "raw").mkdir()
    for i in range(4):
        np.save(tmp_path / "raw" / f"clip{i}.npy", motion(30 + i, i, joints=25))
    store = prepare("poses", tmp_path / "raw", tmp_path / "library", layout="ntu25").store
    np.save(tmp_path / "query.npy", motion(32, 2, joints=25))
    file = search(own, store, tmp_path / "query.npy", layout="ntu25")
    assert (file[0].name, file[0].similarity) == ("clip2", pytest.approx(1.0, abs=1e-6))
    array = search(own, store.path, motion(32, 2, joints=25))
    feature = search(own, store, own.embed(motion(32, 2, joints=25)))
    for other in (array, feature):
        assert [hit.name for hit in other] == [hit.name for hit in file]
    part = search(own, store, str(tmp_path / "query.npy"), part=(0.2, 0.7), step=0.1, layout="ntu25")
    assert (part[0].name, part[0].start, part[0].end) == ("clip2", 0.2, 0.7)
    with pytest.raises(KinemeError, match="raw: holds 4 recordings; the query must be one"):
        search(own, store, tmp_path / "raw", layout="ntu25")


def indexes(library: ClipStore) -> dict[str, int]:
    folder = library.path.with_name("library.index")
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir() if path.suffix == ".npy"}


def test_the_index_is_made_once_for_all_that_it_depends_on(
    own: Model, library: ClipStore, tmp_path: Path
) -> None:
    told: list[int] = []

    def progress(done: int, total: int) -> None:
        told.append(done)

    hits = search(own, library, "walk", progress=progress)
    assert told == [7]
    (first,) = indexes(library)
    assert search(own, library, "walk", progress=progress) == hits
    search(own, library, "copy", k=1, progress=progress)
    assert told == [7]
    search(own, library, "walk", window=1.0)
    search(own, library, "walk", window=1.0, step=1.0)
    assert len(indexes(library)) == 3

    damaged = library.path.with_name("library.index") / first
    damaged.write_bytes(damaged.read_bytes()[:-100])
    assert search(own, library, "walk") == hits
    assert len(indexes(library)) == 3


def test_a_library_of_other_joints_is_retargeted_once_and_its_index_is_one_of_many(
    library: ClipStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bones = Layout.from_names("bones", ["hip", "neck"], [None, "hip"])
    plain, other = model(tmp_path / "plain"), model(tmp_path / "other", bones)
    search(plain, library, "walk")
    made = []
    retarget = RetargetedStore.__init__
    monkeypatch.setattr(
        RetargetedStore, "__init__", lambda self, *given: (made.append(given), retarget(self, *given))[0]
    )
    hits = search(other, library, "walk")
    assert len(made) == 1
    assert len(indexes(library)) == 2
    assert search(other, other.fitted(library), "walk") == hits
    assert len(indexes(library)) == 2


def test_a_changed_library_gets_a_new_index(own: Model, library: ClipStore, tmp_path: Path) -> None:
    search(own, library, "walk")
    before = indexes(library)
    other = write(tmp_path / "new", [Clip("walk", motion(40, 0)), Clip("jump", motion(20, 7))])
    library.path.rename(tmp_path / "old")
    other.path.rename(library.path)
    assert [hit.name for hit in search(own, library.path, "walk")] == ["jump"]
    assert len(indexes(library)) == 1
    assert not indexes(library).keys() & before.keys()


def test_hits_as_csv(own: Model, library: ClipStore, tmp_path: Path) -> None:
    write_hits([Hit(0.98765, "copy", 2.0, 4.0, "anna", "swing")], tmp_path / "hits.csv")
    (row,) = csv.DictReader((tmp_path / "hits.csv").open(newline=""))
    assert list(row) == ["similarity", "name", "start", "end", "subject", "label"]
    assert list(row.values()) == ["0.9877", "copy", "2.000", "4.000", "anna", "swing"]


@pytest.mark.parametrize(
    ("query", "options", "line"),
    [
        ("wlak", {}, r"has no clip 'wlak', and there is no such file; did you mean walk\?"),
        ("walk", {"k": 0}, "`k`: is 0"),
        ("walk", {"part": (1, 5)}, "walk: has no part from 1 s to 5 s; it lasts 4 s"),
        ("walk", {"part": (2, 1)}, "walk: has no part from 2 s to 1 s"),
        ("walk", {"window": 0.0}, "`window`: is 0 s"),
        ("walk", {"step": 1.0}, "`step` has no effect without `window`"),
        (np.ones(3), {}, "the query has 3 features, the model's have 16"),
        (np.ones((9, 3, 3)), {"part": (0, 1)}, "`part` has no effect on an array"),
        (np.zeros((0, 3, 3)), {}, r"array 0: is float64 of shape \(0, 3, 3\)"),
        (np.full((9, 3, 3), np.nan), {}, "array 0: "),
        (np.full(16, np.nan), {}, "a feature that is zero, NaN or infinite"),
        (np.zeros(16), {}, "a feature that is zero, NaN or infinite"),
        (np.ones((9, 3, 3)), {"fps": 0.0}, "`fps`: is 0; it must be frames per second"),
        ("walk", {"layout": "coco17"}, "`layout` has no effect on walk, a clip of"),
        ("walk", {"fps": 30.0}, "`fps` has no effect on walk"),
    ],
)
def test_what_cannot_be_searched_is_refused(
    own: Model, library: ClipStore, query: str | Array, options: dict[str, float], line: str
) -> None:
    with pytest.raises(KinemeError, match=line):
        search(own, library, query, **options)  # type: ignore[arg-type]
    assert not library.path.with_name("library.index").exists()


def test_files_that_cannot_be_queries_are_refused(own: Model, library: ClipStore, tmp_path: Path) -> None:
    """An empty file, an empty array, joints of another body, several recordings."""
    (tmp_path / "empty.csv").touch()
    np.save(tmp_path / "none.npy", np.zeros((0, 25, 3)))
    np.save(tmp_path / "hand.npy", motion(20, 0, joints=25))
    (tmp_path / "two").mkdir()
    for name in "ab":
        np.save(tmp_path / "two" / f"{name}.npy", motion(20, 0, joints=25))
    for file, layout, line in (
        ("empty.csv", "ntu25", r"empty\.csv: "),
        ("none.npy", "ntu25", r"none\.npy: "),
        (
            "hand.npy",
            None,
            r"hand\.npy: has 25 joints without names, of unknown layout; name it or a layout file",
        ),
        ("hand.npy", "coco17", r"hand\.npy: has 25 joints, but layout coco17 has 17"),
        ("hand.npy", "ntu25", "ntu25"),  # whose joints are not those of the model's stick
        ("missing.csv", None, "has no clip '.*missing.csv', and there is no such file"),
    ):
        with pytest.raises(KinemeError, match=line) as caught:
            search(own, library, tmp_path / file, layout=layout)
        assert "\n" not in str(caught.value)
    with pytest.raises(KinemeError, match="two: holds 2 recordings; the query must be one"):
        search(own, library, tmp_path / "two", layout="ntu25", joint_map={"hand": ["spine_base"]})
    assert not library.path.with_name("library.index").exists()


def test_moments_of_untrimmed_recordings_have_the_label_of_what_they_show(own: Model, tmp_path: Path) -> None:
    xyz = motion(60, 3)
    day = Clip("day", np.concatenate([xyz, xyz]), intervals=[(0, 20, 0), (70, 95, 1)])
    store = write(tmp_path / "library", [day, Clip("other", motion(60, 4))])
    (best, *_) = search(own, store, "day", part=(1, 3), step=0.5)
    assert (best.start, best.label) == (7.0, "swing")
    (best, *_) = search(own, store, "day", part=(7, 9), step=0.5)
    assert (best.start, best.label) == (1.0, "rise")
    (best, *_) = search(own, store, "day", part=(9.5, 11.5), step=0.5)
    assert (best.start, best.label) == (3.5, "")


def test_parts_need_a_preprocessing_that_keeps_frames(tmp_path: Path) -> None:
    preprocessing = get_preprocessing("crossclr")
    own = model(tmp_path / "run", preprocessing=preprocessing)
    clips = [Clip(name, motion(9, seed)) for seed, name in enumerate("ab")]
    store = write(tmp_path / "library", clips, preprocessing=preprocessing)
    with pytest.raises(KinemeError, match="preprocessing crossclr moves frames"):
        search(own, store, "a", part=(0, 0.5))
    assert [hit.name for hit in search(own, store, "a")] == ["b"]
