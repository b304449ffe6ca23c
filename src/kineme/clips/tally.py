"""What can be counted in the clips of a store, and added up over its shards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from kineme.clips.store import TESTS, TRAINS, ClipStore
from kineme.progress import Progress, silent
from kineme.typing import Array

PIECE = 1 << 25  # coordinates per piece: 128 MiB


@dataclass(frozen=True)
class Tally:
    """Counts of clips, frames and joints; those of shards add up to those of their store.

    Attributes:
        lengths: frames → clips of so many.
        classes: class → clips of it, or intervals in untrimmed recordings; -1 are clips without a class.
        takes: (subject, camera, setup) → clips.
        bodies: number of bodies in a clip → clips.
        lists: split that the data set publishes as a list → training and test clips.
        gone: (V,) how often a body that is there is seen without each joint.
        bodies_seen: bodies that are there, over all frames.
        lacking: clips that lack a joint altogether.
        lacked: (V,) clips that lack each joint.
        intervals: of untrimmed recordings.
        labelled: frames inside an interval.

    >>> import kineme
    >>> tally = Tally.of(kineme.open_store(example_store))
    >>> tally.clips, dict(tally.bodies), sorted(tally.classes.items())
    (24, {1: 24}, [(0, 8), (1, 8), (2, 8)])
    """

    lengths: Counter[int]
    classes: Counter[int]
    takes: Counter[tuple[str, int, int]]
    bodies: Counter[int]
    lists: Mapping[str, tuple[int, int]]
    gone: Array
    bodies_seen: int
    lacking: int
    lacked: Array
    intervals: int
    labelled: int

    @classmethod
    def of(cls, store: ClipStore, progress: Progress = silent) -> Tally:
        """Counts what is in a store; of one of many shards it adds up what they say of themselves.

        Args:
            store: read in pieces where it is one shard.
            progress: called with the frames done and in total.
        """
        if store.shards:
            first, *others = (cls.from_dict(each.tally) for each in store.shards)
            for each in others:
                first = first + each
            return first
        index, spans = store.index, store.intervals
        takes = np.array([index["camera"], index["setup"]]).T
        names, rank = np.unique(index["subject"].astype(str), return_inverse=True)
        found, clips = np.unique(np.column_stack([rank, takes]), axis=0, return_counts=True)
        labels = Counter({-1: int((store.labels < 0).sum())})
        counted = spans["label"] if len(spans["label"]) else store.labels
        gone, seen = _missing(store, progress)
        lacked = np.zeros((1, len(gone)), dtype=bool) if store.present is None else ~store.present
        return cls(
            lengths=_counter(index["frames"]),
            classes=_counter(counted[counted >= 0]) + labels,
            takes=Counter(
                {
                    (str(names[who]), camera, setup): count
                    for (who, camera, setup), count in zip(found.tolist(), clips.tolist(), strict=True)
                }
            ),
            bodies=_counter(index["bodies"]),
            lists={
                name: (int((part == TRAINS).sum()), int((part == TESTS).sum()))
                for name, part in store.splits.items()
            },
            gone=gone,
            bodies_seen=seen,
            lacking=int(lacked.any(axis=1).sum()),
            lacked=lacked.sum(axis=0),
            intervals=len(spans["label"]),
            labelled=_labelled(store),
        )

    @property
    def clips(self) -> int:
        """In all."""
        return sum(self.lengths.values())

    @property
    def frames(self) -> int:
        """In all."""
        return sum(length * clips for length, clips in self.lengths.items())

    def __add__(self, other: Tally) -> Tally:
        none = (0, 0)
        lists = {
            name: (a[0] + b[0], a[1] + b[1])
            for name in (*self.lists, *(each for each in other.lists if each not in self.lists))
            for a, b in [(self.lists.get(name, none), other.lists.get(name, none))]
        }
        added: dict[str, Any] = {
            name: value + vars(other)[name] for name, value in vars(self).items() if name != "lists"
        }
        return Tally(lists=lists, **added)

    def to_dict(self) -> dict[str, Any]:
        """Plain containers, for JSON."""
        plain = {name: sorted(value.items()) for name, value in vars(self).items() if name in _COUNTERS}
        return {**vars(self), **plain, "gone": self.gone.tolist(), "lacked": self.lacked.tolist()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Tally:
        """From what `to_dict` gives."""
        counts: dict[str, Any] = {
            name: Counter(dict(data[name])) for name in ("lengths", "classes", "bodies")
        }
        takes = Counter({(subject, camera, setup): n for (subject, camera, setup), n in data["takes"]})
        lists = {name: (train, test) for name, (train, test) in data["lists"].items()}
        joints = {name: np.array(data[name]) for name in ("gone", "lacked")}
        return cls(**{**data, **counts, "takes": takes, "lists": lists, **joints})


_COUNTERS = [each.name for each in fields(Tally) if str(each.type).startswith("Counter")]


def _counter(values: Array) -> Counter[int]:
    numbers, counts = np.unique(values, return_counts=True)
    return Counter(dict(zip(numbers.tolist(), counts.tolist(), strict=True)))


def _labelled(store: ClipStore) -> int:
    """Frames inside an interval; a frame in several counts once."""
    if not len(store.intervals["clip"]):
        return 0
    offset = store.index["offset"][store.intervals["clip"]]
    opened = np.bincount(offset + store.intervals["start"], minlength=len(store.frames) + 1)
    closed = np.bincount(offset + store.intervals["end"], minlength=len(store.frames) + 1)
    return int((np.cumsum(opened - closed)[:-1] > 0).sum())


def _missing(store: ClipStore, progress: Progress) -> tuple[Array, int]:
    """How often bodies that are there lack each joint, and how many bodies there are, over all frames.

    Joints are missing that have a confidence of 0, if the store has confidences, else zero coordinates.
    """
    frames, confidence = store.frames, store.confidence
    gone, bodies = np.zeros(store.layout.num_joints, dtype=np.int64), 0
    step = max(1, PIECE // int(np.prod(frames.shape[1:])))
    for start in range(0, len(frames), step):
        piece = frames[start : start + step]
        seen: Array = np.any(piece, axis=-1)
        present: Array = np.any(seen, axis=-1)
        if confidence is not None:
            seen = confidence[start : start + step] > 0
        gone += np.sum(~seen & present[..., None], axis=(0, 1))
        bodies += int(present.sum())
        progress(min(start + step, len(frames)), len(frames))
    return gone, bodies
