"""How recordings are cut into windows, and which class each window shows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from kineme.clips.store import UNLABELLED, Clip
from kineme.errors import KinemeError
from kineme.inference.recordings import LongClip, Recordings
from kineme.sources.poses.arrays import MAX_FRAMES
from kineme.typing import Array


@dataclass(frozen=True)
class Windows:
    """How recordings are cut, in seconds: window i starts at i·step and lasts `length`.

    The last one ends inside the recording. A recording that is shorter than a window, or that lasts at most
    `whole`, is one row. Windows in which nobody is are left out, unless they are wanted as `empty`.

    >>> Windows(length=2.0, step=0.5).cut(frames=90, fps=30.0)["start"].tolist()
    [0.0, 0.5, 1.0]
    """

    length: float
    step: float
    whole: float = 0.0
    empty: bool = False

    def __post_init__(self) -> None:
        for name, value in (("window", self.length), ("step", self.step)):
            if not 0 < value < math.inf:
                raise KinemeError(f"`{name}`: is {value:g} s; it must be longer than 0 s")

    def check(self, recordings: Recordings) -> None:
        """Checks that recordings can be cut so.

        Raises:
            KinemeError: a window or step is shorter than a frame, or the preprocessing moves frames.
        """
        try:
            recordings.preprocessing.check_keeps_frames()
        except KinemeError as error:
            raise KinemeError(f"`window`: cannot be cut from {recordings.name}: {error}") from error
        for option, value in (("window", self.length), ("step", self.step)):
            if value * recordings.fps < 1 - 1e-9:
                frame = f"a frame of {recordings.name}, {1 / recordings.fps:.3g} s"
                raise KinemeError(f"`{option}`: {value:g} s is shorter than {frame}")

    def cut(self, frames: int, fps: float) -> dict[str, Array]:
        """Columns `first` and `length` in frames, `start` and `end` in seconds; also of empty windows."""
        if frames / fps < self.length - 1e-9 or frames / fps <= self.whole:
            return whole(frames, fps)
        count = math.floor((frames / fps - self.length) / self.step + 1e-9) + 1
        start = np.arange(count) * self.step
        length = min(math.floor(self.length * fps + 0.5), frames)
        first = np.floor(start * fps + 0.5).astype(np.int64)
        return {
            "first": np.minimum(first, frames - length),
            "length": np.full(count, length),
            "start": start,
            "end": start + self.length,
        }


Cut = Mapping[str, Array]


def stretches(
    opened: Clip | LongClip, windows: Windows | None, fps: float
) -> Iterator[tuple[float, Clip, Cut]]:
    """A recording and how it is cut; of one that is too long to be held a stretch at a time.

    Each window is cut from the stretch in which it begins, to which the frames of the last are added.

    Yields:
        share of the recording that is done with this, its frames, and the columns of `Windows.cut`, of which
        `first` counts from the first of these frames.

    Raises:
        KinemeError: nobody is in a long one, or it is not cut into windows and cannot be held.
    """
    if isinstance(opened, LongClip):
        if windows and len((cut := windows.cut(opened.frames, fps))["first"]) > 1:
            yield from _by_stretch(opened, windows, cut)
            return
        if opened.frames > MAX_FRAMES:
            many = f"has {opened.frames:,} frames, too many to be held as one clip"
            raise KinemeError(f"{opened.name}: {many}; cut it into windows by `window`")
        opened = opened.whole()
    if windows is None:
        yield 1.0, opened, whole(len(opened.xyz), fps)
        return
    cut = windows.cut(len(opened.xyz), fps)
    yield 1.0, opened, cut if windows.empty else with_somebody(opened, cut)


def with_somebody(clip: Clip, cut: Cut) -> Cut:
    """The rows of windows in which somebody is.

    >>> clip = Clip("late", np.repeat([0.0, 1.0], 15).reshape(30, 1, 1, 1) * np.ones((1, 1, 25, 3)))
    >>> with_somebody(clip, Windows(length=0.5, step=0.25).cut(frames=30, fps=30.0))["start"].tolist()
    [0.25, 0.5]
    """
    seen = np.concatenate([[0], clip.xyz.any(axis=(1, 2, 3)).cumsum()])
    shown = seen[cut["first"] + cut["length"]] > seen[cut["first"]]
    return {name: column[shown] for name, column in cut.items()}


def _by_stretch(opened: LongClip, windows: Windows, cut: Cut) -> Iterator[tuple[float, Clip, Cut]]:
    somebody = False
    last = int(cut["first"][-1])
    for begin in range(0, last + 1, opened.step):
        mine = slice(*np.searchsorted(cut["first"], (begin, begin + opened.step)).tolist())
        columns = {name: column[mine] for name, column in cut.items()}
        if len(columns["first"]):
            end = min(begin + opened.step + int(columns["length"][0]), opened.frames)
            clip = opened.part(begin, end - begin)
            somebody = somebody or bool(clip.xyz.any())
            columns["first"] = columns["first"] - begin
            share = min((begin + opened.step) / (last + 1), 1.0)
            yield share, clip, columns if windows.empty else with_somebody(clip, columns)
    if not somebody:
        raise KinemeError(f"{opened.name}: has nobody in any frame; remove it")


def whole(frames: int, fps: float) -> dict[str, Array]:
    """As `Windows.cut`: one row, of the whole recording."""
    return {
        "first": np.zeros(1, dtype=np.int64),
        "length": np.array([frames]),
        "start": np.zeros(1),
        "end": np.array([frames / fps]),
    }


def labels_of(clip: Clip, first: Array, length: Array) -> Array:
    """The class of each window of a recording, -1 if unknown.

    Windows of an untrimmed recording are of the class whose interval they share most frames with; those
    outside all intervals are of none.

    Args:
        clip: the recording.
        first, length: (N,) frames of the windows.

    >>> xyz = np.zeros((90, 1, 25, 3), dtype=np.float32)
    >>> clip = Clip("both", xyz, intervals=[(0, 40, 7), (45, 60, 3)])
    >>> labels_of(clip, first=np.array([0, 30, 70]), length=np.array([20, 20, 20])).tolist()
    [7, 7, -1]
    """
    if not len(clip.intervals):
        return np.full(len(first), clip.label)
    start, end, label = np.array(clip.intervals).T
    shared = np.minimum((first + length)[:, None], end) - np.maximum(first[:, None], start)
    most = shared.argmax(axis=1)
    return np.where(shared.max(axis=1) > 0, label[most], UNLABELLED)
