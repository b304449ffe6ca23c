"""Where one motion ends and the next begins, without labels.

Between two motions a body returns to a pose that it often holds: standing, arms hanging, a fighter's guard. A
motion is an excursion from there. So every frame gets a *rarity*, minus the logarithm of the density of poses
around it (a Gaussian kernel over the poses of the surrounding minute), and boundaries are where rarity is
lowest. A minimum counts if it is prominent: rarity climbs by a given number of nats before it reaches a lower
one (the persistence of its basin). A long rest has two boundaries, its beginning and its end.

Prominence does not depend on length, so motions of half a second and of ten are found side by side. The
textbook method, dynamic programming with a squared error and a penalty, on coordinates or on features of an
encoder, was no better than cutting evenly on the recordings that this was chosen on (docs/cluster.md).

Time is linear in the recording's length, and memory beyond the poses does not grow with it.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from kineme.errors import check_between
from kineme.layouts import Layout
from kineme.typing import Array

MINUTE = 60.0  # seconds whose poses say what is usual
REFERENCES = 512  # poses of them that each is compared with, evenly in time
LOST = 0.5  # seconds; who is gone for less was lost by the tracking, and has not left
SAME_POSE = 0.1  # of a body's size: poses nearer to each other than this are the same


@dataclass(frozen=True)
class Changes:
    """How boundaries are found. The defaults were chosen on people of a training part (docs/cluster.md).

    Attributes:
        prominence: nats by which rarity climbs between two motions; smaller values find more motions.
        smooth: seconds, standard deviation of the Gaussian that rarity is smoothed with.
        rest: share of the climb on either side of a minimum that still counts as rest.
        shortest: seconds; no segment is shorter, unless its recording is.

    >>> Changes(prominence=0.2).shortest
    0.2
    """

    prominence: float = 0.07
    smooth: float = 0.2
    rest: float = 0.1
    shortest: float = 0.2

    def __post_init__(self) -> None:
        check_between("`prominence`", self.prominence, 0.001)


DEFAULTS = Changes()


def motions(xyz: Array, layout: Layout, fps: float, changes: Changes) -> Array:
    """(T, M, V, C) → (n,) first frames of all segments of a recording but the first, ascending."""
    return boundaries(rarity(poses_of(xyz, layout), fps), fps, changes)


def segments(xyz: Array, layout: Layout, fps: float, changes: Changes) -> Array:
    """(T, M, V, C) → (n, 2) the first frame of each segment of a recording, and the one after its last.

    Segments also begin and end where somebody comes and everybody has gone; nothing is a segment while nobody
    is there, or somebody for less than the shortest one. Who is gone for less than `LOST` has not left.
    """
    somebody = np.any(xyz, axis=(1, 2, 3)).astype(np.int8)
    stays = np.flatnonzero(np.diff(somebody, prepend=0, append=0)).reshape(-1, 2)
    gone = stays[1:, 0] - stays[:-1, 1] >= LOST * fps
    found = [np.zeros((0, 2), dtype=np.int64)]
    for stay in np.split(stays, 1 + np.flatnonzero(gone)) if len(stays) else ():
        first, end = int(stay[0, 0]), int(stay[-1, 1])
        if end - first >= min(round(changes.shortest * fps), len(xyz)):
            edges = [first, *(first + motions(xyz[first:end], layout, fps, changes)), end]
            found.append(np.stack([edges[:-1], edges[1:]], axis=1))
    return np.concatenate(found)


def poses_of(xyz: Array, layout: Layout) -> Array:
    """(T, M, V, C) → (T, M·V·C): poses about the first body's origin, of length about 1.

    They are divided by the body's size, the root mean square distance of its joints from there, and by the
    root of the number of joints. Absent bodies are zero.
    """
    origin = xyz[:, :1, list(layout.origin)].mean(axis=2, keepdims=True)
    present = xyz.any(axis=(2, 3), keepdims=True)
    about = np.where(present, xyz - origin, 0).astype(np.float32)
    length = float(np.sqrt(np.square(about[:, 0]).sum(axis=(1, 2)).mean()))
    return about.reshape(len(xyz), -1) / (length or 1.0)


def rarity(poses: Array, fps: float) -> Array:
    """(T, D) → (T,) minus the logarithm of the density of poses around each, in nats.

    The kernel is as wide as two poses of the minute are apart at the median.
    """
    block = max(round(MINUTE * fps), 2)
    if len(poses) <= block:
        return _rarity(poses)
    total, weight = np.zeros(len(poses)), np.zeros(len(poses))
    blend = np.minimum(np.arange(1, block + 1), np.arange(block, 0, -1))
    for start in range(0, len(poses) - block // 2, block // 2):  # minutes that overlap by half are blended
        first = min(start, len(poses) - block)
        total[first : first + block] += blend * _rarity(poses[first : first + block])
        weight[first : first + block] += blend
    return total / weight


def _rarity(poses: Array) -> Array:
    chosen = poses[np.linspace(0, len(poses) - 1, min(len(poses), REFERENCES)).round().astype(int)]
    apart = np.square(poses).sum(axis=1)[:, None] + np.square(chosen).sum(axis=1) - 2 * poses @ chosen.T
    apart = np.maximum(apart.astype(np.float64), 0)
    width = max(float(np.median(apart)), SAME_POSE**2)
    found: Array = -np.log(np.exp(-apart / (2 * width)).mean(axis=1))
    return found


def boundaries(rarity: Array, fps: float, changes: Changes = DEFAULTS) -> Array:
    """(T,) rarity of frames → (n,) first frames of all segments but the first, ascending.

    >>> motion = np.sin(np.linspace(0, np.pi, 40))
    >>> boundaries(np.concatenate([np.zeros(30), motion, motion, np.zeros(30)]), fps=30).tolist()
    [27, 66, 74, 113]
    """
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import find_peaks  # takes nearly a second to import

    frames, shortest = len(rarity), max(round(changes.shortest * fps), 1)
    smooth = gaussian_filter1d(rarity, changes.smooth * fps, mode="nearest")
    wall = [smooth.max() + 2 * changes.prominence]  # a recording may begin or end at rest
    with warnings.catch_warnings():  # of minutes of rest
        warnings.filterwarnings("ignore", message="some peaks have a prominence of 0")
        lowest, _ = find_peaks(
            -np.concatenate([wall, smooth, wall]),
            prominence=changes.prominence,
            wlen=2 * round(MINUTE * fps) + 3,
        )
    found: list[int] = []
    edges = [0, *(lowest - 1).tolist(), frames - 1]
    for before, place, after in zip(edges, edges[1:], edges[2:], strict=False):
        start = place - _rests(smooth[before : place + 1][::-1], changes)
        end = place + _rests(smooth[place : after + 1], changes) + 1
        found += [start, end] if end - start >= shortest else [place]
    kept = [0]
    for place in sorted(found):
        if kept[-1] + shortest <= place <= frames - shortest:
            kept.append(place)
    return np.array(kept[1:], dtype=np.int64)


def _rests(climb: Array, changes: Changes) -> int:
    """Frames after the first, a minimum, until rarity has climbed by its share of the way to the top."""
    height = climb.max() - climb[0]
    if height < changes.prominence:  # rest until the recording's end
        return len(climb) - 1
    return int(np.argmax(climb > climb[0] + changes.rest * height)) - 1
