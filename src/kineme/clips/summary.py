"""What a clip store holds, in numbers; frames are read in pieces, so memory stays bounded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from kineme.clips.splits import published_splits
from kineme.clips.store import ClipStore, Manifest
from kineme.progress import Progress, silent
from kineme.typing import Array

PIECE = 1 << 25  # coordinates per piece: 128 MiB


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
        store: read in pieces.
        progress: called with the frames done and in total.
    """
    manifest, index = store.manifest, store.index
    lengths = index["frames"]
    untrimmed = len(store.intervals["label"]) > 0
    labels = store.intervals["label"] if untrimmed else store.labels
    return Summary(
        manifest=manifest,
        clips=len(store),
        frames=len(store.frames),
        lengths=Lengths(int(lengths.min()), float(np.median(lengths)), int(lengths.max())),
        class_clips=np.bincount(labels[labels >= 0], minlength=len(manifest.class_names)),
        unlabelled=int((store.labels < 0).sum()),
        subjects=sorted(set(index["subject"].tolist()) - {""}, key=_in_order),
        cameras=_counted(index["camera"]),
        setups=_counted(index["setup"]),
        bodies=_counted(index["bodies"]),
        missing=_missing(store, progress),
        lacking=_lacking(store),
        intervals=Intervals(len(labels), _labelled_share(store)) if untrimmed else None,
        splits=published_splits(store),
    )


def _in_order(name: str) -> tuple[int, str]:
    """Sort key: numbers by value, before names."""
    return (int(name), "") if name.isdecimal() else (1 << 62, name)


def _counted(column: Array) -> dict[int, int]:
    """Number → count; unknown ones (-1) are left out."""
    numbers, counts = np.unique(column[column >= 0], return_counts=True)
    return dict(zip(numbers.tolist(), counts.tolist(), strict=True))


def _labelled_share(store: ClipStore) -> float:
    """Share of all frames inside an interval; a frame in several counts once."""
    offset = store.index["offset"][store.intervals["clip"]]
    opened = np.bincount(offset + store.intervals["start"], minlength=len(store.frames) + 1)
    closed = np.bincount(offset + store.intervals["end"], minlength=len(store.frames) + 1)
    return float((np.cumsum(opened - closed)[:-1] > 0).mean())


def _lacking(store: ClipStore) -> Lacking:
    if store.present is None:
        return Lacking(0, np.zeros(store.layout.num_joints, dtype=np.int64))
    absent = ~store.present
    return Lacking(int(absent.any(axis=1).sum()), absent.sum(axis=0))


def _missing(store: ClipStore, progress: Progress) -> Missing:
    """Joints of present bodies with a confidence of 0, if the store has any, else with zero coordinates.

    A joint that the preprocessing moves to the origin is always zero, so zeros say nothing about it.
    """
    frames, confidence = store.frames, store.confidence
    joints = store.layout.num_joints
    gone, bodies = np.zeros(joints, dtype=np.int64), 0
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
    preprocessing = store.manifest.preprocessing
    told = np.ones(joints, dtype=bool)
    if confidence is None:
        told &= np.arange(joints) != preprocessing.joint_at_zero(store.layout)
    return Missing(
        share=float(gone[told].sum() / max(bodies * told.sum(), 1)),
        by_joint=np.where(told, gone / max(bodies, 1), np.nan),
        by_confidence=confidence is not None,
        at_least=confidence is None and not preprocessing.keeps_zeros,
    )
