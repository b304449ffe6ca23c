"""`kineme prepare`: raw recordings → clip store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from kineme.preparing import Prepared


def prepare(
    source: str,
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

    The store appears under its name when it is complete. Checkpoints and results record its preprocessing.

    `poses` takes your own recordings: a folder (or zip) of .npy, .npz, CSV or JSON files, one per clip, and
    the output of OpenPose, AlphaPose and other COCO-style estimators, or MediaPipe. Labels come from one
    folder per class, or from a file `labels.csv` with the header name,label,subject,camera. People are
    tracked from frame to frame, gaps of up to half a second filled; see docs/data.md.

    Args:
        source: Format of the recordings: `ntu60` or `ntu120`, .skeleton files; `pkummd1` or `pkummd2`,
            PKU-MMD's skeletons, labels and splits; `nwucla`, one JSON file per clip; `utdmhad`, MATLAB files;
            `pyskl`, an annotation pickle of pyskl or MMAction2; `arrays`, padded arrays processed by others
            (train_data_joint.npy, train_position.npy, NTU60_CS.npz); `container`, one .npz file; `poses`,
            your own; or the name or dotted path of a source from another package.
        raw: The recordings: a folder, a zip as downloaded, or a folder of zips.
        out: The store to write.
        preprocessing: `agcn` (default for NTU RGB+D and PKU-MMD), `crossclr` or `plain` (default for
            the others). `plain` takes `centre` (frame or clip), `facing` and `scale`:
            `"plain(facing=True, scale=True)"`. Untrimmed recordings need `plain` (PKU-MMD's default is
            `"plain(facing=True)"`): the others move frames.
        processed: The recordings went through this preprocessing already, as published arrays did:
            train_position.npy through `crossclr`, train_data_joint.npy through `agcn`. They are stored
            unchanged.
        untrimmed: Whole videos of PKU-MMD with their actions as intervals, for detection, instead of one
            clip per action. A container is untrimmed where it has frame labels.
        ignore: File of clip names to leave out, one a line, such as the list of NTU RGB+D's incomplete clips.
        skip_bad: Leave damaged clips out and list them, instead of stopping at the first.
        overwrite: Replace an existing store.
        workers: Processes that read clips; default one per core where that pays.
        layout: Of `poses`: the joints, as the name of a built-in layout (`ntu25`, `kinect20`, `coco17`,
            `openpose25`, `mediapipe33`) or a layout file. Default: what the files say unambiguously, that is
            joint names in a CSV header, 25 joints of OpenPose, 17 in two dimensions, 33.
        fps: Of `poses`: frames per second. Default: what the files say, else 30.
        axes: Of `poses`: which way y or z points. Default: y-up in three dimensions, y-down in images and for
            MediaPipe.
        units: Of `poses` in three dimensions: the unit of the coordinates; default m.
        image: Of `poses` in an image: its size, such as 1920x1080; coordinates are then in image heights. By
            default they are in body sizes, so that the distance to the camera does not matter.
        scores: Of `poses`: the last of three numbers per joint is a confidence and not z, in arrays and in
            CSV without a header.

    Raises:
        KinemeError: see `kineme.preparing.prepare`.
    """
    from kineme import preparing
    from kineme.commands.bar import progress_bar

    options = {"layout": layout, "fps": fps, "axes": axes, "units": units, "image": image, "scores": scores}
    with progress_bar(f"preparing {out.name}") as progress:
        prepared = preparing.prepare(
            source,
            raw,
            out,
            preprocessing=preprocessing,
            processed=processed,
            untrimmed=untrimmed,
            ignore=ignore,
            skip_bad=skip_bad,
            overwrite=overwrite,
            workers=workers,
            progress=progress,
            **{name: value for name, value in options.items() if value not in (None, False)},
        )
    _report(prepared)


def _report(prepared: Prepared) -> None:
    from kineme.clips.published import compare, counted
    from kineme.clips.store import TESTS, TRAINS, UNLABELLED

    store = prepared.store
    size = sum(file.stat().st_size for file in store.path.iterdir())
    subjects = set(store.index["subject"]) - {""}
    classes = {*store.labels.tolist(), *store.intervals["label"].tolist()} - {UNLABELLED}
    print(
        f"{store.path}: {counted(len(store), 'clip')}, {counted(len(store.frames), 'frame')}, "
        f"{counted(len(classes), 'class')}, {counted(len(subjects), 'subject')}\n"
        f"layout {store.layout.name}, preprocessing {store.manifest.preprocessing.id}, "
        f"source {store.manifest.source}\n"
        f"{size / 1e6:,.1f} MB, at {prepared.clips_per_second:,.0f} clips/s",
        *compare(store),
        sep="\n",
    )
    for name, parts in sorted(store.splits.items()):
        train, test = (int((parts == part).sum()) for part in (TRAINS, TESTS))
        print(f"split {name}: {train:,} train, {test:,} test, {len(store) - train - test:,} in neither")
    if prepared.ignored:
        print(f"left out by the ignore list: {prepared.ignored:,}")
    if prepared.damaged:
        print(f"left out as damaged: {len(prepared.damaged):,}", *prepared.damaged, sep="\n  ")
