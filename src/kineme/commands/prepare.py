"""`kineme prepare`: raw recordings → clip store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kineme.commands.messages import as_options
from kineme.commands.reading import AS_FILES_SAY, ReadingOptions
from kineme.errors import KinemeError
from kineme.words import counted

if TYPE_CHECKING:
    from kineme.preparing import Checked, Plan, Prepared
    from kineme.sources import Source
    from kineme.sources.measure import Measured

NAMED = 4  # joints, or columns, of many


def prepare(
    source: str,
    raw: Path,
    out: Path,
    *,
    preprocessing: str | None = None,
    processed: bool = False,
    untrimmed: bool = False,
    ignore: Path | None = None,
    splits: Path | None = None,
    skip_bad: bool = False,
    overwrite: bool = False,
    workers: int | None = None,
    ray: bool = False,
    shard: int | None = None,
    frames_as: Literal["float32", "float16", "int16"] = "float32",
    dry_run: bool = False,
    reading: ReadingOptions = AS_FILES_SAY,
    people: int | None = None,
    model: Path | None = None,
    label_column: str | None = None,
    subject_column: str | None = None,
    camera_column: str | None = None,
    name: str | None = None,
) -> None:
    """Turn raw recordings into a clip store, with a named preprocessing.

    The store appears under its name only once it is complete. Checkpoints and results record its
    preprocessing.

    `poses` takes your own recordings: motion capture (.trc, .c3d, .bvh, .amc, .mvnx, AMASS, tables of Motive,
    Nexus and Qualisys), the output of OpenPose, AlphaPose, MMPose, Ultralytics, MediaPipe, Kinect,
    DeepLabCut, Lightning Pose or SLEAP, and .npy, .npz, .mat, CSV or JSON files, one per clip. Labels come
    from one folder per class, from the names of the clips, or from a file `labels.csv` with the header
    name,label,subject,camera. People are tracked from frame to frame, and gaps of up to half a second are
    filled; see docs/data.md.

      kineme prepare poses mocap stores/mocap --dry-run
      kineme prepare poses --help               # the options of one source

    `video` takes videos (.mp4, .mov, .avi, .mkv, .webm, ...), one per clip, and finds the people in them with
    MediaPipe (pip install "kineme[video]"). Only the poses are kept, not the videos.

      kineme prepare video videos stores/videos

    Args:
        source: Format of the recordings: `ntu60` or `ntu120`, .skeleton files; `pkummd1` or `pkummd2`,
            PKU-MMD's skeletons, labels and splits; `nwucla`, one JSON file per clip; `utdmhad`, MATLAB files;
            `pyskl`, an annotation pickle of pyskl or MMAction2; `arrays`, padded arrays processed by others
            (train_data_joint.npy, train_position.npy, NTU60_CS.npz); `container`, one .npz file; `poses`,
            your own poses; `video`, your own videos; or the name or dotted path of a source from another
            package.
        raw: The recordings: a folder, a zip as downloaded, or a folder of zips.
        out: The store to write.
        preprocessing: `agcn` (default for NTU RGB+D and PKU-MMD), `crossclr`, `ctrgcn` or `plain` (default
            for the others). `plain` takes `centre` (frame or clip), `facing` and `scale`:
            `"plain(facing=True, scale=True)"`. Untrimmed recordings need `plain` (PKU-MMD's default is
            `"plain(facing=True)"`), because the others move frames.
        processed: The recordings have already been through this preprocessing, as published arrays have:
            train_position.npy through `crossclr`, train_data_joint.npy through `agcn`. They are stored
            unchanged.
        untrimmed: Store whole videos of PKU-MMD, with their actions as intervals, for detection, instead of
            one clip per action. A container is untrimmed if it has frame labels.
        ignore: File of clip names to leave out, one per line, such as the list of NTU RGB+D's incomplete
            clips.
        splits: Table of your own splits, such as `splits.csv`: a column `name` of clip names, and for each
            split a column of its name with `train`, `test` or nothing.
        skip_bad: Skip and list damaged clips instead of stopping at the first.
        overwrite: Replace an existing store.
        workers: Number of processes that read clips; by default one per core where that pays off.
        ray: Spread the work over a Ray cluster whose machines reach the recordings and the store under the
            same paths (pip install "kineme[ray]").
        shard: Recordings per shard of a large store. Finished shards survive an interruption: the same
            command continues after them. Default: 100,000 if there are more than 200,000 recordings, else
            all.
        frames_as: `int16` halves the size of the store: coordinates in metres are then accurate to a tenth of
            a millimetre, up to 6.55 m from the origin. `float16` is that accurate only up to 0.25 m.
        dry_run: Only report how the recordings would be read, and write nothing. The clips are read, at most
            1,000 of them; of videos only the beginning of the first.
        people: For `video`: the most people to find in a frame, by default 1. The two who are seen most and
            move most are kept.
        model: For `video`: the .task file of MediaPipe's pose landmarker; by default the published one
            ("full", 9 MB), which is downloaded once.
        label_column: For `poses` in CSV: the column with the class of the clip, one value per file.
        subject_column: For `poses` in CSV: the column with the person.
        camera_column: For `poses` in CSV: the column with the camera number.
        name: For `poses`: how clips are named, with {label}, {subject} and {camera}, such as
            "{subject}_{label}-{take}", or "{label}/{subject}_*" to include the folder.

    Raises:
        KinemeError: see `kineme.preparing.prepare`.
    """
    from kineme import preparing
    from kineme.commands.bar import progress_bar

    options = {
        "label_column": label_column, "subject_column": subject_column, "camera_column": camera_column,
        "name": name, "people": people, "model": model,
    }  # fmt: skip
    given = reading.stated() | {name: value for name, value in options.items() if value is not None}
    if dry_run:
        planned = preparing.plan(
            source,
            raw,
            preprocessing=preprocessing,
            processed=processed,
            untrimmed=untrimmed,
            ignore=ignore,
            splits=splits,
            **given,
        )
        with progress_bar("reading") as progress:
            checked = preparing.check(planned, workers=workers, progress=progress)
        print(*_planned(planned, out, checked), sep="\n")
        if checked.damaged and not skip_bad:
            many = f"{len(checked.damaged):,} of {counted(checked.read, 'clip')}"
            raise KinemeError(f"{raw}: {many} cannot be read; mend them, or set `skip_bad` to leave them out")
        return
    with progress_bar(f"preparing {out.name}") as progress:
        prepared = preparing.prepare(
            source,
            raw,
            out,
            preprocessing=preprocessing,
            processed=processed,
            untrimmed=untrimmed,
            ignore=ignore,
            splits=splits,
            skip_bad=skip_bad,
            overwrite=overwrite,
            workers=workers,
            ray=ray,
            shard=shard,
            frames_as=frames_as,
            progress=progress,
            **given,
        )
    _report(prepared)


def hidden(words: Sequence[str]) -> frozenset[str]:
    """Options of other sources than the one whose help is asked for."""
    from kineme.sources import SOURCES

    asked = next((word for word in words if not word.startswith("-")), None)
    if asked is None or not {"--help", "-h"}.intersection(words):
        return frozenset()
    from kineme.preparing import options_of
    from kineme.sources.poses import open_poses
    from kineme.sources.video import open_video

    others = {*options_of(open_poses), *options_of(open_video), "untrimmed"}
    return frozenset(others.difference(options_of(SOURCES[asked])))


def _planned(planned: Plan, out: Path, checked: Checked) -> list[str]:
    """What would be read as what: recordings, the first clip, joints, time and space, damage, the store."""
    from kineme.sources.raw import few, shown

    if isinstance(planned.first, KinemeError):
        raise planned.first
    source = planned.source
    joints, items = source.layout.joints, len(planned.items)
    known = "" if source.fps_known else " (assumed)"
    classes = f" of {counted(len(source.class_names), 'class')}" if source.class_names else " without classes"
    unread = few([*map(shown, source.unread)], NAMED)
    unchecked = ""
    if checked.read < items > 1:
        unchecked = f"; {checked.read or 1:,} of {items:,} clips were read, others may be damaged"
    return [
        f"recordings: {counted(items, 'clip')}{classes}, read as {source.name}",
        _first_clip(source, planned.first),
        f"joints: {len(joints)} of {source.layout.name}: {few(joints, NAMED)}",
        *([f"columns that are not read: {unread}"] if unread else []),
        f"rate and units: {source.fps:g} frames a second{known}, {source.units}, "
        f"{'with' if source.confidence else 'without'} confidences",
        *_listed("damaged", checked.damaged),
        f"store: {out}, by {planned.preprocessing.id}; nothing is written (dry run){unchecked}",
    ]


def _first_clip(source: Source, first: Measured) -> str:
    """Who does what in the clip that was read first, and how long it and its bodies are."""
    clip = first.clip
    frames, bodies = len(clip.xyz), counted(int(clip.xyz.any(axis=(0, 2, 3)).sum()), "body", "bodies")
    facts = (
        source.class_names[clip.label] if 0 <= clip.label < len(source.class_names) else "",
        f"subject {clip.subject}" if clip.subject else "",
        f"camera {clip.camera}" if clip.camera >= 0 else "",
    )
    told = ", ".join(filter(None, facts))
    tall = f", measuring about {first.height:.2f} m" if first.height else ""
    what = "beginning of the first clip" if source.long else "first clip"
    seconds = f"{frames / source.fps:.1f} s"
    return (
        f"{what}: {clip.name}{told and f' ({told})'}: {counted(frames, 'frame')}, {seconds}, {bodies}{tall}"
    )


def _report(prepared: Prepared) -> None:
    import numpy as np

    from kineme.clips.published import compare
    from kineme.clips.store import TESTS, TRAINS, UNLABELLED

    store = prepared.store
    size = sum(file.stat().st_size for file in store.path.rglob("*") if file.is_file())
    subjects = {*np.unique(store.index["subject"]).tolist()} - {""}
    classes = {*np.unique(store.labels).tolist(), *store.intervals["label"].tolist()} - {UNLABELLED}
    print(
        f"{store.path}: {counted(len(store), 'clip')}, {counted(len(store.frames), 'frame')}, "
        f"{counted(len(classes), 'class')}, {counted(len(subjects), 'subject')}\n"
        f"layout {store.layout.name}, preprocessing {store.manifest.preprocessing.id}, "
        f"source {store.manifest.source}, {store.manifest.fps:g} fps{_told(store.manifest.fps_status)}\n"
        f"{size / 1e6:,.1f} MB, at {_speed(prepared)}",
        *compare(store),
        sep="\n",
    )
    for name, parts in sorted(store.splits.items()):
        train, test = (int((parts == part).sum()) for part in (TRAINS, TESTS))
        print(f"split {name}: {train:,} train, {test:,} test, {len(store) - train - test:,} in neither")
    if prepared.ignored:
        print(f"left out by the ignore list: {prepared.ignored:,}")
    for line in _listed("left out as damaged", prepared.damaged):
        print(line)


def _listed(what: str, reasons: Sequence[str]) -> list[str]:
    """What is wrong with clips, and with how many; no lines if there are none."""
    return [f"{what}: {len(reasons):,}", *(f"  {as_options(each)}" for each in reasons)] if reasons else []


def _speed(prepared: Prepared) -> str:
    if prepared.clips_per_second >= 1:
        return f"{prepared.clips_per_second:,.0f} clips/s"
    return f"{len(prepared.store.frames) / prepared.seconds:,.0f} frames/s"


def _told(fps_status: str) -> str:
    return " (assumed)" if fps_status == "assumed" else ""
