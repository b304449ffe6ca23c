"""From the scores of windows to events: what begins and ends, without flicker."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

import numpy as np

from kineme.clips.batches import Clips
from kineme.typing import Array

IN_A_ROW = 2  # windows that agree before anything begins or ends


class Judge(Protocol):
    """Judges what windows show: a taught classifier, or examples that windows are compared with.

    Attributes:
        class_names: K names.
        window: length of a window in seconds.
        measure: what its scores are: `probability` or `similarity`.
        starts: (K,) the score at which a class begins,
        ends: and below which it ends; at most as high.

    >>> class Raised:  # hands above the head, in the layout ntu25; takes no training
    ...     class_names, window, measure = ("hands up",), 1.0, "probability"
    ...     starts, ends = np.array([0.6]), np.array([0.4])
    ...     def scores(self, clips):
    ...         height = clips.resize(8)[:, 1, :, :, 0].mean(1)  # (N, V)
    ...         return (height[:, [7, 11]] > height[:, [3]]).float().mean(1, keepdim=True).numpy()
    >>> judge: Judge = Raised()
    >>> pose = np.zeros((1, 1, 25, 3), dtype=np.float32)
    >>> pose[0, 0, [3, 7, 11], 1] = 1.5, 1.8, 1.7
    >>> from kineme.clips.batches import joined
    >>> judge.scores(joined([pose.repeat(30, axis=0)])).tolist()
    [[1.0]]
    """

    @property
    def class_names(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def window(self) -> float: ...  # noqa: D102
    @property
    def measure(self) -> str: ...  # noqa: D102
    @property
    def starts(self) -> Array: ...  # noqa: D102
    @property
    def ends(self) -> Array: ...  # noqa: D102

    def scores(self, clips: Clips) -> Array:
        """Preprocessed windows → (N, K), higher where a class is more likely."""


@dataclass(frozen=True)
class Change:
    """Something began or ended.

    Attributes:
        event: which of the two.
        label: number of the class.
        score: of the window that confirmed the beginning; at the end the mean since.
        start, end: in seconds; the end is None where something begins.
    """

    event: Literal["start", "end"]
    label: int
    score: float
    start: float
    end: float | None


@dataclass(frozen=True)
class Event:
    """A `Change` of one person, as it is reported.

    Attributes:
        event: `start` or `end`.
        label: name of the class.
        score: see `Change`.
        person: an id as received, or a number.
        start, end: in seconds on the clock of the frames.
        at: time of the frame that completed it.
        delay: seconds from the arrival of that frame until the event was reported.
        measure: what the score is: `probability` or `similarity`.

    >>> Event("start", "wave", 0.9, "anna", 1.25, None, 3.5, 0.012).to_dict()["probability"]
    0.9
    """

    event: Literal["start", "end"]
    label: str
    score: float
    person: int | str
    start: float
    end: float | None
    at: float
    delay: float
    measure: str = "probability"

    def to_dict(self) -> dict[str, Any]:
        """For JSON: times to the millisecond, and the score under its name."""
        told = asdict(self)
        measure, score = told.pop("measure"), told.pop("score")
        for key, digits in (("start", 3), ("end", 3), ("at", 3), ("delay", 4)):
            told[key] = None if told[key] is None else round(told[key], digits)
        return {"event": told.pop("event"), "label": told.pop("label"), measure: round(score, 4), **told}


@dataclass
class Counts:
    """What a watcher has done.

    Attributes:
        frames: taken.
        windows: encoded.
        events: handed out.
        delay: of all events together, in seconds.
        longest: delay of an event.
        highest: score of a window for any class; -inf before the first.
    """

    frames: int = 0
    windows: int = 0
    events: int = 0
    delay: float = 0.0
    longest: float = 0.0
    highest: float = -math.inf

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.frames + other.frames,
            self.windows + other.windows,
            self.events + other.events,
            self.delay + other.delay,
            max(self.longest, other.longest),
            max(self.highest, other.highest),
        )


@dataclass
class _Running:
    label: int
    start: float
    total: float
    windows: int

    @property
    def score(self) -> float:
        return self.total / self.windows


@dataclass
class Spotter:
    """Follows the scores of one person's windows.

    A class begins when it is the highest and reaches `starts` in two windows in a row. It ends when it is
    below `ends` in two windows in a row, when another begins, or when the person is gone. Each window speaks
    for the time around its middle, up to half-way to those of its neighbours; the first and last also for
    what is before and after it.

    Args:
        starts, ends: (K,) see `Judge`.
        begin: when the person came, in seconds.

    >>> spotter = Spotter(np.array([0.6]), np.array([0.4]), begin=0)
    >>> for i, score in enumerate([0.1, 0.9, 0.2, 0.8, 0.7, 0.5, 0.3, 0.1]):  # one alone is flicker
    ...     for change in spotter.window(np.array([score]), i, i + 2):
    ...         print(i, change.event, change.start, change.end)
    4 start 3.5 None
    7 end 3.5 6.5
    """

    starts: Array
    ends: Array
    begin: float
    running: _Running | None = None
    _candidate: _Running | None = None
    _middle: float | None = None  # of the last window
    _ceased: float = field(default=0.0)  # when the running class went below `ends`,
    _below: int = 0  # and for how many windows it has been there

    def window(self, scores: Array, start: float, end: float) -> list[Change]:
        """Takes the scores (K,) of a window in seconds; windows come in order of time."""
        middle = (start + end) / 2
        since = self.begin if self._middle is None else (self._middle + middle) / 2
        self._middle = middle
        if (running := self.running) is not None:
            score = float(scores[running.label])
            if score < self.ends[running.label]:
                self._ceased = self._ceased if self._below else since
                self._below += 1
            else:
                self._below = 0
                running.total, running.windows = running.total + score, running.windows + 1
        best = int(np.argmax(scores))
        score = float(scores[best])
        candidate = self._candidate
        if score < self.starts[best] or (running is not None and best == running.label):
            candidate = None
        elif candidate is None or candidate.label != best:
            candidate = _Running(best, since, score, 1)
        else:
            candidate = _Running(best, candidate.start, candidate.total + score, candidate.windows + 1)
        changes = []
        begun = candidate if candidate is not None and candidate.windows >= IN_A_ROW else None
        if running is not None and (begun or self._below >= IN_A_ROW):
            ends = [self._ceased] * (self._below > 0) + ([begun.start] if begun else [])
            changes += self._end(min(ends))
        if begun:
            self.running, candidate = begun, None
            changes.append(Change("start", begun.label, score, begun.start, None))
        self._candidate = candidate
        return changes

    def finish(self, time: float) -> list[Change]:
        """The person is gone; `time` is that of its last frame."""
        return self._end(self._ceased if self._below else time)

    def _end(self, time: float) -> list[Change]:
        if (running := self.running) is None:
            return []
        self.running, self._below = None, 0
        return [Change("end", running.label, running.score, running.start, time)]
