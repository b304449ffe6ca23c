"""The classifier that learns beside the page: taught anew whenever the labels change."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from threading import Condition, Lock, Thread
from typing import Literal

import numpy as np

from kineme.errors import KinemeError
from kineme.explore.labels import Labels
from kineme.explore.library import Library
from kineme.inference.classifying.classifier import Classifier
from kineme.inference.classifying.prediction import PredictedSegment, predict_opened
from kineme.inference.classifying.suggesting import most_useful
from kineme.inference.classifying.teaching import teach
from kineme.typing import Array

logger = logging.getLogger(__name__)

NEXT = 24  # points whose labels would help most
RATES = (0.05, 0.1, 0.2)  # of motion of the classes that may be taken for none of these; the first possible
PAUSE = 5.0  # seconds before reading is tried again
LOOK = 1.0  # seconds between two looks at the table, which another program may change

NUMBERS = count(1)

Doing = Literal["waiting", "learning", "ready"]


@dataclass(frozen=True)
class Named:
    """What a classifier says of all points.

    Attributes:
        number: that tells it from others.
        classes: their names.
        label: (N,) the most likely class.
        probability: (N,) of that class.
        novelty: (N,) distance from all classes.
        none: (N,) whether a point is taken for none of them.
        rate: of motion of the classes that is taken for none of these; None: too few examples to say.
    """

    number: int
    classes: Sequence[str]
    label: Array
    probability: Array
    novelty: Array
    none: Array
    rate: float | None


@dataclass(frozen=True)
class Learned:
    """Where learning stands.

    Attributes:
        number: counts changes of this.
        doing: what it does; `waiting`: there are no two classes yet.
        done, total: of learning.
        read, unread: points that have been read for naming them all, and how many there are.
        problem: why it could not learn; empty if it could.
        classifier: the last that was taught.
        named: by that classifier; None until all points have been read.
        following: points whose labels would help most, the most useful first.
    """

    number: int = 0
    doing: Doing = "waiting"
    done: int = 0
    total: int = 0
    read: int = 0
    unread: int = 0
    problem: str = ""
    classifier: Classifier | None = None
    named: Named | None = None
    following: Sequence[int] = ()


class Learner:
    """Teaches in a thread of its own; what it has learned is read at any time.

    A change of the labels while it learns is taken up when it is done.
    """

    def __init__(self, library: Library, labels: Labels) -> None:
        self._library, self._labels = library, labels
        self._state, self._guard = Learned(following=first_points(library)), Lock()
        self._woken, self._stop = Condition(), False
        self._read: Array | None = None
        self._thread = Thread(target=self._work, name="learner", daemon=True)
        self._reader = Thread(target=self._read_all, name="reader", daemon=True)

    @property
    def state(self) -> Learned:
        """Where it stands."""
        with self._guard:
            return self._state

    def start(self) -> None:
        """Begins to learn."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread as soon as it looks up."""
        with self._woken:
            self._stop = True
            self._woken.notify()

    def wake(self) -> None:
        """The labels have changed."""
        with self._woken:
            self._woken.notify()

    def segments(self, row: int) -> list[PredictedSegment]:
        """What the classifier finds in a recording; nothing before there is one.

        Raises:
            KinemeError: the recording cannot be cut into windows.
        """
        state = self.state
        if state.classifier is None:
            return []
        library = self._library
        (found,) = predict_opened(
            library.model,
            state.classifier,
            [library.recordings.alone(row)],
            none=none_rate(state.classifier),
            device=library.index.device,
        )
        return list(found.segments)

    def _work(self) -> None:
        learned: tuple[int, int] | None = None
        while not self._stop:
            stamp = self._labels.stamp()
            try:
                if stamp != learned:
                    learned = stamp
                    self._learn()
                    continue
                state = self.state
                if state.named is None and state.classifier is not None and self._read is not None:
                    self._name(state.classifier)
            except KinemeError as error:
                self._now(doing="waiting", problem=str(error))
            except Exception:
                logger.exception("learning failed")
                self._now(doing="waiting", problem="learning failed; see the terminal")
            with self._woken:
                if not self._stop:
                    self._woken.wait(LOOK)

    def _learn(self) -> None:
        examples = self._labels.examples()
        if len({each.label for each in examples}) < 2:
            self._now(doing="waiting", problem="", classifier=None, named=None,
                      following=first_points(self._library, self._taken()))  # fmt: skip
            return
        library = self._library
        self._now(doing="learning", done=0, total=0, problem="")
        classifier = teach(
            library.model,
            examples,
            store=library.index.store,
            allow_preprocessing=True,
            device=library.index.device,
            progress=lambda done, total: self._now(done=done, total=total),
        )
        self._now(classifier=classifier)
        if self._reader.ident is None:  # all points are read once, the first time that it matters
            self._reader.start()
        self._name(classifier)

    def _name(self, classifier: Classifier) -> None:
        if self._read is None:
            self._now(doing="ready")
            return
        named, following = name_points(classifier, self._read), self._useful(classifier, self._read)
        self._now(doing="ready", named=named, following=following)

    def _read_all(self) -> None:
        said = ""
        while not self._stop:
            try:
                self._read = self._library.read(lambda done, total: self._now(read=done, unread=total))
                problem = self.state.problem
                self._now(read=0, unread=0, problem="" if problem == said else problem)
                self.wake()
                return
            except KinemeError as error:  # such as another program that reads the same
                problem = str(error)
            except Exception:
                problem = "reading the motions failed; see the terminal"
                if problem != said:
                    logger.exception("reading the motions failed")
            said = problem
            self._now(problem=said)
            time.sleep(PAUSE)

    def _useful(self, classifier: Classifier, features: Array) -> list[int]:
        library, taken = self._library, self._taken()
        free = np.setdiff1d(np.flatnonzero(np.isfinite(features[:, 0])), taken)
        if not len(free):
            return []
        index = library.index
        names = library.store.names[index.clip[free]]
        chosen = most_useful(classifier, features[free], names, index.start[free], index.end[free], NEXT)
        return [int(point) for point in free[chosen]]

    def _taken(self) -> list[int]:
        return sorted(self._library.labelled(self._labels.parts()))

    def _now(self, **changes: object) -> None:
        with self._guard:
            self._state = replace(self._state, number=self._state.number + 1, **changes)  # type: ignore[arg-type]


def none_rate(classifier: Classifier) -> float | None:
    """The share of motion of the classes that is taken for none of them; None: too few examples to say."""
    for rate in RATES:
        with suppress(KinemeError):  # too few for this one
            classifier.threshold(rate)
            return rate
    return None


def name_points(classifier: Classifier, features: Array) -> Named:
    """What a classifier says of features (N, D) that it reads; NaN, where nobody is, has no class."""
    probabilities, novelty = classifier.probabilities_of(features), classifier.head.novelty(features)
    rate, none = none_rate(classifier), np.isnan(features[:, 0])
    probabilities[none] = 0
    if rate is not None:
        none |= novelty > classifier.threshold(rate)
    likeliest = probabilities.argmax(axis=1)
    return Named(
        next(NUMBERS), classifier.class_names, likeliest, probabilities.max(axis=1), novelty, none, rate
    )


def first_points(library: Library, taken: Sequence[int] = ()) -> list[int]:
    """Where to begin without a classifier: a point of each kind in turn, the nearest to its kind's middle."""
    order: list[tuple[int, int, int]] = []
    kinds = library.kinds
    for kind in range(int(kinds.min()), int(kinds.max()) + 1):
        mine = np.setdiff1d(np.flatnonzero(kinds == kind), np.array(taken, dtype=np.int64))
        if len(mine):
            features = np.asarray(library.index.features[mine])
            middle = np.argsort(-(features @ features.mean(axis=0)), kind="stable")[:NEXT]
            order += [(turn, kind or len(kinds), int(mine[i])) for turn, i in enumerate(middle.tolist())]
    return [point for _, _, point in sorted(order)[:NEXT]]
