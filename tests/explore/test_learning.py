"""The classifier that learns beside the page: it follows the labels, and says what would help."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from explore import explored
from inference import models

from kineme.clips.store import Clip
from kineme.errors import KinemeError
from kineme.explore.labels import Labels
from kineme.explore.learning import Learned, Learner, first_points, name_points
from kineme.explore.library import Library
from kineme.explore.told import named_of
from kineme.inference import teach
from kineme.progress import Progress
from kineme.typing import Array


@pytest.fixture
def learner(library: Library, labels: Labels) -> Iterator[Learner]:
    learner = Learner(library, labels)
    learner.start()
    yield learner
    learner.stop()


def wait(learner: Learner, wanted: str = "ready", named: bool = True) -> Learned:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        state = learner.state
        if state.doing == wanted and (state.named is not None) == named:
            return state
        time.sleep(0.02)
    raise AssertionError(learner.state)


def test_it_learns_what_teach_does_and_names_every_point(
    library: Library, labels: Labels, learner: Learner
) -> None:
    labels.set(1, {library.part(point): "early" if point % 11 < 5 else "late" for point in range(33)})
    learner.wake()
    learned = wait(learner)
    assert learned.classifier is not None
    assert learned.named is not None
    alone = teach(library.model, labels.examples(), store=library.index.store, device="cpu")
    assert learned.classifier.examination == alone.examination
    np.testing.assert_array_equal(learned.classifier.head.weight, alone.head.weight)
    expected = alone.probabilities_of(library.read())
    np.testing.assert_array_equal(learned.named.label, expected.argmax(axis=1))
    assert learned.following == []  # every point has a label
    assert sum(each.end - each.start for each in learner.segments(0)) == pytest.approx(12)


def test_what_it_suggests_has_no_label(library: Library, labels: Labels, learner: Learner) -> None:
    labels.set(1, {library.part(point): f"class {point % 3}" for point in range(0, 33, 4)})
    learner.wake()
    following = wait(learner).following
    assert len(following) > 3
    assert not set(following) & set(library.labelled(labels.parts()))


def test_it_follows_another_program_that_writes_the_table(
    library: Library, labels: Labels, learner: Learner
) -> None:
    Labels(labels.path, library.seconds).set(9, {library.part(0): "one", library.part(20): "other"})
    assert wait(learner).classifier is not None
    labels.path.unlink()
    assert wait(learner, "waiting", named=False).classifier is None


def test_a_table_that_cannot_be_taught_from_is_a_problem_in_words(
    library: Library, labels: Labels, learner: Learner
) -> None:
    aside = labels.path.with_suffix(".new")  # the learner may be reading
    aside.write_text("name,label\ntake0,one\nnowhere,other\n")
    aside.replace(labels.path)
    learner.wake()
    until = time.monotonic() + 30
    while not learner.state.problem and time.monotonic() < until:
        time.sleep(0.02)
    assert "has no clip 'nowhere'" in learner.state.problem


def test_it_goes_on_after_a_table_that_was_damaged_while_motions_were_read(
    library: Library, labels: Labels, learner: Learner, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, read = Event(), Library.read

    def late(library: Library, progress: Progress) -> Array:
        assert asked.wait(60)
        return read(library, progress)

    monkeypatch.setattr(Library, "read", late)
    labels.set(1, {library.part(0): "one", library.part(20): "other"})
    learner.wake()
    wait(learner, named=False)
    kept = labels.path.read_text()
    labels.path.write_text(f"{kept}half a line\n")
    while not learner.state.problem:
        time.sleep(0.02)
    asked.set()
    while learner._read is None:
        time.sleep(0.02)
    time.sleep(0.5)  # in which it would name all motions
    labels.path.write_text(kept)
    assert wait(learner).named is not None


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KinemeError("another process writes this table"), "another process writes this table"),
        (MemoryError(), "reading the motions failed; see the terminal"),
    ],
)
def test_what_keeps_motions_from_being_read_is_said_until_they_are(
    library: Library,
    labels: Labels,
    learner: Learner,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    said: str,
) -> None:
    failing, read = [error], Library.read

    def reads(library: Library, progress: Progress) -> Array:
        if failing:
            raise failing[0]
        return read(library, progress)

    monkeypatch.setattr(Library, "read", reads)
    monkeypatch.setattr("kineme.explore.learning.PAUSE", 0.05)
    labels.set(1, {library.part(0): "one", library.part(20): "other"})
    learner.wake()
    until = time.monotonic() + 60
    while learner.state.problem != said and time.monotonic() < until:
        time.sleep(0.02)
    assert learner.state.problem == said
    failing.clear()
    assert wait(learner).problem == ""


def test_without_a_classifier_every_kind_has_its_turn(library: Library) -> None:
    kinds = [int(library.kinds[point]) for point in first_points(library)]
    known = set(library.kinds.tolist())
    assert set(kinds[: len(known)]) == known
    assert not set(first_points(library, [0, 1, 2])) & {0, 1, 2}


def test_where_nobody_is_there_is_no_class(tmp_path: Path) -> None:
    """The third of eight clips shows nobody."""
    clips = [Clip(f"take{i}", models.motion(20, seed=i) * (i != 2)) for i in range(8)]
    gone = explored.library(tmp_path, models.write(tmp_path / "gone", clips))
    labels = explored.labels(tmp_path, gone)
    labels.set(1, {gone.part(point): f"class {point % 2}" for point in (0, 1, 6, 7)})
    learner = Learner(gone, labels)
    learner.start()
    learned = wait(learner)
    learner.stop()
    assert learned.named is not None
    assert learned.named.none[2]
    assert np.flatnonzero(learned.named.probability == 0).tolist() == [2]
    assert sorted(learned.following) == [3, 4, 5]
    assert json.dumps(named_of(learned), allow_nan=False)


def test_none_of_these_takes_enough_examples(library: Library, labels: Labels) -> None:
    labels.set(1, {library.part(point): f"class {point % 2}" for point in (0, 13)})
    few = teach(library.model, labels.examples(), store=library.index.store, device="cpu")
    assert name_points(few, library.read()).rate is None
    labels.set(1, {library.part(point): f"class {point % 2}" for point in range(33)})
    many = teach(library.model, labels.examples(), store=library.index.store, device="cpu")
    named = name_points(many, library.read())
    assert named.rate == 0.05
    np.testing.assert_array_equal(named.none, named.novelty > many.threshold(0.05))
