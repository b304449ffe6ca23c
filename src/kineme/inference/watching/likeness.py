"""Motion like given examples: windows are compared with them by cosine similarity; no labels are needed."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Unpack

import numpy as np

from kineme.arguments import did_you_mean
from kineme.clips.absent import preprocessed
from kineme.clips.batches import Clips, joined
from kineme.clips.retargeted import RetargetedStore
from kineme.clips.store import Clip, ClipStore
from kineme.errors import KinemeError
from kineme.inference.searching.queries import Part, cut_out
from kineme.inference.windows import Windows, whole
from kineme.model import Model, device_of
from kineme.progress import Progress, silent
from kineme.sources.reading import Reading, joint_map_of, stated
from kineme.sources.recordings import open_recordings
from kineme.typing import Array

logger = logging.getLogger(__name__)

RARE = 0.05  # of the library's moments are as similar as the threshold
MOST, LEAST = 1000, 20  # moments of the library that are looked at
WIDER = 1.5  # an event ends where 1 - similarity is so many times that at which it starts


@dataclass(frozen=True)
class Likeness:
    """A `Judge` by examples; `like` returns one.

    Attributes:
        model: encodes windows.
        class_names: names of the K examples.
        window: length of a window in seconds.
        examples: (K, D) their features, of length 1.
        starts: (K,) the similarity at which an event starts.
        device: of the encoder.
        measure: what its scores are.

    >>> import kineme
    >>> model, store = kineme.load(example_run), kineme.open_store(example_store)
    >>> judge = like(model, {"bow": ("S001C002P001R001A004", (1.0, 3.0))}, library=store, threshold=0.9)
    >>> clips = joined([store.clip(row) for row in range(3)])
    >>> judge.ends.round(2).tolist(), judge.scores(clips).shape
    ([0.85], (3, 1))
    """

    model: Model
    class_names: tuple[str, ...]
    window: float
    examples: Array
    starts: Array
    device: str | None = None
    measure: str = "similarity"

    @property
    def ends(self) -> Array:
        """(K,) the similarity below which an event ends."""
        ends: Array = 1 - WIDER * (1 - self.starts)
        return ends

    def scores(self, clips: Clips) -> Array:
        """Preprocessed windows → (N, K) cosine similarities."""
        similarity: Array = _unit(self.model.encode(clips, device=self.device)) @ self.examples.T
        return similarity


@dataclass(frozen=True)
class _Example:
    clip: Clip  # preprocessed
    seconds: float
    row: int | None = None  # of the library, and which frames of it
    frames: tuple[int, int] = (0, 0)

    def overlaps(self, row: int, first: int, end: int) -> bool:
        """Whether it shares frames with those of a clip of the library."""
        return row == self.row and first < self.frames[1] and end > self.frames[0]


def like(
    model: Model,
    examples: Mapping[str, tuple[str | Path, Part | None]],
    *,
    library: str | Path | ClipStore | None = None,
    window: float | None = None,
    threshold: float | None = None,
    allow_preprocessing: bool = False,
    device: str | None = None,
    progress: Progress = silent,
    **reading: Unpack[Reading],
) -> Likeness:
    """A judge that watches for motion like given examples.

    Each example is prepared in the same way as a window of a stream: its part is preprocessed by itself.

    Args:
        model: see `kineme.load`.
        examples: name of the event → (clip of the library or file of poses, part of it in seconds or None).
        library: a clip store.
        window: seconds; by default the length of the longest example.
        threshold: the similarity at which an event starts. Default: for each example, the similarity that
            5 % of the library's moments reach, excluding those that overlap an example.
        allow_preprocessing: accept a library with another preprocessing or units.
        device: of the encoder; by default a GPU if there is one.
        progress: called with the moments of the library done and in total.
        **reading: for the library, its `joint_map`; for files, what they do not say themselves, see
            `kineme.sources.reading.Reading`.

    Raises:
        KinemeError: an example cannot be found or read, the library does not fit the model, or there is
            nothing to derive a threshold from.

    >>> import kineme
    >>> model = kineme.load(example_run)
    >>> bow = {"bow": ("S001C002P001R001A004", (1.0, 3.0))}
    >>> judge = like(model, bow, library=example_store)
    >>> judge.window, judge.starts.shape, bool(judge.starts[0] < 1)
    (2.0, (1,), True)
    """
    if not examples:
        raise KinemeError("`like` names no example")
    if threshold is not None and not -1 <= threshold <= 1:
        raise KinemeError(f"`threshold`: is {threshold:g}; a similarity is at most 1")
    told, model = stated(reading), model.on(device_of(device))
    store = None
    if library is not None:
        library = library if isinstance(library, ClipStore) else ClipStore(library)
        store = model.fitted(library, joint_map_of(told))
        model.check(store, allow_preprocessing=allow_preprocessing)
    found = [_example(model, store, query, part, told) for query, part in examples.values()]
    if window is None:
        if not model.preprocessing.keeps_frames:
            raise KinemeError(
                f"`window`: preprocessing {model.preprocessing.id} moves frames, so the length of an example "
                "is not known; set it, such as 2 s"
            )
        window = max(each.seconds for each in found)
    features = _unit(model.encode(_joined([each.clip for each in found]), device=device))
    if threshold is not None:
        starts = np.full(len(found), threshold, dtype=np.float32)
    elif store is None:
        raise KinemeError("`threshold`: set it, or name a `library` to derive it from")
    else:
        moments = _moments(model, store, window, found)
        similarity = _unit(model.encode(_joined(moments), device=device, progress=progress)) @ features.T
        starts = np.quantile(similarity, 1 - RARE, axis=0).astype(np.float32)
        for name, start in zip(examples, starts.tolist(), strict=True):
            logger.info("%s: starts at similarity %.3f, which %g %% of %s reach", name, start, 100 * RARE,
                        f"{len(moments):,} moments of {store.path}")  # fmt: skip
    return Likeness(model, tuple(examples), window, features, starts, device)


def _example(
    model: Model, store: ClipStore | None, query: str | Path, part: Part | None, reading: Reading
) -> _Example:
    row = None if store is None else store.row(str(query))
    if store is not None and row is not None:
        rate = store.manifest.fps
        if part is not None:
            store.manifest.preprocessing.check_keeps_frames()
        _, _, frames = cut_out(str(query), int(store.index["frames"][row]), rate, part)
        if not store.clip(row)[frames].any():
            raise KinemeError(f"`like`: nobody is in {query}; choose another example, or part of it")
        seconds = (frames.stop - frames.start) / rate
        again = _again(model, store, row, frames.start, frames.stop)
        return _Example(again, seconds, row, (frames.start, frames.stop))
    if not Path(query).is_file():
        if store is None:
            raise KinemeError(f"`like`: there is no file {query}; name a `library` to take one of its clips")
        raise KinemeError(
            f"`like`: {store.path} has no clip {str(query)!r}, and there is no such file"
            f"{did_you_mean(str(query), store.names.tolist())}"
        )
    source = open_recordings(Path(query), reading, model.shape.layout)
    if len(source.items) != 1:
        raise KinemeError(f"{query}: holds {len(source.items)} recordings; an example is one")
    recording = source.read(source.items[0])
    _, _, frames = cut_out(str(query), len(recording.xyz), source.fps, part)
    cut = replace(recording, xyz=recording.xyz[frames])
    (clip,) = model.prepared(replace(source, read=lambda _: cut), joint_map_of(reading))
    return _Example(clip, len(cut.xyz) / source.fps)


def _moments(model: Model, store: ClipStore, window: float, examples: Sequence[_Example]) -> list[Clip]:
    """At most `MOST` windows of a library, evenly spread over it, each preprocessed by itself.

    Where the preprocessing moves frames they are whole clips.
    """
    fps, lengths = store.manifest.fps, store.index["frames"].tolist()
    cut = Windows(window, window / 2).cut if store.manifest.preprocessing.keeps_frames else whole
    places = []
    for row, frames in enumerate(lengths):
        windows = cut(frames, fps)
        ends = windows["first"] + windows["length"]
        for first, end in zip(windows["first"].tolist(), ends.tolist(), strict=True):
            if not any(each.overlaps(row, first, end) for each in examples):
                places.append((row, first, end))
    chosen = np.unique(np.linspace(0, len(places) - 1, min(len(places), MOST)).astype(int))
    moments = []
    for place in chosen.tolist() if places else []:
        row, first, end = places[place]
        if store.clip(row)[first:end].any():
            moments.append(_again(model, store, row, first, end))
    if len(moments) < LEAST:
        raise KinemeError(
            f"`threshold`: {store.path} has {len(moments)} other moments of {window:g} s, too few to derive "
            f"it from; set it, such as 0.9, or name a `library` with at least {LEAST}"
        )
    return moments


def _joined(clips: Sequence[Clip]) -> Clips:
    return joined([each.xyz for each in clips], [each.present for each in clips])


def _again(model: Model, store: ClipStore, row: int, first: int, end: int) -> Clip:
    """A part of a preprocessed clip, preprocessed by itself, as a window of a stream is.

    For `plain` that is as if the part had been cut before: origin, turn and scale of the whole clip do not
    matter to those of its part. A retargeted part is computed from its original, because joints that are not
    its own also place and scale it.
    """
    name, preprocessing = str(store.names[row]), model.preprocessing
    part = Clip(name, store.clip(row)[first:end], present=store.clip_present(row))
    if preprocessing.keeps_frames and isinstance(store, RetargetedStore):
        given = store.original
        part = Clip(name, given.clip(row)[first:end], present=given.clip_present(row))
        part = store.retargeting(part, preprocessing)
    elif preprocessing.keeps_frames:
        part = preprocessed(part, preprocessing, store.layout)
    xyz = part.xyz[:, : model.shape.bodies]
    missing = model.shape.bodies - xyz.shape[1]
    return replace(part, xyz=np.pad(xyz, ((0, 0), (0, missing), (0, 0), (0, 0))))


def _unit(features: Array) -> Array:
    unit: Array = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    return unit
