"""Raw recordings → clip store, by a named preprocessing."""

from __future__ import annotations

import inspect
import logging
import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from kineme.clips.absent import preprocessed, told
from kineme.clips.disk import FramesAs
from kineme.clips.store import Clip, ClipStore, Manifest
from kineme.clips.writer import StoreWriter
from kineme.errors import KinemeError, check_between, one_line
from kineme.layouts import Layout
from kineme.preprocessing import MAX_BODIES, Preprocessing, first_bodies, parse_preprocessing
from kineme.progress import Progress, silent
from kineme.sources import SOURCES, Source
from kineme.sources.measure import Measured, measured, remark_on_height
from kineme.sources.raw import skippable
from kineme.sources.reading import Reading
from kineme.sources.splits import Lists, read_splits
from kineme.sources.workers import in_order
from kineme.spreading import workers_for, write_shards

logger = logging.getLogger(__name__)

SHARD = 100_000  # recordings of a shard
_POOL_FROM = 1000  # fewer clips are done before a pool of processes has started
_CHECKED = 1000  # clips that a dry run reads, of as many or more
_MAX_WORKERS = 16  # the one process that writes keeps no more of them busy


@dataclass(frozen=True)
class Prepared:
    """The outcome of `prepare`.

    Attributes:
        store: the new store, opened.
        ignored: clips that the `ignore` list left out.
        damaged: why each of the damaged clips was left out.
        seconds: time spent on reading, preprocessing and writing.
    """

    store: ClipStore
    ignored: int
    damaged: tuple[str, ...]
    seconds: float

    @property
    def clips_per_second(self) -> float:
        """Clips read, damaged ones included."""
        return (len(self.store) + len(self.damaged)) / self.seconds


@dataclass(frozen=True)
class Plan:
    """What `prepare` is going to do.

    Attributes:
        source: the recordings, opened.
        preprocessing: that they go through.
        items: of the source, without those on the `ignore` list.
        first: a clip, as it is read; the error, if none of the first ones can be read.
        splits: clip → the splits that a list names it in, and whether it is for training.
        processed: they have been through the preprocessing already.
    """

    source: Source
    preprocessing: Preprocessing
    items: list[Any]
    first: Measured | KinemeError
    splits: Lists
    processed: bool = False

    @property
    def confidence(self) -> bool:
        """Whether the store has confidences."""
        return self.source.confidence and self.preprocessing.keeps_frames


@dataclass(frozen=True)
class Checked:
    """The outcome of `check`.

    Attributes:
        read: clips that were read, of those that are to be prepared.
        damaged: why `prepare` would stop at some of them, or leave them out.
    """

    read: int
    damaged: tuple[str, ...]


def plan(
    source: str,
    raw: str | Path,
    *,
    preprocessing: str | None = None,
    processed: bool = False,
    untrimmed: bool = False,
    ignore: str | Path | None = None,
    splits: str | Path | None = None,
    **options: Any,
) -> Plan:
    """Opens recordings and reads one of them, as `prepare` does first; nothing is written.

    Args:
        source, raw, preprocessing, processed, untrimmed, ignore, splits, options: as `prepare`.

    Raises:
        KinemeError: the source, an option, the recordings, the list or the preprocessing is invalid.

    >>> import numpy
    >>> (example_folder / "planned").mkdir()
    >>> numpy.save(example_folder / "planned" / "first.npy", numpy.random.rand(40, 25, 3))
    >>> planned = plan("poses", example_folder / "planned", layout="ntu25", fps=30.0)
    >>> planned.source.layout.name, planned.first.clip.xyz.shape, planned.preprocessing.id
    ('ntu25', (40, 1, 25, 3), 'plain')
    """
    open_source = SOURCES[source]
    chosen = None if preprocessing is None else parse_preprocessing(preprocessing)
    if processed and chosen is None:
        raise KinemeError(
            "`processed`: set `preprocessing` to what the recordings went through, such as agcn"
        )
    options |= {"untrimmed": True} if untrimmed else {}
    taken = _check_options(source, open_source, options)
    origin = open_source(Path(raw), **options)
    _check_source(source, origin)
    chosen = chosen or parse_preprocessing(origin.preprocessing)
    if origin.untrimmed:
        chosen.check_keeps_frames()
    if not origin.items:
        raise KinemeError(f"{raw}: {origin.name} finds no recordings here; is it the right folder?")
    items = _kept(origin, _names(Path(ignore)) if ignore else frozenset())
    lists = read_splits(Path(splits), origin.names) if splits else {}
    first = measured(origin, items)
    if isinstance(first, Measured):
        remark_on_height(origin, first, units="units" in taken)
    return Plan(origin, chosen, items, first, lists, processed)


def check(planned: Plan, *, workers: int | None = None, progress: Progress = silent) -> Checked:
    """Reads and preprocesses clips as `prepare` does; nothing is written.

    Of more than a thousand clips, as many are read, evenly spread. Of recordings that take minutes each, such
    as videos, none is.

    Args:
        planned: what `plan` gives.
        workers: processes that read clips; by default one per core where that pays off.
        progress: called after each clip with the clips done and in total.

    >>> import numpy
    >>> (example_folder / "checked").mkdir()
    >>> numpy.save(example_folder / "checked" / "a.npy", numpy.random.rand(40, 25, 3))
    >>> _ = (example_folder / "checked" / "b.npy").write_bytes(b"cut off")
    >>> planned = plan("poses", example_folder / "checked", layout="ntu25", fps=30.0)
    >>> check(planned).damaged[0].split("checked")[1]
    '/b.npy: is not a .npy array, or is damaged; fix the file'
    """
    if planned.source.long:
        return Checked(0, ())
    chosen = np.unique(np.linspace(0, len(planned.items) - 1, _CHECKED).round().astype(np.int64))
    items = [planned.items[i] for i in chosen.tolist()]
    workers = _workers(planned.source, len(items)) if workers is None else workers
    damaged = []
    with closing(in_order(partial(_damage, _work(planned)), items, workers)) as found:
        for done, reason in enumerate(found, start=1):
            damaged += [reason] if reason else []
            progress(done, len(items))
    return Checked(len(items), tuple(damaged))


def prepare(
    source: str,
    raw: str | Path,
    out: str | Path,
    *,
    preprocessing: str | None = None,
    processed: bool = False,
    untrimmed: bool = False,
    ignore: str | Path | None = None,
    splits: str | Path | None = None,
    skip_bad: bool = False,
    overwrite: bool = False,
    workers: int | None = None,
    ray: bool = False,
    shard: int | None = None,
    frames_as: FramesAs = "float32",
    progress: Progress = silent,
    **options: Any,
) -> Prepared:
    """Turns raw recordings into a clip store, which appears under its name only once it is complete.

    Many recordings become a store of several shards, which are written in parallel. If the preparation is
    interrupted, finished shards are kept, and the same call continues from there.

    Args:
        source: name of a raw format in `kineme.sources.SOURCES`, or its dotted path.
        raw: the recordings: a folder, a zip as downloaded, a folder of zips, or a file.
        out: directory of the store.
        preprocessing: such as `agcn` or `plain(facing=True)`; by default the source's own.
        processed: the recordings have already been through this preprocessing; they are stored as they are.
        untrimmed: whole recordings with labelled intervals, from sources that have both.
        ignore: file of clip names to leave out, one per line.
        splits: table of your own splits: a column `name` of clip names, and for each split a column of its
            name with train, test or nothing.
        skip_bad: leave damaged clips out instead of stopping at the first.
        overwrite: replace an existing store.
        workers: processes that read clips; by default one per core where that pays off.
        ray: shards are written by a Ray cluster whose machines reach `raw` and `out` under the same paths.
        shard: recordings per shard; by default 100,000 if there are more than 200,000, else all.
        frames_as: how coordinates are stored, see `StoreWriter`.
        progress: called after each clip with the clips done and in total; for videos, after each frame with
            the frames done and in total.
        options: of the source, see its function in `kineme.sources`.

    Raises:
        KinemeError: the source, an option, the recordings, the list or the preprocessing is invalid; a clip
            is damaged and `skip_bad` is not set; or the store cannot be written.

    >>> import kineme, numpy
    >>> (example_folder / "raw" / "wave").mkdir(parents=True)
    >>> numpy.save(example_folder / "raw" / "wave" / "first.npy", numpy.random.rand(40, 25, 3))
    >>> raw, out = example_folder / "raw", example_folder / "prepared"
    >>> prepared = kineme.prepare("poses", raw, out, layout="ntu25")
    >>> prepared.store.names.tolist(), prepared.store.manifest.preprocessing.id
    (['wave/first'], 'plain')
    """
    for name, value in (("workers", workers), ("shard", shard)):
        if value is not None:
            check_between(f"`{name}`", value, 1)
    planned = plan(
        source,
        raw,
        preprocessing=preprocessing,
        processed=processed,
        untrimmed=untrimmed,
        ignore=ignore,
        splits=splits,
        **options,
    )
    origin, items = planned.source, planned.items
    workers = _workers(origin, len(items)) if workers is None else workers
    if origin.confidence and not planned.confidence:
        moves = planned.preprocessing.id
        logger.warning("preprocessing %s moves frames, so the store has no confidences", moves)
    manifest = _manifest(origin, planned.preprocessing)
    if shard is None:
        shard = SHARD if len(items) > 2 * SHARD else len(items)
    settings: dict[str, Any] = {
        "bodies": min(origin.bodies, MAX_BODIES),
        "confidence": planned.confidence,
        "frames_as": frames_as,
    }
    started = time.perf_counter()
    if shard < len(items) or ray:
        common = {"prepared": _work(planned), "manifest": manifest, "skip_bad": skip_bad, **settings}
        parts = [items[first : first + shard] for first in range(0, len(items), shard)]
        count = workers if origin.costly else 1  # what other sources read does not go to other processes
        with workers_for(count, ray) as chosen_workers:
            damaged = write_shards(Path(out), parts, common, chosen_workers, overwrite, progress)
    else:
        counted = _Counted(origin, items, progress)
        work = _work(planned, counted.read if workers == 1 and origin.long else None)
        with (
            StoreWriter(out, manifest, overwrite=overwrite, **settings) as writer,
            closing(in_order(work, items, workers)) as clips,
        ):
            damaged = _written(clips, writer, counted, skip_bad=skip_bad)
            if len(damaged) == len(items):
                raise KinemeError(damaged[0])
    seconds = time.perf_counter() - started
    return Prepared(ClipStore(out), len(origin.items) - len(items), tuple(damaged), seconds)


def _workers(origin: Source, items: int) -> int:
    """Processes that read so many items: one per core where that pays off."""
    return min(os.cpu_count() or 1, _MAX_WORKERS) if origin.costly and items >= _POOL_FROM else 1


def _manifest(origin: Source, preprocessing: Preprocessing) -> Manifest:
    """Of the store that a source's recordings become."""
    return Manifest(
        layout=origin.layout,
        preprocessing=preprocessing,
        source=origin.name,
        class_names=origin.class_names,
        fps=origin.fps,
        units=preprocessing.units(origin.units),
        fps_status="known" if origin.fps_known else "assumed",
    )


def _written(
    clips: Iterable[Clip | KinemeError], writer: StoreWriter, counted: _Counted, *, skip_bad: bool
) -> list[str]:
    """Adds clips to a store; returns what is wrong with the damaged ones.

    Raises:
        KinemeError: a clip is damaged and `skip_bad` is not set.
    """
    damaged = []
    for done, clip in enumerate(clips, start=1):
        if isinstance(clip, Clip):
            writer.add(clip)
        elif skip_bad:
            damaged.append(str(clip))
        else:
            raise skippable(clip)
        counted.clips(done)
    return damaged


class _Counted:
    """Progress in clips; in frames where reading takes minutes, which are told while they are read."""

    def __init__(self, origin: Source, items: Sequence[Any], progress: Progress) -> None:
        self._progress, self._long = progress, origin.long
        lengths = [origin.long.frames(item) if origin.long else 1 for item in items]
        self._ends = [0, *accumulate(lengths)]
        self._done = 0

    def read(self, item: Any) -> Clip:
        assert self._long is not None
        start, end = self._ends[self._done : self._done + 2]

        def on_the_way(done: int, total: int) -> None:
            self._progress(min(start + done, end), self._ends[-1])

        return self._long.read(item, on_the_way)

    def clips(self, done: int) -> None:
        self._done = done
        self._progress(self._ends[done], self._ends[-1])


@dataclass(frozen=True)
class _Work:
    """Item → prepared clip. A clip's error is returned, not raised: the caller decides what it means."""

    read: Callable[[Any], Clip]
    layout: Layout
    preprocessing: Preprocessing | None  # None: already done
    confidence: bool
    splits: Lists

    def __call__(self, item: Any) -> Clip | KinemeError:
        try:
            clip = self.read(item)
        except KinemeError as error:
            return error
        if self.splits:
            clip = replace(clip, splits={**clip.splits, **self.splits.get(clip.name, {})})
        if self.preprocessing is None:
            return clip
        clip = told(clip, self.layout)
        try:
            prepared = preprocessed(clip, self.preprocessing, self.layout)
        except KinemeError as error:
            return KinemeError(f"{clip.name}: {error}")
        kept = None
        if self.confidence and clip.confidence is not None:
            kept = clip.confidence[:, first_bodies(clip.xyz)]
        return replace(prepared, confidence=kept)


def _work(planned: Plan, read: Callable[[Any], Clip] | None = None) -> _Work:
    """How items become clips of the store; `read` takes the place of the source's own."""
    origin, preprocessing = planned.source, planned.preprocessing
    own = read or origin.reader(preprocessing)
    done = planned.processed
    return _Work(own, origin.layout, None if done else preprocessing, planned.confidence, planned.splits)


def _damage(work: _Work, item: Any) -> str | None:
    """What is wrong with an item; None if it becomes a clip."""
    found = work(item)
    return str(found) if isinstance(found, KinemeError) else None


def options_of(open_source: Callable[..., Source]) -> list[str]:
    """Names of the keyword arguments of a source's function."""
    parameters = inspect.signature(open_source).parameters.values()
    own = [each.name for each in parameters if each.kind is each.KEYWORD_ONLY]
    reads = any(each.kind is each.VAR_KEYWORD for each in parameters)  # as `**reading: Unpack[Reading]`
    return [*(Reading.__annotations__ if reads else ()), *own]


def _check_options(source: str, open_source: Callable[..., Source], options: dict[str, Any]) -> list[str]:
    """The keyword arguments of the source's function; refuses options that are not among them."""
    takes = options_of(open_source)
    for name in options:
        if name not in takes:
            known = f"it takes {', '.join(f'`{each}`' for each in takes)}" if takes else "it takes none"
            raise KinemeError(f"source {source} has no option `{name}`; {known}")
    return takes


def _check_source(source: str, origin: Any) -> None:
    """Refuses what a source's function returned, which may be anybody's, if clips cannot be read from it."""
    if not isinstance(origin, Source):
        raise KinemeError(f"source {source}: returns {type(origin).__name__}; return a Source")
    if len(origin.names) != len(origin.items):
        counts = f"{len(origin.names)} `names` and {len(origin.items)} `items`"
        raise KinemeError(f"source {source}: has {counts}; give one of each per clip")


def _kept(origin: Source, ignored: frozenset[str]) -> list[Any]:
    """Items of the clips that are not ignored."""
    pairs = zip(origin.names, origin.items, strict=True)
    kept = [item for name, item in pairs if name not in ignored]
    if not kept:
        raise KinemeError(f"`ignore`: the list names every clip of {origin.name}; nothing is left to prepare")
    return kept


def _names(path: Path) -> frozenset[str]:
    """The clip names of a list, one a line. Other lines do no harm, as they match no clip."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise KinemeError(f"{path}: cannot be read as a list of clip names ({one_line(error)})") from error
    return frozenset(line.strip().removesuffix(".skeleton") for line in lines)
