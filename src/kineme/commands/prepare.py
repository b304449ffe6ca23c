"""`kineme prepare`: raw recordings → clip store."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from kineme import __version__
from kineme.clips import published
from kineme.clips.store import TESTS, TRAINS, UNLABELLED, Clip, ClipStore, Manifest
from kineme.clips.writer import StoreWriter
from kineme.errors import KinemeError
from kineme.layouts import Layout
from kineme.preprocessing import MAX_BODIES, Preprocessing, first_bodies, parse_preprocessing
from kineme.sources import Source
from kineme.sources.arrays import open_arrays
from kineme.sources.container import open_container
from kineme.sources.ntu import open_ntu
from kineme.sources.nwucla import open_nwucla
from kineme.sources.pkummd import open_pkummd
from kineme.sources.poses import open_poses
from kineme.sources.pyskl import open_pyskl
from kineme.sources.utdmhad import open_utdmhad
from kineme.sources.workers import in_order

# source → (how it is opened, the preprocessing it gets where none is named)
_SOURCES: dict[str, tuple[Callable[..., Source], str]] = {
    "ntu60": (partial(open_ntu, actions=60), "agcn"),
    "ntu120": (partial(open_ntu, actions=120), "agcn"),
    "pkummd1": (partial(open_pkummd, phase=1), "agcn"),
    "pkummd2": (partial(open_pkummd, phase=2), "agcn"),
    "nwucla": (open_nwucla, "plain"),
    "utdmhad": (open_utdmhad, "plain"),
    "pyskl": (open_pyskl, "plain"),
    "arrays": (open_arrays, "plain"),
    "container": (open_container, "plain"),
    "poses": (open_poses, "plain"),
}
_UNTRIMMED: dict[str, tuple[Callable[..., Source], str]] = {
    "pkummd1": (partial(open_pkummd, phase=1, untrimmed=True), "plain(facing=True)"),
    "pkummd2": (partial(open_pkummd, phase=2, untrimmed=True), "plain(facing=True)"),
}
_POOL_FROM = 1000  # fewer clips are done before a pool of processes has started
_MAX_WORKERS = 16  # one process writes, and keeps no more of them busy


def prepare(
    source: Literal[
        "ntu60", "ntu120", "pkummd1", "pkummd2", "nwucla", "utdmhad", "pyskl", "arrays", "container", "poses"
    ],
    raw: Path,
    out: Path,
    *,
    preprocessing: str | None = None,
    processed: bool = False,
    untrimmed: bool = False,
    ignore: Path | None = None,
    skip_bad: bool = False,
    overwrite: bool = False,
    workers: int | None = None,
    layout: str | None = None,
    fps: float | None = None,
    axes: Literal["y-up", "y-down", "z-up"] | None = None,
    units: Literal["m", "cm", "mm"] | None = None,
    image: str | None = None,
    scores: bool = False,
) -> None:
    """Turn raw recordings into a clip store, by a named preprocessing.

    The store appears under its name when it is whole. Its preprocessing travels into checkpoints and results.
    After an interruption of whatever kind the same command goes on where it was.

    `poses` takes your own recordings: a folder (or zip) of .npy, .npz, CSV or JSON files, one a clip, and of
    what OpenPose, AlphaPose and other COCO-style estimators, or MediaPipe write. A folder a class gives the
    labels, or a file `labels.csv` among them with a header name,label,subject,camera. People are followed
    from frame to frame, gaps of half a second filled; docs/data.md tells more.

    Args:
        source: Format of the recordings: `ntu60` or `ntu120`, .skeleton files; `pkummd1` or `pkummd2`,
            PKU-MMD's skeletons, labels and splits; `nwucla`, a JSON file a clip; `utdmhad`, MATLAB files;
            `pyskl`, an annotation pickle of pyskl or MMAction2; `arrays`, the padded arrays that others have
            processed (train_data_joint.npy, train_position.npy, NTU60_CS.npz); `container`, one .npz file;
            `poses`, your own.
        raw: Where they lie: a folder, a zip as it was downloaded, or a folder of zips.
        out: The store to write.
        preprocessing: `agcn` (default for NTU RGB+D and PKU-MMD), `crossclr` or `plain` (default for
            the others). `plain` takes `centre` (frame or clip), `facing` and `scale`:
            `"plain(facing=True, scale=True)"`. Untrimmed recordings take `plain` alone (PKU-MMD's by default
            `"plain(facing=True)"`): the others move frames.
        processed: The recordings went through it before, as the arrays have that others pass on:
            train_position.npy through `crossclr`, train_data_joint.npy through `agcn`. They are stored as
            they are, and encoders of that preprocessing take them.
        untrimmed: Whole videos of PKU-MMD with their actions as intervals, for detection, in place of one
            clip an action. A container tells by itself.
        ignore: File of clip names to leave out, one a line, such as the list of NTU RGB+D's incomplete clips.
        skip_bad: Leave damaged clips out and list them, instead of stopping at the first.
        overwrite: Replace a store that is there already.
        workers: Processes that read clips; default one a core where that pays.
        layout: Of `poses`: the joints, by the name of a layout that is built in (`ntu25`, `kinect20`,
            `coco17`, `openpose25`, `mediapipe33`) or by a layout file. By default what the files tell without
            doubt: names of joints in a CSV header, 25 joints of OpenPose, 17 in two dimensions, 33.
        fps: Of `poses`: frames a second; by default what the files tell, else 30.
        axes: Of `poses`: where y or z points; by default y-up in three dimensions, y-down in images and for
            MediaPipe.
        units: Of `poses` in three dimensions: one of the file's units; default m.
        image: Of `poses` in an image: its size, such as 1920x1080; coordinates are then in image heights. By
            default they are in sizes of the body, so that the distance to the camera does not count.
        scores: Of `poses`: the last of three numbers a joint is a confidence and not z, in arrays and in CSV
            without a header.

    Raises:
        KinemeError: the recordings, the list or the preprocessing are no such thing; a clip is damaged and
            `skip_bad` is not set; or the store cannot be written.
    """
    if untrimmed and source not in _UNTRIMMED:
        raise KinemeError(f"--untrimmed is for {' and '.join(_UNTRIMMED)}, not for {source}")
    opener, usual = (_UNTRIMMED if untrimmed else _SOURCES)[source]
    prepared = parse_preprocessing(preprocessing or usual)
    if processed and preprocessing is None:
        raise KinemeError("--processed: name what the recordings went through, such as --preprocessing agcn")
    if untrimmed:
        prepared.check_keeps_frames()  # before the folder is gone through
    if workers is not None and workers < 1:
        raise KinemeError(f"--workers {workers}: at least one process has to read")
    options = {"layout": layout, "fps": fps, "axes": axes, "units": units, "image": image, "scores": scores}
    given = {name: value for name, value in options.items() if value is not None and value is not False}
    if given and source != "poses":
        raise KinemeError(f"--{next(iter(given))} is for poses, not for {source}")
    origin = opener(raw, **given)
    if origin.untrimmed:
        prepared.check_keeps_frames()
    names, items = _kept(origin, _names(ignore) if ignore else frozenset())
    if workers is None:
        pays = origin.costly and len(items) >= _POOL_FROM
        workers = min(os.cpu_count() or 1, _MAX_WORKERS) if pays else 1
    manifest = Manifest(
        layout=origin.layout,
        preprocessing=prepared,
        source=origin.name,
        class_names=origin.class_names,
        fps=origin.fps,
        units=prepared.units(origin.units),
    )
    confidence = origin.confidence and prepared.keeps_frames
    if origin.confidence and not confidence:
        _note(f"preprocessing {prepared.id} moves frames, so the store holds no confidences")
    started = time.perf_counter()
    with StoreWriter(
        out,
        manifest,
        min(origin.bodies, MAX_BODIES),
        overwrite=overwrite,
        confidence=confidence,
        key=_key(raw, manifest, names, {**given, "processed": processed}),
    ) as writer:
        work = _Work(origin.read, origin.layout, None if processed else prepared, confidence)
        _fill(writer, work, items, workers, skip_bad)
    rate = (len(items) - writer.done) / (time.perf_counter() - started)
    _report(ClipStore(out), rate, len(origin.items) - len(items), writer.left_out)


def _fill(writer: StoreWriter, work: _Work, items: Sequence[Any], workers: int, skip_bad: bool) -> None:
    """Adds the clips of all items that an interrupted process did not come to."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    out, done = writer.path, writer.done
    if writer.replaced:
        _note(f"{out}: what was begun under this name was of other recordings or settings; begins anew")
    if done:
        _note(f"{out}: goes on after the {done:,} of {len(items):,} clips that are done")
    if writer.left_out and not skip_bad:
        raise KinemeError(writer.left_out[0])
    bad: KinemeError | None = None
    try:
        with (
            closing(in_order(work, items[done:], workers)) as clips,
            Progress(*columns, console=Console(stderr=True), transient=True) as progress,
        ):
            task = progress.add_task(f"preparing {out.name}", total=len(items), completed=done)
            for clip in clips:
                if isinstance(clip, Clip):
                    writer.add(clip)
                elif skip_bad:
                    writer.leave_out(str(clip))
                else:
                    bad = clip
                    raise bad
                done += 1
                progress.update(task, completed=done)
    except (KinemeError, KeyboardInterrupt):
        if done > len(writer.left_out):
            command = "the same command with --skip-bad" if bad else "the same command"
            _note(f"{out}: {done:,} of {len(items):,} clips are done and kept; {command} goes on from there")
        raise
    if len(writer.left_out) == len(items):
        raise KinemeError(writer.left_out[0])


@dataclass(frozen=True)
class _Work:
    """Item → prepared clip. A clip's error is returned, not raised: the reader decides what it means."""

    read: Callable[[Any], Clip]
    layout: Layout
    preprocessing: Preprocessing | None  # None: went before
    confidence: bool

    def __call__(self, item: Any) -> Clip | KinemeError:
        try:
            clip = self.read(item)
        except KinemeError as error:
            return error
        if self.preprocessing is None:
            return clip
        try:
            xyz = self.preprocessing(clip.xyz, self.layout)
        except KinemeError as error:
            return KinemeError(f"{clip.name}: {error}")
        kept = None
        if self.confidence and clip.confidence is not None:
            kept = clip.confidence[:, first_bodies(clip.xyz)]
        return replace(clip, xyz=xyz, confidence=kept)


def _kept(origin: Source, ignored: frozenset[str]) -> tuple[list[str], list[Any]]:
    """Names and items of the clips that are not ignored."""
    pairs = zip(origin.names, origin.items, strict=True)
    kept = [(name, item) for name, item in pairs if name not in ignored]
    if not kept:
        raise KinemeError(f"the --ignore list names every clip of {origin.name}; nothing is left to prepare")
    return [name for name, _ in kept], [item for _, item in kept]


def _key(raw: Path, manifest: Manifest, names: Sequence[str], options: Mapping[str, Any]) -> str:
    """Of all that a store follows from: the raw files, clips, preprocessing, options and this program.

    Files count by name, size and time of change; hidden ones, such as unfinished stores, do not.
    """
    made = {"kineme": __version__, **manifest.to_dict(), "names": names}
    made["options"] = options
    digest = hashlib.sha256(json.dumps(made, sort_keys=True).encode())
    for path in [raw] if raw.is_file() else sorted(_files(raw)):
        stat = path.stat()
        digest.update(f"{path.relative_to(raw)}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(place, name) for name in files if not name.startswith("."))


def _note(text: str) -> None:
    print(f"kineme prepare: {text}", file=sys.stderr)


def _names(path: Path) -> frozenset[str]:
    """The clip names of a list, one a line; other lines do no harm, as they name no clip."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise KinemeError(f"{path}: cannot be read as a list of clip names ({error})") from error
    return frozenset(line.strip().removesuffix(".skeleton") for line in lines)


def _report(store: ClipStore, rate: float, left_out: int, bad: Sequence[str]) -> None:
    size = sum(file.stat().st_size for file in store.path.iterdir())
    subjects = set(store.index["subject"]) - {""}
    classes = {*store.labels.tolist(), *store.intervals["label"].tolist()} - {UNLABELLED}
    print(
        f"{store.path}: {len(store):,} clips, {len(store.frames):,} frames, {len(classes)} classes, "
        f"{len(subjects)} subjects\n"
        f"layout {store.layout.name}, preprocessing {store.manifest.preprocessing.id}, "
        f"source {store.manifest.source}\n"
        f"{size / 1e6:,.1f} MB, at {rate:,.0f} clips/s",
        *published.compare(store),
        sep="\n",
    )
    for name, parts in sorted(store.splits.items()):
        train, test = (int((parts == part).sum()) for part in (TRAINS, TESTS))
        print(f"split {name}: {train:,} clips train, {test:,} test, {len(store) - train - test:,} in neither")
    if left_out:
        print(f"left out by the --ignore list: {left_out:,}")
    if bad:
        print(f"left out as damaged: {len(bad):,}", *bad, sep="\n  ")
