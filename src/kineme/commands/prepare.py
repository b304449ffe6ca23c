"""`kineme prepare`: raw recordings → clip store."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

from kineme.clips.recipes import MAX_BODIES, Preprocessing, parse_recipe
from kineme.clips.sources import Source
from kineme.clips.sources.container import open_container
from kineme.clips.sources.ntu import open_ntu
from kineme.clips.sources.pkummd import open_pkummd
from kineme.clips.store import TESTS, TRAINS, UNLABELLED, Clip, ClipStore, Manifest, StoreWriter
from kineme.errors import KinemeError
from kineme.layouts import Layout

# source → (how it is opened, the recipe it gets where none is named)
_SOURCES: dict[str, tuple[Callable[[Path], Source], str]] = {
    "ntu60": (partial(open_ntu, actions=60), "agcn"),
    "ntu120": (partial(open_ntu, actions=120), "agcn"),
    "pkummd1": (partial(open_pkummd, phase=1), "agcn"),
    "pkummd2": (partial(open_pkummd, phase=2), "agcn"),
    "container": (open_container, "plain"),
}
_UNTRIMMED: dict[str, tuple[Callable[[Path], Source], str]] = {
    "pkummd1": (partial(open_pkummd, phase=1, untrimmed=True), "plain(facing=True)"),
    "pkummd2": (partial(open_pkummd, phase=2, untrimmed=True), "plain(facing=True)"),
}
_POOL_FROM = 1000  # fewer clips are done before a pool of processes has started
_AHEAD = 16  # clips in flight for each process: memory stays bounded however many there are


def prepare(
    source: Literal["ntu60", "ntu120", "pkummd1", "pkummd2", "container"],
    raw: Path,
    out: Path,
    *,
    recipe: str | None = None,
    untrimmed: bool = False,
    ignore: Path | None = None,
    skip_bad: bool = False,
    overwrite: bool = False,
    workers: int | None = None,
) -> None:
    """Turn raw recordings into a clip store, by a named preprocessing.

    The store appears under its name when it is whole. Its recipe travels into every checkpoint and result.

    Args:
        source: Format of the recordings: `ntu60` or `ntu120`, a folder of .skeleton files; `pkummd1` or
            `pkummd2`, a folder of PKU-MMD's skeletons, labels and splits; `container`, one .npz file.
        raw: The folder or file.
        out: The store to write.
        recipe: Preprocessing: `agcn` (default for NTU RGB+D and PKU-MMD), `crossclr` or `plain` (default for
            containers). `plain` takes `centre` (frame or clip), `facing` and `scale`:
            `"plain(facing=True, scale=True)"`. Untrimmed recordings take `plain` alone (PKU-MMD's by default
            `"plain(facing=True)"`): the others move frames.
        untrimmed: Whole videos of PKU-MMD with their actions as intervals, for detection, in place of one
            clip an action. A container tells by itself.
        ignore: File of clip names to leave out, one a line, such as the list of NTU RGB+D's incomplete clips.
        skip_bad: Leave damaged clips out and list them, instead of stopping at the first.
        overwrite: Replace a store that is there already.
        workers: Processes that read clips; default one a core where that pays.

    Raises:
        KinemeError: the recordings, the list or the recipe are no such thing; a clip is damaged and
            `skip_bad` is not set; or the store cannot be written.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    if untrimmed and source not in _UNTRIMMED:
        raise KinemeError(f"--untrimmed is for {' and '.join(_UNTRIMMED)}, not for {source}")
    opener, usual = (_UNTRIMMED if untrimmed else _SOURCES)[source]
    preprocessing = parse_recipe(recipe or usual)
    if untrimmed:
        preprocessing.check_untrimmed()  # before the folder is gone through
    if workers is not None and workers < 1:
        raise KinemeError(f"--workers {workers}: at least one process has to read")
    origin = opener(raw)
    if origin.untrimmed:
        preprocessing.check_untrimmed()
    items = _kept(origin, _names(ignore) if ignore else frozenset())
    if workers is None:
        pays = origin.costly and len(items) >= _POOL_FROM
        workers = (os.cpu_count() or 1) if pays else 1
    manifest = Manifest(
        layout=origin.layout,
        recipe=preprocessing.recipe,
        source=origin.name,
        class_names=origin.class_names,
        fps=origin.fps,
    )
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    work = _Work(origin.read, origin.layout, preprocessing)
    bad: list[KinemeError] = []
    started = time.perf_counter()
    with (
        StoreWriter(out, manifest, min(origin.bodies, MAX_BODIES), overwrite=overwrite) as writer,
        closing(_in_order(work, items, workers)) as clips,
        Progress(*columns, console=Console(stderr=True), transient=True) as progress,
    ):
        for clip in progress.track(clips, total=len(items), description=f"preparing {out.name}"):
            if isinstance(clip, Clip):
                writer.add(clip)
            elif skip_bad:
                bad.append(clip)
            else:
                raise clip
        if len(bad) == len(items):
            raise bad[0]
    left_out = len(origin.items) - len(items)
    _report(ClipStore(out), time.perf_counter() - started, left_out, bad)


@dataclass(frozen=True)
class _Work:
    """Item → prepared clip. A clip's error is returned, not raised: the reader decides what it means."""

    read: Callable[[Any], Clip]
    layout: Layout
    preprocessing: Preprocessing

    def __call__(self, item: Any) -> Clip | KinemeError:
        try:
            clip = self.read(item)
        except KinemeError as error:
            return error
        try:
            xyz = self.preprocessing(clip.xyz, self.layout)
        except KinemeError as error:
            return KinemeError(f"{clip.name}: {error}")
        return replace(clip, xyz=xyz)


def _in_order(work: _Work, items: Sequence[Any], workers: int) -> Generator[Clip | KinemeError, None, None]:
    """`map(work, items)`, by several processes."""
    if workers == 1:
        yield from map(work, items)
        return
    # Not forked: the progress bar is a thread, and a fork of a threaded process may never wake up.
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        pending: deque[Future[Clip | KinemeError]] = deque()
        try:
            for item in items:
                pending.append(pool.submit(work, item))
                if len(pending) >= _AHEAD * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        except BrokenProcessPool as error:
            raise KinemeError("a reading process was killed (out of memory?); try fewer --workers") from error
        finally:
            pool.shutdown(cancel_futures=True)


def _kept(origin: Source, ignored: frozenset[str]) -> list[Any]:
    items = [item for name, item in zip(origin.names, origin.items, strict=True) if name not in ignored]
    if not items:
        raise KinemeError(f"the --ignore list names every clip of {origin.name}; nothing is left to prepare")
    return items


def _names(path: Path) -> frozenset[str]:
    """The clip names of a list, one a line; other lines do no harm, as they name no clip."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise KinemeError(f"{path}: cannot be read as a list of clip names ({error})") from error
    return frozenset(line.strip().removesuffix(".skeleton") for line in lines)


def _report(store: ClipStore, seconds: float, left_out: int, bad: Sequence[KinemeError]) -> None:
    size = sum(file.stat().st_size for file in store.path.iterdir())
    subjects = set(store.index["subject"]) - {""}
    classes = {*store.labels.tolist(), *store.intervals["label"].tolist()} - {UNLABELLED}
    print(
        f"{store.path}: {len(store):,} clips, {len(store.frames):,} frames, {len(classes)} classes, "
        f"{len(subjects)} subjects\n"
        f"layout {store.layout.name}, recipe {store.manifest.recipe.id}, source {store.manifest.source}\n"
        f"{size / 1e6:,.1f} MB in {seconds:.1f} s ({len(store) / seconds:,.0f} clips/s)"
    )
    for name, parts in sorted(store.splits.items()):
        train, test = (int((parts == part).sum()) for part in (TRAINS, TESTS))
        print(f"split {name}: {train:,} clips train, {test:,} test, {len(store) - train - test:,} in neither")
    if left_out:
        print(f"left out by the --ignore list: {left_out:,}")
    if bad:
        print(f"left out as damaged: {len(bad):,}", *bad, sep="\n  ")
