"""`ctrgcn`: tracked people, denoised and merged into two bodies, never turned (MAMP, after CTR-GCN)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from kineme.layouts import Layout
from kineme.preprocessing.base import MAX_BODIES, Preprocessing
from kineme.preprocessing.bodies import spine_end
from kineme.typing import Array

SHORTEST = 11  # frames: a body that is there no longer than this is noise
WIDE, MOSTLY = 0.8, 0.69754  # a frame is bad if its body is wider than this share of its height


@dataclass(frozen=True)
class CTRGCN(Preprocessing):
    """MAMP's input: denoised, merged into two bodies, relative to where the first one began; not turned.

    Of several people, those seen briefly and those wider than they are tall (furniture) are dropped. The one
    who moves most is the first body. Every other person joins the first body if their times do not overlap,
    else the second, else is dropped.

    Deviation: a clip in which every person is seen briefly keeps the one seen longest; the authors' program
    stops. An action of PKU-MMD has one more frame at its beginning than in the authors' arrays, because the
    source counts frames from 1, as the labels do.

    Args:
        bodies: "merged" is the published treatment of NTU RGB+D 60. "copied" is that of NTU RGB+D 120, where
            a single body also fills the second slot. "recorded" is that of PKU-MMD: the first two bodies as
            they are, where they are.

    >>> import kineme
    >>> clip = np.random.default_rng(0).normal(size=(80, 1, 25, 3)).astype(np.float32)
    >>> xyz = CTRGCN()(clip, kineme.get_layout("ntu25"))
    >>> xyz.shape, abs(xyz[0, 0, 1]).max().item()  # the middle of the spine begins at the origin
    ((80, 1, 25, 3), 0.0)
    >>> CTRGCN("copied")(clip, kineme.get_layout("ntu25")).shape
    (80, 2, 25, 3)
    """

    keeps_frames: ClassVar[bool] = False
    by_person: ClassVar[bool] = True

    bodies: Literal["merged", "copied", "recorded"] = "merged"

    def apply(self, xyz: Array, layout: Layout) -> Array:
        """(T, M, V, C) → (T', M', V, C)."""
        if self.bodies == "recorded":
            xyz = xyz[:, :MAX_BODIES]
            return xyz[: np.count_nonzero(xyz.any(axis=(1, 2, 3)))]  # as the authors count, gaps or not
        xyz = xyz[xyz.any(axis=(1, 2, 3))]
        tracks = _denoised([_Track.of(body) for body in np.moveaxis(xyz, 1, 0) if body.any()])
        xyz = _merged(tracks, len(xyz))
        xyz = xyz[xyz.any(axis=(1, 2, 3))]
        present: Array = np.any(xyz, axis=(2, 3))
        origin = xyz[present[:, 0].argmax(), 0, spine_end(layout, "ctrgcn")].mean(axis=0)
        xyz = np.where(present[..., None, None], xyz - origin, 0)
        return xyz[:, [0, 0]] if self.bodies == "copied" and xyz.shape[1] == 1 else xyz


@dataclass(frozen=True, eq=False)
class _Track:
    """One person: (L, V, C) frames without gaps, from frame `first` on."""

    xyz: Array
    first: int
    motion: float

    @classmethod
    def of(cls, body: Array) -> _Track:
        """Of (T, V, C); a gap is closed, so what follows it is early."""
        seen = np.flatnonzero(body.any(axis=(1, 2)))
        return cls(body[seen], int(seen[0]), _motion(body[seen]))

    @property
    def last(self) -> int:
        """Its last frame."""
        return self.first + len(self.xyz) - 1


def _motion(xyz: Array) -> float:
    """(L, V, C) → the variance over frames and joints, summed over x, y, z."""
    return float(xyz.var(axis=(0, 1), dtype=np.float64).sum()) if len(xyz) else 0.0


def _denoised(tracks: Sequence[_Track]) -> list[_Track]:
    """Those that show a person, the one that moves most first."""
    kept = [track for track in tracks if len(track.xyz) > SHORTEST]
    kept = kept or [max(tracks, key=lambda track: len(track.xyz))]
    for track in tuple(kept):
        if len(kept) == 1:
            break
        width, height = np.moveaxis(np.ptp(track.xyz, axis=1), -1, 0)[:2]
        good = width <= WIDE * height
        place = kept.index(track)
        if np.mean(~good) >= MOSTLY:
            del kept[place]
        else:
            kept[place] = replace(track, motion=min(track.motion, _motion(track.xyz[good])))
    return sorted(kept, key=lambda track: track.motion, reverse=True)


def _merged(tracks: Sequence[_Track], frames: int) -> Array:
    """(T, 1, V, C) of one track, (T, 2, V, C) of several."""
    bodies = np.zeros((frames, min(len(tracks), MAX_BODIES), *tracks[0].xyz.shape[1:]), dtype=np.float32)
    spans = [(tracks[0].first, tracks[0].last), (0, 0)]
    bodies[tracks[0].first : tracks[0].last + 1, 0] = tracks[0].xyz
    for track in tracks[1:]:
        for body, (first, last) in enumerate(spans):
            if min(last, track.last) - max(first, track.first) <= 0:
                bodies[track.first : track.last + 1, body] = track.xyz
                spans[body] = min(first, track.first), max(last, track.last)
                break
    return bodies
