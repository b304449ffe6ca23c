"""Stores and files of poses as one thing: recordings that are preprocessed and in a model's layout."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from kineme.clips.folders import is_store
from kineme.clips.store import Clip, ClipStore
from kineme.errors import KinemeError
from kineme.layouts import Layout
from kineme.model import Model
from kineme.preprocessing import Preprocessing
from kineme.runs import WEIGHTS
from kineme.sources import LONG, STRETCH, Source
from kineme.sources.raw import skippable
from kineme.sources.reading import Reading, check_no_effect, joint_map_of, stated
from kineme.sources.recordings import open_recordings

logger = logging.getLogger(__name__)

ROWS = 1 << 12  # of a store's columns that are in memory

Inputs = str | Path | ClipStore | Sequence[str | Path | ClipStore]


@dataclass(frozen=True)
class LongClip:
    """A recording that is too long to be held, such as a day of motion; preprocessed as others are.

    Attributes:
        name: of the recording.
        frames: of it.
        step: frames that are read at a time.
        part: first frame and number of frames → the clip of these.
        whole: reads it nevertheless, if that can be.
    """

    name: str
    frames: int
    step: int
    part: Callable[[int, int], Clip]
    whole: Callable[[], Clip]


@dataclass(frozen=True)
class Recordings:
    """An input, opened: its recordings are preprocessed and in the model's layout.

    Attributes:
        name: as it was given.
        preprocessing: of its clips.
        layout: of its clips, the model's.
        fps: frames per second.
        class_names: that labels index.
        count: of recordings.
        median: frames of a store's clips, at the median; None of files, which have not been read.
        opened: number → the recordings from this one on, one by one, each with the number of the next; those
            before it are not read.
        identity: changes when the recordings do.
    """

    name: str
    preprocessing: Preprocessing
    layout: Layout
    fps: float
    class_names: Sequence[str]
    count: int
    median: float | None
    opened: Callable[[int], Iterator[tuple[int, Clip | LongClip]]]
    identity: Mapping[str, Any]

    def clips(self, first: int) -> Iterator[tuple[int, Clip]]:
        """As `opened`; long ones are held nevertheless, or refused."""
        for number, clip in self.opened(first):
            yield number, clip.whole() if isinstance(clip, LongClip) else clip

    def alone(self, number: int) -> Recordings:
        """One of them."""
        return replace(
            self,
            count=1,
            opened=lambda first: ((1, clip) for _, clip in islice(self.opened(number), first, 1)),
            identity={**self.identity, "number": number},
        )


def open_input(
    model: Model,
    taken: str | Path | ClipStore,
    reading: Reading,
    *,
    allow_preprocessing: bool = False,
    skip_bad: bool | None = None,
) -> Recordings:
    """Opens a store, or recordings.

    Args:
        model: that they are prepared for.
        taken: the store, file or folder.
        reading: what files do not say themselves.
        allow_preprocessing: accept a store with another preprocessing or units.
        skip_bad: leave damaged recordings out, with a warning; None if the caller has no such setting.

    Raises:
        KinemeError: it cannot be read, does not fit the model, or an option has no effect on it.
    """
    told = stated(reading)
    if isinstance(taken, str | Path) and is_store(taken):
        taken = ClipStore(taken)
    if isinstance(taken, ClipStore):
        check_no_effect(told, f"the store {taken.path}, which describes itself")
        store = model.fitted(taken, joint_map_of(told))
        model.check(store, allow_preprocessing=allow_preprocessing)
        return _of_store(store, taken.address)
    if (Path(taken) / WEIGHTS).is_file():
        raise KinemeError(f"{taken}: is a run directory; name a clip store or recordings")
    return _of_files(model, taken, told, skip_bad)


def _of_store(store: ClipStore, name: str) -> Recordings:
    manifest = store.manifest
    return Recordings(
        name=name,
        preprocessing=manifest.preprocessing,
        layout=store.layout,
        fps=manifest.fps,
        class_names=manifest.class_names,
        count=len(store),
        median=float(np.median(store.index["frames"])) if len(store) else None,
        opened=lambda first: _stored(store, first),
        identity={"store": manifest.fingerprint, "classes": manifest.class_names, "fps": manifest.fps},
    )


def _of_files(model: Model, taken: str | Path, told: Reading, skip_bad: bool | None) -> Recordings:
    source = open_recordings(Path(taken), told, model.shape.layout)
    joint_map = joint_map_of(told)
    opener = _Opener(model, source, model.reader(source, joint_map), model.preparer(source, joint_map))
    return Recordings(
        name=str(taken),
        preprocessing=model.preprocessing,
        layout=model.shape.layout,
        fps=source.fps,
        class_names=source.class_names,
        count=len(source.items),
        median=None,
        opened=lambda first: _read(source, opener, first, skip_bad),
        identity={
            **told,
            "files": _files(Path(taken), source),
            "layout": source.layout.to_dict(),
            "classes": source.class_names,
            "fps": source.fps,
            "skip_bad": skip_bad,
        },
    )


def open_inputs(
    model: Model,
    inputs: Inputs,
    reading: Reading,
    *,
    allow_preprocessing: bool,
    skip_bad: bool,
) -> list[Recordings]:
    """Opens one or several, see `open_input`."""
    if isinstance(inputs, str | Path | ClipStore):
        inputs = [inputs]
    return [
        open_input(model, each, reading, allow_preprocessing=allow_preprocessing, skip_bad=skip_bad)
        for each in inputs
    ]


def _read(
    source: Source, opener: Callable[[Any, str], Clip | LongClip], first: int, skip_bad: bool | None
) -> Iterator[tuple[int, Clip | LongClip]]:
    wrong: KinemeError | None = None
    some = first > 0
    for number, item in enumerate(source.items[first:], first + 1):
        try:
            clip = opener(item, source.names[number - 1])
        except KinemeError as error:
            if skip_bad is None:
                raise
            if not skip_bad:
                raise skippable(error) from error
            logger.warning("left out as damaged: %s", error)
            wrong = wrong or error
        else:
            some = True
            yield number, clip
    if wrong is not None and not some:
        raise wrong


@dataclass(frozen=True)
class _Opener:
    """Opens recordings: `read` reads and prepares a whole one, `prepare` prepares a stretch of a long one."""

    model: Model
    source: Source
    read: Callable[[Any], Clip]
    prepare: Callable[[Clip], Clip]

    def __call__(self, item: Any, name: str) -> Clip | LongClip:
        stretched = self.source.stretched(item) if self.source.stretched else None
        if stretched is None:
            return self.read(item)
        read, shape = stretched.read, self.model.shape
        empty = shape.bodies, shape.layout.num_joints, 3

        def part(first: int, count: int) -> Clip:
            clip = read(first, count)
            if clip.xyz.any():
                return self.prepare(clip)
            return replace(clip, xyz=np.zeros((count, *empty), np.float32))

        return LongClip(name, stretched.frames, stretched.step, part, partial(self.read, item))


def _stored(store: ClipStore, first: int) -> Iterator[tuple[int, Clip | LongClip]]:
    untrimmed = len(store.intervals["clip"]) > 0
    empty = np.zeros((0, 0, 0, 0), np.float32)
    for at in range(first, len(store), ROWS):
        columns = (
            column[at : at + ROWS].tolist()
            for column in (store.names, store.labels, store.index["subject"], store.index["frames"])
        )
        for row, (name, label, subject, frames) in enumerate(zip(*columns, strict=True), start=at):
            intervals = store.clip_intervals(row) if untrimmed else ()
            present = store.clip_present(row)
            clip = Clip(name, empty, label=label, subject=subject, intervals=intervals, present=present)
            part = partial(_part, store, int(store.index["offset"][row]), clip)
            whole = partial(part, 0, frames)
            yield row + 1, LongClip(name, frames, STRETCH, part, whole) if frames > LONG else whole()


def _part(store: ClipStore, offset: int, clip: Clip, first: int, count: int) -> Clip:
    """Frames of a recording in a store, and as much of its intervals as is in them."""
    inside = [
        (max(start - first, 0), min(end - first, count), label)
        for start, end, label in clip.intervals
        if start < first + count and end > first
    ]
    return replace(clip, xyz=store.frames[offset + first : offset + first + count], intervals=inside)


def _files(path: Path, source: Source) -> list[tuple[Any, ...]]:
    """What files are taken for unchanged by: names, sizes and times."""
    if path.is_file():
        return [_seen(path)]
    return [
        (each.name, each.label, each.subject, *(_seen(file.path) for file in each.files))
        for each in source.items
    ]


def _seen(path: Path) -> tuple[str, int, int]:
    told = path.stat()
    return str(path.resolve()), told.st_size, told.st_mtime_ns
