"""What clustering finds: segments of recordings, their kinds, and the table of them."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np

from kineme.files import atomic_write
from kineme.inference.clustering.kinds import NONE
from kineme.metrics import Figures
from kineme.typing import Array

EXEMPLARS = 12  # of a kind


@dataclass(frozen=True)
class Segment:
    """A clip, or a part of a recording. The fields are the columns of the table.

    Attributes:
        source: the input that it comes from, as given.
        name: of the recording.
        start, end: in seconds from the recording's beginning.
        kind: its kind's number, 0 if it is in none.
        typical: how typical it is of its kind: the cosine with the kind's mean, at most 1; NaN if in none.
        subject: the performer, empty if unknown.
        label: name of the class, for a part that of most of its frames; empty if unknown.

    >>> segment = Segment("stores/mine", "walk", 2.0, 4.5, 1, 0.9, "anna", "")
    >>> segment.length
    2.5
    """

    source: str
    name: str
    start: float
    end: float
    kind: int
    typical: float
    subject: str
    label: str

    @property
    def length(self) -> float:
        """Seconds."""
        return self.end - self.start


@dataclass(frozen=True)
class Kind:
    """Segments that are alike.

    Attributes:
        number: from 1, the kind with the most segments first; 0: segments in no kind.
        segments: how many.
        share: of all segments' time.
        mean_length: seconds.
        people: number of known subjects.
        exemplars: the most typical, of different subjects if possible: indices into `Kinds.segments`.
        labels: the known labels of its segments and how many have each, commonest first.

    >>> Kind(1, 40, 0.3, 1.5, 4, (12, 7), (("wave", 38), ("bow", 2))).labels[0]
    ('wave', 38)
    """

    number: int
    segments: int
    share: float
    mean_length: float
    people: int
    exemplars: tuple[int, ...]
    labels: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Kinds:
    """What `cluster` found.

    Attributes:
        segments: recording by recording, in order of time.
        kinds: by number; segments in no kind, if any, come last, as number 0.
        agreement: with labels, if there are any: per cent, by name of the metric. Labels are used for nothing
            else.
        untrimmed: whether a recording was cut.

    >>> import kineme
    >>> found = kineme.inference.cluster(kineme.load(example_run), [example_store], k=3)
    >>> len(found.segments), sum(kind.segments for kind in found.kinds), found.untrimmed
    (24, 24, False)
    """

    segments: tuple[Segment, ...] = field(repr=False)
    kinds: tuple[Kind, ...]
    agreement: Figures
    untrimmed: bool

    def following(self) -> Array:
        """(K, K) how often a segment of one kind is followed by one of another, in the order of `kinds`."""
        place = {kind.number: i for i, kind in enumerate(self.kinds)}
        counts = np.zeros((len(place), len(place)), dtype=np.int64)
        for one, other in zip(self.segments, self.segments[1:], strict=False):
            same = (one.source, one.name) == (other.source, other.name)
            if same and one.end <= other.start + 1e-6:
                counts[place[one.kind], place[other.kind]] += 1
        return counts


def write_segments(segments: Sequence[Segment], path: Path) -> None:
    """Writes segments as CSV, times to the millisecond; an existing file is replaced.

    `kind` and `typical` of a segment that is in no kind are empty.

    Raises:
        KinemeError: the file cannot be written.
    """
    names = [each.name for each in fields(Segment)]
    with atomic_write(path) as aside, aside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        for segment in segments:
            row = {name: getattr(segment, name) for name in names}
            row |= {"start": f"{segment.start:.3f}", "end": f"{segment.end:.3f}"}
            row |= {"typical": f"{segment.typical:.4f}"} if segment.kind else {"kind": "", "typical": ""}
            writer.writerow(row)


def described(segments: Sequence[Segment]) -> tuple[Kind, ...]:
    """The kinds of segments by number; those that are in none last."""
    total = sum(segment.length for segment in segments)
    members: dict[int, list[int]] = {}
    for i, segment in enumerate(segments):
        members.setdefault(segment.kind, []).append(i)
    kinds = []
    for number in sorted(members, key=lambda number: (number == NONE, number)):
        own = [segments[i] for i in members[number]]
        time = sum(segment.length for segment in own)
        kinds.append(
            Kind(
                number=number,
                segments=len(own),
                share=time / total,
                mean_length=time / len(own),
                people=len({segment.subject for segment in own} - {""}),
                exemplars=_exemplars(segments, members[number]),
                labels=tuple(Counter(segment.label for segment in own if segment.label).most_common()),
            )
        )
    return tuple(kinds)


def _exemplars(segments: Sequence[Segment], own: Sequence[int]) -> tuple[int, ...]:
    """The most typical; each subject's first before anyone's second."""
    turn: Counter[str] = Counter()
    order = []
    for i in sorted(own, key=lambda i: -np.nan_to_num(segments[i].typical)):
        subject = segments[i].subject
        order.append((turn[subject], i))
        turn[subject] += 1
    return tuple(i for _, i in sorted(order, key=lambda entry: entry[0])[:EXEMPLARS])
