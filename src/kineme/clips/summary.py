"""Statistics of a clip store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from kineme.clips.splits import published_splits
from kineme.clips.store import ClipStore, Manifest
from kineme.clips.tally import Tally
from kineme.progress import Progress, silent
from kineme.typing import Array


class Lengths(NamedTuple):
    """Lengths of clips in frames."""

    shortest: int
    median: float
    longest: int


@dataclass(frozen=True)
class Missing:
    """Missing joints of present bodies."""

    share: float  # of all joints of present bodies in all frames
    by_joint: Array  # (V,) the same for each joint; NaN where it is unknown
    by_confidence: bool  # missing means a confidence of 0, not zero coordinates
    at_least: bool  # a lower bound, because the preprocessing has moved zeros along with the body


@dataclass(frozen=True)
class Lacking:
    """Joints that were never recorded in some clips."""

    clips: int  # that lack any
    by_joint: Array  # (V,) clips that lack each


@dataclass(frozen=True)
class Intervals:
    """Labelled intervals of untrimmed recordings; `labelled` is the share of all frames inside one."""

    count: int
    labelled: float


@dataclass(frozen=True)
class Summary:
    """What a store holds."""

    manifest: Manifest
    clips: int
    frames: int
    lengths: Lengths
    class_clips: Array  # (classes,) clips of each, or intervals for untrimmed recordings
    unlabelled: int  # clips without a class (untrimmed recordings have none)
    subjects: list[str]  # names, sorted; unknown ones are left out
    cameras: dict[int, int]  # number → clips
    setups: dict[int, int]  # number → clips
    bodies: dict[int, int]  # number of bodies in a clip → clips
    missing: Missing
    lacking: Lacking
    intervals: Intervals | None  # None for trimmed clips
    splits: dict[str, tuple[int, int]]  # published split → numbers of training and test clips

    @property
    def hours(self) -> float:
        """Of recording."""
        return self.frames / self.manifest.fps / 3600

    def to_dict(self) -> dict[str, Any]:
        """Plain containers, for JSON."""
        manifest, missing = self.manifest, self.missing
        return {
            "source": manifest.source,
            "preprocessing": manifest.preprocessing.id,
            "fingerprint": manifest.fingerprint,
            "layout": {"name": manifest.layout.name, "joints": list(manifest.layout.joints)},
            "units": manifest.units,
            "fps": manifest.fps,
            "fps_status": manifest.fps_status,
            "clips": self.clips,
            "frames": self.frames,
            "hours": self.hours,
            "lengths": self.lengths._asdict(),
            "classes": dict(zip(manifest.class_names, self.class_clips.tolist(), strict=True)),
            "unlabelled": self.unlabelled,
            "subjects": self.subjects,
            "cameras": self.cameras,
            "setups": self.setups,
            "bodies": self.bodies,
            "missing": {
                "share": missing.share,
                "told_by": "confidence" if missing.by_confidence else "zeros",
                "at_least": missing.at_least,
                "joints": {
                    name: None if np.isnan(share) else share
                    for name, share in zip(manifest.layout.joints, missing.by_joint.tolist(), strict=True)
                },
            },
            "absent": {
                "clips": self.lacking.clips,
                "joints": dict(zip(manifest.layout.joints, self.lacking.by_joint.tolist(), strict=True)),
            },
            "intervals": None if self.intervals is None else vars(self.intervals),
            "splits": {name: {"train": train, "test": test} for name, (train, test) in self.splits.items()},
        }


def summarise(store: ClipStore, progress: Progress = silent) -> Summary:
    """Counts what a store holds.

    Args:
        store: read in pieces where it is one shard; many shards have been counted when they were written.
        progress: called with the frames done and in total.
    """
    manifest, tally = store.manifest, Tally.of(store, progress)
    classes = [tally.classes[label] for label in range(len(manifest.class_names))]
    untrimmed = tally.intervals > 0
    return Summary(
        manifest=manifest,
        clips=tally.clips,
        frames=tally.frames,
        lengths=Lengths(min(tally.lengths), _median(tally.lengths), max(tally.lengths)),
        class_clips=np.array(classes, dtype=np.int64),
        unlabelled=tally.classes[-1],
        subjects=sorted({subject for subject, _, _ in tally.takes} - {""}, key=_in_order),
        cameras=_added((camera, clips) for (_, camera, _), clips in tally.takes.items()),
        setups=_added((setup, clips) for (_, _, setup), clips in tally.takes.items()),
        bodies=dict(sorted(tally.bodies.items())),
        missing=_missing(store, tally),
        lacking=Lacking(tally.lacking, tally.lacked),
        intervals=Intervals(tally.intervals, tally.labelled / tally.frames) if untrimmed else None,
        splits=_splits(store, tally),
    )


def _in_order(name: str) -> tuple[int, str]:
    """Sort key: numbers by value, before names."""
    return (int(name), "") if name.isdecimal() else (1 << 62, name)


def _median(lengths: Counter[int]) -> float:
    values = np.array(sorted(lengths))
    ends = np.cumsum([lengths[value] for value in values.tolist()])
    middle = [(ends[-1] - 1) // 2, ends[-1] // 2]
    return float(values[np.searchsorted(ends, middle, side="right")].mean())


def _added(pairs: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Number → clips; unknown ones (-1) are left out."""
    found: Counter[int] = Counter()
    for number, clips in pairs:
        found[number] += clips
    return {number: found[number] for number in sorted(found) if number >= 0}


def _splits(store: ClipStore, tally: Tally) -> dict[str, tuple[int, int]]:
    """As `published_splits`, from the counts: a row stands for all clips of one person, camera and setup."""
    takes = object.__new__(ClipStore)  # nothing is opened
    subject, camera, setup = map(np.array, zip(*tally.takes, strict=True))
    vars(takes).update(path=store.path, manifest=store.manifest, splits={})
    takes.index = {"name": subject, "subject": subject, "camera": camera, "setup": setup}
    lists = {name: sizes for name, sizes in tally.lists.items() if all(sizes)}
    others = published_splits(takes, np.array(list(tally.takes.values())))
    return {**lists, **{name: sizes for name, sizes in others.items() if name not in tally.lists}}


def _missing(store: ClipStore, tally: Tally) -> Missing:
    """A joint that the preprocessing moves to the origin is always zero, so zeros say nothing about it."""
    preprocessing, by_confidence = store.manifest.preprocessing, store.confidence is not None
    told = np.ones(store.layout.num_joints, dtype=bool)
    if not by_confidence:
        told &= np.arange(len(told)) != preprocessing.joint_at_zero(store.layout)
    bodies = tally.bodies_seen
    return Missing(
        share=float(tally.gone[told].sum() / max(bodies * told.sum(), 1)),
        by_joint=np.where(told, tally.gone / max(bodies, 1), np.nan),
        by_confidence=by_confidence,
        at_least=not by_confidence and not preprocessing.keeps_zeros,
    )
