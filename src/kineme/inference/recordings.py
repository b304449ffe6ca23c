"""Stores and files of poses as one thing: recordings that are preprocessed and in a model's layout."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kineme.checkpoints import WEIGHTS
from kineme.clips.folders import is_store
from kineme.clips.store import Clip, ClipStore
from kineme.errors import KinemeError
from kineme.layouts import Layout
from kineme.layouts.correspondence import JointMap
from kineme.model import Model, open_recordings
from kineme.preprocessing import Preprocessing
from kineme.sources import Source

ROWS = 1 << 12  # of a store's columns that are in memory


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
        clips: number → the recordings from this one on, one by one; those before it are not read.
        identity: changes when the recordings do.
    """

    name: str
    preprocessing: Preprocessing
    layout: Layout
    fps: float
    class_names: Sequence[str]
    count: int
    median: float | None
    clips: Callable[[int], Iterator[Clip]]
    identity: Mapping[str, Any]


def open_input(
    model: Model,
    given: str | Path | ClipStore,
    options: Mapping[str, Any],
    joint_map: JointMap | None = None,
    allow_preprocessing: bool = False,
) -> Recordings:
    """Opens a store, or files of poses with the options of `embed_table`.

    Raises:
        KinemeError: it cannot be read, does not fit the model, or an option has no effect on it.
    """
    if isinstance(given, str | Path) and is_store(given):
        given = ClipStore(given)
    if isinstance(given, ClipStore):
        if told := [name for name, value in options.items() if value is not None]:
            raise KinemeError(f"`{told[0]}` has no effect on the store {given.path}, which describes itself")
        store = model.fitted(given, joint_map)
        model.check(store, allow_preprocessing=allow_preprocessing)
        manifest = store.manifest
        return Recordings(
            name=given.address,
            preprocessing=manifest.preprocessing,
            layout=store.layout,
            fps=manifest.fps,
            class_names=manifest.class_names,
            count=len(store),
            median=float(np.median(store.index["frames"])) if len(store) else None,
            clips=lambda first: _stored(store, first),
            identity={"store": manifest.fingerprint, "classes": manifest.class_names, "fps": manifest.fps},
        )
    if (Path(given) / WEIGHTS).is_file():
        raise KinemeError(f"{given}: is a run directory; name a clip store or recordings")
    path, rest = Path(given), {name: value for name, value in options.items() if name != "layout"}
    source = open_recordings(path, options["layout"], rest, joint_map, model.shape.layout)
    model.prepared(replace(source, items=[]), joint_map)  # refuses what does not fit at once
    return Recordings(
        name=str(given),
        preprocessing=model.preprocessing,
        layout=model.shape.layout,
        fps=source.fps,
        class_names=source.class_names,
        count=len(source.items),
        median=None,
        clips=lambda first: model.prepared(replace(source, items=source.items[first:]), joint_map),
        identity={
            "files": _files(path, source),
            "layout": source.layout.to_dict(),
            "classes": source.class_names,
            "fps": source.fps,
            **rest,
        },
    )


def _stored(store: ClipStore, first: int) -> Iterator[Clip]:
    untrimmed = len(store.intervals["clip"]) > 0
    for at in range(first, len(store), ROWS):
        columns = (
            column[at : at + ROWS].tolist() for column in (store.names, store.labels, store.index["subject"])
        )
        for row, (name, label, subject) in enumerate(zip(*columns, strict=True), start=at):
            intervals = store.clip_intervals(row) if untrimmed else ()
            yield Clip(name, store.clip(row), label=label, subject=subject, intervals=intervals)


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
