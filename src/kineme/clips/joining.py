"""Makes one store of the stores in a folder, in place: writes its index and manifest."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from kineme.clips.columns import Columns, ZippedColumns, check_unique, mapped_columns, write_merged
from kineme.clips.disk import STEP
from kineme.clips.fingerprints import combined, file_hash
from kineme.clips.shards import Shard
from kineme.clips.store import FORMAT_VERSION, ClipStore
from kineme.clips.tally import Tally
from kineme.errors import KinemeError
from kineme.files import atomic_write, entries, locked, synchronise, unwritable
from kineme.progress import Progress, silent

ASIDE = ".index.partial"  # the index while it is written


def join_stores(
    folder: str | Path,
    *,
    tallies: Mapping[str, Tally] | None = None,
    progress: Progress = silent,
) -> ClipStore:
    """Makes one store of many shards of all stores in a folder, in order of their names.

    The stores stay as and where they are, and can be opened by themselves; the folder gets an index and a
    manifest. Done again, it takes in stores that have come since.

    Args:
        folder: of the stores. They may have shards themselves. If their sources differ, its name is the
            source of the whole.
        tallies: of those that are counted already, by name.
        progress: called with the stores counted and in total.

    Raises:
        KinemeError: there are none, they differ in more than their clips, two clips have one name, or the
            index cannot be written.

    >>> import kineme, numpy
    >>> manifest = kineme.Manifest(kineme.get_layout("ntu25"), kineme.Plain(), "mine")
    >>> for name in ("monday", "tuesday"):
    ...     with kineme.StoreWriter(example_folder / "week" / name, manifest, bodies=1) as writer:
    ...         writer.add(kineme.Clip(f"{name}/walk", numpy.ones((30, 1, 25, 3))))
    >>> week = join_stores(example_folder / "week")
    >>> week.names.tolist(), week.frames.shape
    (['monday/walk', 'tuesday/walk'], (60, 1, 25, 3))
    """
    folder = Path(folder)
    with locked(folder, "this store"):
        try:
            _join(folder, tallies or {}, progress)
        except OSError as error:
            raise unwritable(folder, error) from error
        finally:
            shutil.rmtree(folder / ASIDE, ignore_errors=True)
    return ClipStore(folder)


def _join(folder: Path, tallies: Mapping[str, Tally], progress: Progress) -> None:
    places = [each for each in entries(folder, "[!.]*") if each.is_dir() and entries(each, "manifest.json")]
    if not places:
        raise KinemeError(f"{folder}: has no stores in it; prepare some there first")
    first = ClipStore(places[0])
    sources = set()
    shards: list[Shard] = []
    columns: list[Columns] = []
    for done, place in enumerate(places, start=1):
        store = ClipStore(place)  # one at a time, as its index is in memory
        if differing := [what for what, value in _kind(store).items() if value != _kind(first)[what]]:
            raise KinemeError(
                f"{place}: differs from {first.path.name} in {' and '.join(differing)}; prepare it again as "
                "the others were"
            )
        sources.add(store.manifest.source)
        shards += _shards(store, tallies.get(place.name))
        columns.append(ZippedColumns(place / "index.npz") if not store.shards else store.columns)
        progress(done, len(places))
    mark = combined(each.fingerprint for each in shards)
    index, aside = folder / f"index-{mark[:16]}", folder / ASIDE
    shutil.rmtree(aside, ignore_errors=True)
    names = write_merged(columns, aside)
    check_unique(mapped_columns(aside, ["name"])["name"])
    synchronise(aside)
    source = first.manifest.source if len(sources) == 1 else folder.resolve().name
    data = {
        "format_version": FORMAT_VERSION,
        **replace(first.manifest, fingerprint=mark, source=source).to_dict(),
        "bodies": first.bodies,
        "confidence": first.confidence is not None,
        "step": STEP,
        "index": index.name,
        "columns": {name: file_hash(aside / f"{name}.npy") for name in names},
        "shards": [vars(each) for each in shards],
    }
    shutil.rmtree(index, ignore_errors=True)  # of the same shards
    aside.rename(index)
    with atomic_write(folder / "manifest.json") as path:
        path.write_text(json.dumps(data) + "\n", encoding="utf-8")
    for old in folder.glob("index-*"):
        if old != index:
            shutil.rmtree(old, ignore_errors=True)


def _kind(store: ClipStore) -> dict[str, Any]:
    """What all shards of a store share."""
    manifest = store.manifest
    return {
        "layout": manifest.layout,
        "preprocessing": manifest.preprocessing,
        "classes": manifest.class_names,
        "frame rate": (manifest.fps, manifest.fps_status),
        "units": manifest.units,
        "bodies": store.bodies,
        "confidences": store.confidence is not None,
    }


def _shards(store: ClipStore, tally: Tally | None) -> Iterator[Shard]:
    """The shards of a store, by their paths from the folder that it is in."""
    name, mark = store.path.name, store.manifest.fingerprint
    if not store.shards:
        tally = tally or Tally.of(store)
        yield Shard(name, len(store), len(store.frames), mark, tally.to_dict())
    for each in store.shards:
        yield replace(each, path=f"{name}/{each.path}")
