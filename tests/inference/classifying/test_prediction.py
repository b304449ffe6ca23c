"""Predictions: clips, windows merged into segments, none of these, in bounded memory."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from inference.classifying.test_teaching import examples_of, moving
from inference.models import model, motion, write

from kineme.clips.batches import joined
from kineme.clips.store import Clip, ClipStore
from kineme.errors import KinemeError
from kineme.inference import (
    Classifier,
    PredictedSegment,
    Prediction,
    embed,
    predict,
    teach,
    write_predictions,
)
from kineme.inference import suggest as suggest_next
from kineme.inference.classifying.examples import Example, read_examples
from kineme.inference.classifying.prediction import NONE, _prediction, _Rows, moments
from kineme.inference.classifying.reading import read
from kineme.inference.classifying.suggesting import most_useful, write_suggestions
from kineme.inference.windows import Windows
from kineme.model import Model
from kineme.preprocessing import get_preprocessing
from kineme.typing import Array


@pytest.fixture
def own(tmp_path: Path) -> Model:
    return model(tmp_path / "run")


@pytest.fixture
def taught(own: Model) -> Classifier:
    """Of examples of two thirds of a second."""
    return teach(own, examples_of(["rise", "swing", "push"], 4, people=2))


def two(xyz: Array) -> Array:
    """With a second, absent body, as stores of the model have."""
    return np.pad(xyz, ((0, 0), (0, 1), (0, 0), (0, 0)))


@pytest.fixture
def store(tmp_path: Path) -> ClipStore:
    """At 30 frames per second: three clips as long as an example, and 4 s of rising, then 4 s of swinging."""
    long = np.concatenate([moving(label, i) for label in ("rise", "swing") for i in range(6)])
    clips = [Clip(label, two(moving(label, 50)), label=row) for row, label in enumerate(("rise", "swing"))]
    clips += [Clip("push", two(moving("push", 51, frames=29))), Clip("long", two(long))]
    return write(tmp_path / "mine", clips, fps=30.0)


def test_a_clip_as_long_as_an_example_is_one_segment(
    own: Model, taught: Classifier, store: ClipStore
) -> None:
    found = list(predict(own, taught, [store]))
    assert [each.name for each in found] == ["rise", "swing", "push", "long"]
    assert [each.label for each in found[:3]] == ["rise", "swing", "push"]
    assert [each.shown for each in found] == ["rise", "swing", "", ""]
    expected = taught.probabilities(own, store)
    for each, row in zip(found[:3], expected, strict=False):
        (segment,) = each.segments
        np.testing.assert_allclose(segment.probabilities, row, atol=1e-6)
        assert segment.probability == pytest.approx(row.max(), abs=1e-6)
        assert (segment.start, segment.label) == (0.0, each.label)
    assert found[2].segments[0].end == pytest.approx(29 / 30)  # 1.45 times as long


def test_a_longer_recording_is_cut_into_segments(own: Model, taught: Classifier, store: ClipStore) -> None:
    """The hand goes out and jumps back twelve times; the way changes after 4 s."""
    *_, long = predict(own, taught, [store], step=2 / 3)  # a window an example
    assert [segment.label for segment in long.segments] == ["rise", "swing"]
    first, second = long.segments
    assert (first.start, first.end, second.start, second.end) == pytest.approx((0, 4, 4, 8))
    clips = joined([store.clip(3)[20 * i : 20 * i + 20] for i in range(6)])
    mean = taught.probabilities_of(read(own, clips)).mean(axis=0)
    np.testing.assert_allclose(first.probabilities, mean, atol=1e-5)


@pytest.mark.filterwarnings("error")
def test_where_nobody_is_there_is_no_class(own: Model, taught: Classifier, tmp_path: Path) -> None:
    """Somebody rises for 4 s, is gone for 12 s and comes back to swing for 4 s; a window lasts 2/3 s."""
    rising, swinging = (np.concatenate([moving(way, i) for i in range(6)]) for way in ("rise", "swing"))
    xyz = two(np.concatenate([rising, np.zeros((360, *rising.shape[1:]), np.float32), swinging]))
    store = write(tmp_path / "gone", [Clip("day", xyz)], fps=30.0)
    (found,) = predict(own, taught, [store])
    (gone,) = (each for each in found.segments if each.label == NONE)
    assert (gone.start, gone.end) == (pytest.approx(4, abs=0.01), pytest.approx(16, abs=0.01))
    assert np.isnan(gone.probability)
    assert gone.probabilities == (0, 0, 0)
    assert found.label != NONE
    for each in suggest_next(own, taught, store, 50):
        assert each.start is not None
        assert each.end is not None
        assert each.start < 4 or each.end > 16


def test_steps_that_do_not_divide_a_window(own: Model, taught: Classifier, tmp_path: Path) -> None:
    """Windows of 1 s, 0.4 s apart. Somebody is there from 3.2 to 6.4 s, and for half of a whole clip."""
    xyz = two(np.concatenate([moving("rise", i) for i in range(15)]))
    xyz[:96] = xyz[192:] = 0
    brief = two(moving("swing", 0))
    brief[15:] = 0
    store = write(tmp_path / "gone", [Clip("day", xyz), Clip("brief", brief)], fps=30.0)
    day, short = predict(own, taught, [store], window=1.0, step=0.4)
    before, *there, after = day.segments
    assert [before.label, after.label] == [NONE, NONE]
    assert (before.end, after.start) == (pytest.approx(3.2), pytest.approx(6.4))
    assert NONE not in {each.label for each in there}
    assert len(short.segments) == 1
    assert short.label != NONE


def test_only_what_is_true_of_all_of_a_recording_is_its_label(
    own: Model, taught: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One rises, then swings; the other swings all along. A block has one window."""
    clips = [
        Clip("both", two(motion(90, 0)), intervals=[(0, 45, 0), (45, 90, 1)]),
        Clip("one", two(motion(90, 1)), intervals=[(0, 90, 1)]),
    ]
    store = write(tmp_path / "untrimmed", clips, fps=30.0)
    monkeypatch.setattr(embed, "ROWS", 1)
    assert [each.shown for each in predict(own, taught, [store])] == ["", "swing"]


def test_a_window_is_for_every_longer_recording(own: Model, taught: Classifier, store: ClipStore) -> None:
    """20 frames last 0.67 s and 29 frames 0.97 s: the latter is cut into windows of 0.8 s."""
    found = list(predict(own, taught, [store], window=0.8, step=0.1))
    assert [each.segments[-1].end for each in found] == pytest.approx([20 / 30, 20 / 30, 0.9, 8.0])


def test_moments_have_the_mean_of_the_windows_that_show_them() -> None:
    """Windows of three steps."""
    values = np.array([[3.0], [0.0], [6.0], [0.0]])
    assert moments(values, 3)[:, 0].tolist() == [3, 1.5, 3, 2, 3, 0]


def test_segments_follow_one_another(own: Model, taught: Classifier, tmp_path: Path) -> None:
    store = write(tmp_path / "drift", [Clip(f"{i}", two(motion(97 + i, i))) for i in range(5)], fps=30.0)
    for each in predict(own, taught, [store], window=0.5):
        edges = [0.0, *(segment.end for segment in each.segments)]
        assert [segment.start for segment in each.segments] == edges[:-1]
        labels = [segment.label for segment in each.segments]
        assert all(one != other for one, other in pairwise(labels))
        for segment in each.segments:
            assert segment.probability == max(segment.probabilities)


def test_blocks_do_not_show(
    own: Model, taught: Classifier, store: ClipStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = list(predict(own, taught, [store, store.path]))
    monkeypatch.setattr(embed, "ROWS", 3)
    monkeypatch.setattr(embed, "FRAMES", 30)
    parts = list(predict(own, taught, [store, store.path]))
    assert [each.name for each in parts] == [each.name for each in whole] == [*store.names.tolist()] * 2
    for one, other in zip(parts, whole, strict=True):
        assert [(s.start, s.end, s.label) for s in one.segments] == [
            (s.start, s.end, s.label) for s in other.segments
        ]


def test_none_of_these(own: Model, taught: Classifier, tmp_path: Path) -> None:
    """A motion like the examples has its class; one that is far from all of them has none."""
    store = write(
        tmp_path / "odd",
        [Clip("rise", two(moving("rise", 60))), Clip("odd", two(9 * motion(20, 3)))],
        fps=30.0,
    )
    known, odd = predict(own, taught, [store], none=0.1)
    assert known.label == "rise"
    distances = taught.head.novelty(read(own, own.clips(store)))
    assert (distances > taught.threshold(0.1)).tolist() == [False, True]
    assert (odd.label, odd.segments[0].label) == (NONE, NONE)
    assert np.isnan(odd.segments[0].probability)
    assert [each.label != NONE for each in predict(own, taught, [store])] == [True, True]


def test_what_is_none_of_these_does_not_vote_on_the_whole(taught: Classifier) -> None:
    """Of two windows, one after the other, the second looks most like a rise, but is too far from all."""
    assert taught.class_names == ("push", "rise", "swing")
    rows = _Rows(
        "mine",
        "walk",
        "",
        start=[np.array([0.0, 1.0])],
        end=[np.array([1.0, 2.0])],
        probabilities=[np.array([[0.6, 0.4, 0.0], [0.0, 1.0, 0.0]])],
        novelty=[np.array([0.0, 9.0])],
        seen=[np.ones((2, 1), dtype=bool)],
    )
    found = _prediction(rows, taught, Windows(1.0, 1.0), threshold=1.0)
    assert [each.label for each in found.segments] == ["push", NONE]
    assert found.label == "push"
    assert _prediction(rows, taught, Windows(1.0, 1.0), threshold=None).label == "rise"


def test_a_preprocessing_that_moves_frames_is_not_cut(tmp_path: Path) -> None:
    moved = get_preprocessing("agcn")
    own = model(tmp_path / "agcn", preprocessing=moved)
    clips = [
        Clip(f"{label}{i}", two(moving(label, i)), label=-1) for label in ("rise", "push") for i in range(3)
    ]
    store = write(tmp_path / "mine", [*clips, Clip("long", two(motion(300, 0)))], preprocessing=moved)
    taught = teach(own, [Example(clip.name, clip.name[:-1]) for clip in clips], store=store)
    assert [len(each.segments) for each in predict(own, taught, [store])] == [1] * 7
    with pytest.raises(KinemeError, match=r"`window`: cannot be cut from .* preprocessing agcn moves frames"):
        predict(own, taught, [store], window=1.0)


def test_mistakes_are_told_at_once(own: Model, taught: Classifier, store: ClipStore, tmp_path: Path) -> None:
    with pytest.raises(KinemeError, match="`step`: 2 s is longer than a window of 1 s"):
        predict(own, taught, [store], window=1.0, step=2.0)
    with pytest.raises(KinemeError, match="`none`: is 7"):
        predict(own, taught, [store], none=7)
    with pytest.raises(KinemeError, match="nowhere"):
        predict(own, taught, [tmp_path / "nowhere"])
    with pytest.raises(KinemeError, match=r"`window`: 0\.01 s is shorter than a frame"):
        predict(own, taught, [store], window=0.01)
    with pytest.raises(KinemeError, match="`window`: is 0 s; it must be longer than 0 s"):
        predict(own, taught, [store], window=0)


def test_an_earlier_table_outlives_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "found.csv"
    good = Prediction(
        "mine",
        "walk",
        [PredictedSegment(0, 1, "go, now", 0.5, (0.5, 0.5)), PredictedSegment(1, 2, NONE, float("nan"))],
    )
    assert write_predictions([good], path, ("go, now", "stop")) == 2
    with path.open(newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["label"], first["p(go, now)"], second["label"], second["probability"]) == (
        "go, now",
        "0.5000",
        NONE,
        "",
    )
    before = path.read_bytes()

    def broken() -> Iterator[Prediction]:
        yield good
        raise KinemeError("clip 2: damaged")

    with pytest.raises(KinemeError, match="damaged"):
        write_predictions(broken(), path)
    assert path.read_bytes() == before
    assert list(tmp_path.glob(".*")) == []


def test_suggestions_are_unlabelled_and_apart(own: Model, taught: Classifier, store: ClipStore) -> None:
    labelled = [Example("rise", "rise"), Example("long", "rise", end=4.0)]
    found = suggest_next(own, taught, store, 50, labelled=labelled)
    names = [each.name for each in found]
    assert set(names) == {"swing", "push", "long"}
    assert (names.count("swing"), names.count("push")) == (1, 1)
    parts = sorted((each.start, each.end) for each in found if each.name == "long")
    assert all(start is not None and start >= 4.0 for start, _ in parts)
    assert all(end <= start + 1e-9 for (_, end), (start, _) in pairwise(parts))
    assert {(each.start, each.end) for each in found if each.name != "long"} == {(None, None)}
    probabilities = taught.probabilities(own, store)
    (push,) = (each for each in found if each.name == "push")
    assert push.probability == pytest.approx(probabilities[2].max(), abs=1e-6)


def test_unsure_ones_come_first(own: Model, taught: Classifier, tmp_path: Path) -> None:
    """Five clips halfway between two ways come after many clear ones; of five candidates one is chosen."""
    between = [(moving("rise", i) + moving("swing", i)) / 2 for i in range(5)]
    clips = [Clip(f"clear{i}", two(moving("push", 70 + i))) for i in range(20)]
    clips += [Clip(f"between{i}", two(xyz)) for i, xyz in enumerate(between)]
    store = write(tmp_path / "many", clips, fps=30.0)
    (found,) = suggest_next(own, taught, store, 1)
    probabilities = np.sort(taught.probabilities(own, store), axis=1)
    margin = probabilities[:, -1] - probabilities[:, -2]
    candidates = {f"between{i}" for i in range(5)}
    assert set(store.names[np.argsort(margin)[:5]].tolist()) == candidates
    assert found.name in candidates


def test_of_known_features_the_same_are_the_most_useful(
    own: Model, taught: Classifier, tmp_path: Path
) -> None:
    clips = [Clip(f"clip{i}", two(moving("rise" if i % 2 else "push", seed=i))) for i in range(12)]
    short = write(tmp_path / "short", clips, fps=30.0)
    names, start = short.names, np.zeros(len(short))
    rows = most_useful(taught, read(own, own.clips(short), device="cpu"), names, start, start + 2, 4)
    assert [names[row] for row in rows] == [each.name for each in suggest_next(own, taught, short, 4)]


def test_suggestions_are_given_back(own: Model, taught: Classifier, store: ClipStore, tmp_path: Path) -> None:
    path = tmp_path / "next.csv"
    found = suggest_next(own, taught, store, 3)
    write_suggestions(found, path)
    assert read_examples(path) == ([], 3)
    with pytest.raises(KinemeError, match=r"next\.csv: exists, and labels may be filled in"):
        write_suggestions(found, path)
    path.write_text(path.read_text().replace(",,", ",other,", 1))
    examples, empty = read_examples(path)
    assert ([each.motion for each in examples], empty) == ([found[0].name], 2)


def test_no_suggestions_of_a_store_that_is_all_labelled(
    own: Model, taught: Classifier, store: ClipStore
) -> None:
    assert (
        suggest_next(own, taught, store, labelled=[Example(name, "x") for name in store.names.tolist()]) == []
    )
    with pytest.raises(KinemeError, match="`count`: is 0; it must be at least 1"):
        suggest_next(own, taught, store, 0)
