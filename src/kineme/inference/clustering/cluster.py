"""Kinds of motion without labels: recordings are cut where motions begin and end, and the pieces grouped.

found = cluster(model, ["stores/mine"])
for kind in found.kinds:
    print(kind.number, kind.segments, kind.mean_length)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Unpack

import numpy as np

from kineme.clips.store import Clip
from kineme.errors import KinemeError
from kineme.evaluation.detection.classes import BACKGROUND
from kineme.inference.clustering.changes import DEFAULTS, Changes, segments
from kineme.inference.clustering.kinds import kinds_of
from kineme.inference.clustering.segments import Kinds, Segment, described
from kineme.inference.embed import ROWS, groups, pieces
from kineme.inference.recordings import Inputs, Recordings, open_inputs
from kineme.inference.windows import Windows, whole
from kineme.metrics import Figures, measure
from kineme.model import Model, device_of
from kineme.progress import Progress, silent, within
from kineme.sources.reading import Reading
from kineme.typing import Array

Cut = Literal["auto", "clips", "motions"]
LONG = 10.0  # seconds: a longer recording holds more than one motion
CONTEXT = 1.0  # seconds: what is shorter is encoded with some of what is around it


def cluster(
    model: Model,
    inputs: Inputs,
    *,
    k: int | None = None,
    cut: Cut = "auto",
    window: float | None = None,
    step: float | None = None,
    changes: Changes = DEFAULTS,
    seed: int = 0,
    allow_preprocessing: bool = False,
    skip_bad: bool = False,
    batch_size: int = 256,
    device: str | None = None,
    progress: Progress = silent,
    **reading: Unpack[Reading],
) -> Kinds:
    """Finds kinds of motion without labels.

    Each clip is one segment. Long recordings are first cut where motions begin and end, see `Changes`; parts
    in which nobody is are left out. The segments' features are grouped by density (HDBSCAN), which leaves
    segments unlike any other in no kind, or into a given number of kinds (k-means). What is a person's own
    is taken out first, or a recording's where people are unknown, see `kinds_of`. The same input and seed
    give the same kinds. The features of all segments are held in memory, but only one block of recordings at
    a time.

    Args:
        model: see `kineme.load`.
        inputs: one or several clip stores, and files or folders of poses, as for `embed_table`.
        k: number of kinds. Default: as many as are found.
        cut: `clips` takes each recording whole, `motions` cuts all of them; `auto` cuts those that are known
            to be untrimmed (their store has intervals), and those of more than 10 s, but in a store only if
            most of its clips are that long.
        window: seconds; recordings are cut into windows instead.
        step: seconds from one window's start to the next one's; by default a window.
        changes: how boundaries between motions are found.
        seed: of k-means.
        allow_preprocessing: accept stores with another preprocessing or units.
        skip_bad: skip damaged recordings, with a warning, instead of stopping at the first.
        batch_size: segments per pass of the encoder.
        device: of the encoder; by default a GPU if there is one.
        progress: called with the segments done and in total, which is estimated while recordings are read.
        **reading: what files do not say themselves, see `kineme.sources.reading.Reading`.

    Raises:
        KinemeError: an input cannot be read, does not fit the model or cannot be cut, there are too few
            segments, or all features are equal.

    >>> import kineme
    >>> found = cluster(kineme.load(example_run), [example_store], k=3)
    >>> [kind.number for kind in found.kinds], found.segments[0].label
    ([1, 2, 3], 'wave')
    """
    opened = open_inputs(model, inputs, reading, allow_preprocessing=allow_preprocessing, skip_bad=skip_bad)
    return cluster_opened(
        model,
        opened,
        k=k,
        cut=cut,
        window=window,
        step=step,
        changes=changes,
        seed=seed,
        batch_size=batch_size,
        device=device,
        progress=progress,
    )


def cluster_opened(
    model: Model,
    opened: Sequence[Recordings],
    *,
    k: int | None = None,
    cut: Cut = "auto",
    window: float | None = None,
    step: float | None = None,
    changes: Changes = DEFAULTS,
    seed: int = 0,
    batch_size: int = 256,
    device: str | None = None,
    progress: Progress = silent,
) -> Kinds:
    """`cluster` of inputs that are open already; arguments and errors as there."""
    if step is not None and window is None:
        raise KinemeError("`step` has no effect without `window`; pass both")
    if window is not None and cut != "auto":
        raise KinemeError("`cut` has no effect beside `window`; drop one of them")
    windows = None if window is None else Windows(window, window if step is None else step)
    for each in opened:
        if windows is not None:
            windows.check(each)
        elif cut == "motions":
            _check_motions(each)
    place = device_of(device)
    cutter = _Cutter(cut, windows, changes)
    features = _features(
        model.on(place), opened, cutter, {"batch_size": batch_size, "device": place}, progress
    )
    people = [f"{each.source}: {each.subject or each.name}" for each in cutter.segments]
    kinds, typical = kinds_of(features, k, people=people, seed=seed)
    segments = [
        replace(each, kind=kind, typical=value)
        for each, kind, value in zip(cutter.segments, kinds.tolist(), typical.tolist(), strict=True)
    ]
    return Kinds(tuple(segments), described(segments), cutter.agreement(kinds), cutter.untrimmed)


def _features(
    model: Model,
    inputs: Sequence[Recordings],
    cutter: _Cutter,
    encoding: Mapping[str, Any],
    progress: Progress,
) -> Array:
    """(N, D) features of all segments, in the order in which the cutter gives them."""
    count, rows = sum(each.count for each in inputs), 0
    found = [np.zeros((0, model.encoder.dim), dtype=np.float32)]
    for group, read in groups(inputs, 0, cutter.windows):
        cuts = [cutter.cut(recordings, clip, windows) for recordings, clip, windows in group]
        clips = pieces([clip for _, clip, _ in group], cuts, encoding["device"])
        rows += len(clips)
        for first in range(0, len(clips), ROWS):
            meanwhile = within(progress, sum(map(len, found)), round(rows * count / read))
            found.append(model.encode(clips[first : first + ROWS], **encoding, progress=meanwhile))
    return np.concatenate(found)


@dataclass
class _Cutter:
    """Cuts recordings as they come by, and remembers the segments and what labels say about them."""

    by: Cut
    windows: Windows | None
    changes: Changes
    segments: list[Segment] = field(default_factory=list)  # without their kinds
    true: list[Array] = field(default_factory=list)  # boundaries of each recording that has intervals
    found: list[Array] = field(default_factory=list)
    untrimmed: bool = False

    def cut(self, recordings: Recordings, clip: Clip, windows: Mapping[str, Array]) -> Mapping[str, Array]:
        """What to encode for the segments of a recording, or of a stretch of it: columns of `Windows.cut`."""
        frames, fps = len(clip.xyz), recordings.fps
        if self.windows is not None:
            columns = encoded = windows
        elif self._is_long(recordings, clip):
            first, end = segments(clip.xyz, recordings.layout, fps, self.changes).T
            columns = {"first": first, "length": end - first, "start": first / fps, "end": end / fps}
            encoded = in_context(first, end, round(CONTEXT * fps))
            if clip.intervals:
                edges = np.unique([edge for start, stop, _ in clip.intervals for edge in (start, stop)])
                for there, those in ((self.true, edges), (self.found, np.union1d(first, end))):
                    there.append(those[(those > 0) & (those < frames)])
        else:
            columns = encoded = whole(frames, fps)
        self.untrimmed |= len(columns["first"]) > 1
        self.segments += [
            Segment(recordings.name, clip.name, start, end, 0, np.nan, clip.subject, label)
            for start, end, label in zip(
                columns["start"].tolist(),
                columns["end"].tolist(),
                _labels(clip, recordings.class_names, columns),
                strict=True,
            )
        ]
        return encoded

    def _is_long(self, recordings: Recordings, clip: Clip) -> bool:
        if self.by != "auto":
            return self.by == "motions"
        most = LONG * recordings.fps
        long = len(clip.xyz) > most and (recordings.median is None or recordings.median > most)
        return recordings.preprocessing.keeps_frames and (long or len(clip.intervals) > 0)

    def agreement(self, kinds: Array) -> Figures:
        """What labels say, where there are any."""
        labels = np.array([segment.label for segment in self.segments])
        known, given = labels != "", {}
        if len(np.unique(labels[known])) > 1:
            given = {"labels": labels[known], "clusters": kinds[known]}
        if self.true:
            given |= {"true_boundaries": self.true, "found_boundaries": self.found}
        return measure(**given)


def in_context(first: Array, end: Array, least: int) -> dict[str, Array]:
    """Segments of fewer frames, widened on both sides to as many, as far as the segments around them go.

    >>> in_context(np.array([0, 40, 50]), np.array([40, 50, 55]), least=30)
    {'first': array([ 0, 30, 38]), 'length': array([40, 25, 17])}
    """
    begins = np.ones(len(first), dtype=bool)  # or somebody comes
    begins[1:] = first[1:] != end[:-1]
    run = np.cumsum(begins) - 1
    lacking = np.maximum(least - (end - first), 0)
    begin = np.maximum(first - lacking // 2, first[begins][run])
    stop = np.minimum(end + lacking - lacking // 2, end[np.roll(begins, -1)][run])
    return {"first": begin, "length": stop - begin}


def _check_motions(recordings: Recordings) -> None:
    try:
        recordings.preprocessing.check_keeps_frames()
    except KinemeError as error:
        raise KinemeError(f"`cut`: motions cannot be found in {recordings.name}: {error}") from error


def _labels(clip: Clip, names: Sequence[str], columns: Mapping[str, Array]) -> list[str]:
    """The clip's class; with intervals, that of most frames of each piece, which may be the background."""
    if not clip.intervals:
        return [(*names, "")[clip.label]] * len(columns["first"])
    frames = np.full(len(clip.xyz), len(names))
    for start, end, label in clip.intervals:
        frames[start:end] = label
    parts = zip(columns["first"].tolist(), columns["length"].tolist(), strict=True)
    most = [np.bincount(frames[first : first + length]).argmax() for first, length in parts]
    return [(*names, BACKGROUND)[label] for label in most]
