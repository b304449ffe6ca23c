"""Search by example: the clips or moments of a store that are nearest to a query.

The features of a library are computed once and kept beside it, as `NAME.index/FINGERPRINT-KEY.npz`. The key
is made from all that they depend on. When the library changes, its old indexes are removed.
"""

from __future__ import annotations

import csv
import logging
import math
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from kineme.arguments import did_you_mean
from kineme.clips.batches import joined
from kineme.clips.store import ClipStore
from kineme.errors import KinemeError
from kineme.evaluation.features import cache_key
from kineme.files import atomic_write
from kineme.inference.embed import embed_table, open_input
from kineme.inference.tables import read_features, write_table
from kineme.layouts.correspondence import JointMap
from kineme.metrics.neighbours import nearest
from kineme.model import Model, default_device
from kineme.progress import Progress, silent
from kineme.typing import Array

logger = logging.getLogger(__name__)

Part = tuple[float, float | None]
NO_OPTIONS = dict.fromkeys(("layout", "fps", "axes", "units", "image"))


@dataclass(frozen=True)
class Hit:
    """A clip or moment that was found. The fields are the columns of the table.

    Attributes:
        similarity: cosine, at most 1.
        name: of the recording.
        start, end: in seconds from its beginning.
        subject: the performer, empty if unknown.
        label: name of the class, empty if unknown.

    >>> Hit(0.98, "walk", 2.0, 4.0, "anna", "").name
    'walk'
    """

    similarity: float
    name: str
    start: float
    end: float
    subject: str
    label: str


@dataclass(frozen=True)
class _Query:
    """What is searched for.

    Attributes:
        feature: (D,).
        taken: name of a clip → stretches of it that are no hits: the query itself.
        length: of the part, in seconds; None if there is none.
    """

    feature: Array
    taken: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    length: float | None = None


def search(
    model: Model,
    library: str | Path | ClipStore,
    query: str | Path | Array,
    *,
    part: Part | None = None,
    k: int = 10,
    window: float | None = None,
    step: float | None = None,
    layout: str | None = None,
    fps: float | None = None,
    joint_map: JointMap | None = None,
    allow_preprocessing: bool = False,
    batch_size: int = 256,
    device: str | None = None,
    progress: Progress = silent,
) -> list[Hit]:
    """The clips or moments of a library that are nearest to a query, by cosine similarity; exact.

    Hits do not overlap each other, nor the query where that is from the library.

    Args:
        model: see `kineme.load`.
        library: a clip store. Its index is kept beside it, or made.
        query: name of a clip of the library; a file of poses with one recording; an array (T, V, C) or
            (T, M, V, C), as for `Model.embed`; or a feature (D,).
        part: (start, end) of the query in seconds; None as the end is that of the recording.
        k: how many hits; there are fewer where the library is too small.
        window: seconds; moments of this length are searched. Default: as long as `part`, else whole clips.
        step: seconds from one moment's start to the next one's; default half a window.
        layout: of the joints in a file. Default: what it says.
        fps: frames per second of a file. Default: what it says, else 30.
        joint_map: of the library and of a file, see `Model.embed`.
        allow_preprocessing: accept a library with another preprocessing or units.
        batch_size: clips per pass of the encoder.
        device: of the encoder; default a GPU if there is one.
        progress: called with the rows of the index done and in total, if it is made.

    Raises:
        KinemeError: there is no such clip or file, the query is longer than its recording, or the library
            does not fit the model.

    >>> import kineme
    >>> model = kineme.load(example_run)
    >>> hits = search(model, example_store, "S001C002P001R001A001", part=(0.5, 2.5), k=3)
    >>> len(hits), hits[0].similarity >= hits[1].similarity, round(hits[0].end - hits[0].start, 1)
    (3, True, 2.0)
    """
    if k < 1:
        raise KinemeError(f"`k`: is {k}; it must be 1 or more")
    given = library if isinstance(library, ClipStore) else ClipStore(library)
    store = model.fitted(given, joint_map)
    model.check(store, allow_preprocessing=allow_preprocessing)
    place = device or default_device()
    options = {**NO_OPTIONS, "layout": layout, "fps": fps}
    asked = _asked(model, store, query, part, options, joint_map, place)
    cut = {"window": asked.length if window is None else window, "step": step}
    index = _index(model, given, store, cut, allow_preprocessing, batch_size, place, progress)
    return _found(index, asked, k, place)


def write_hits(hits: Sequence[Hit], path: Path) -> None:
    """Writes hits as CSV, times to the millisecond."""
    with atomic_write(path) as aside, aside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([each.name for each in fields(Hit)])
        for hit in hits:
            similarity, name, start, end, *rest = astuple(hit)
            writer.writerow([f"{similarity:.4f}", name, f"{start:.3f}", f"{end:.3f}", *rest])


def _asked(
    model: Model,
    store: ClipStore,
    query: str | Path | Array,
    part: Part | None,
    options: Mapping[str, Any],
    joint_map: JointMap | None,
    device: str,
) -> _Query:
    if not isinstance(query, str | Path):
        if part is not None:
            raise KinemeError("`part` has no effect on an array; cut the array")
        values = np.asarray(query)
        if values.ndim != 1:
            return _Query(model.embed(values, joint_map=joint_map, device=device))
        if values.shape != (model.encoder.dim,):
            raise KinemeError(f"the query has {len(values)} features, the model's have {model.encoder.dim}")
        return _Query(values.astype(np.float32))
    names = store.names.tolist()
    if query in names:
        xyz, fps, preprocessing = (
            store.clip(names.index(query)),
            store.manifest.fps,
            store.manifest.preprocessing,
        )
    elif Path(query).exists():
        file = open_input(model, query, options, joint_map)
        if file.count != 1:
            raise KinemeError(f"{query}: holds {file.count} recordings; the query must be one")
        (clip,) = file.clips
        xyz, fps, preprocessing = clip.xyz, file.fps, file.preprocessing
    else:
        hint = did_you_mean(str(query), names) or f"; its first is {names[0]}"
        raise KinemeError(f"{store.path}: has no clip {str(query)!r}, and there is no such file{hint}")
    start, end = 0.0, len(xyz) / fps
    if part is not None:
        preprocessing.check_keeps_frames()
        start, end = part[0], end if part[1] is None else part[1]
        if not 0 <= start < end <= len(xyz) / fps + 1e-9:
            raise KinemeError(
                f"{query}: has no part from {start:g} s to {end:g} s; it lasts {len(xyz) / fps:g} s"
            )
    first = min(math.floor(start * fps + 0.5), len(xyz) - 1)
    cut = xyz[first : max(math.floor(end * fps + 0.5), first + 1)]
    feature = model.encode(joined([cut]), device=device)[0]
    taken = {str(query): [(start, end)]} if query in names else {}
    return _Query(feature, taken, None if part is None else end - start)


def _index(
    model: Model,
    given: ClipStore,
    store: ClipStore,
    cut: Mapping[str, float | None],
    allow_preprocessing: bool,
    batch_size: int,
    device: str,
    progress: Progress,
) -> Path:
    """The file with the features of a library; computed unless it is there and whole.

    Args:
        model: the encoder.
        given: the library,
        store: and in the model's layout.
        cut: window and step.
        allow_preprocessing, batch_size, device, progress: as of `embed_table`.
    """
    manifest = store.manifest
    more = {**cut, "fps": manifest.fps, "classes": manifest.class_names}
    key = cache_key(model, store, np.arange(len(store)), "float32", **more)
    fingerprint = given.manifest.fingerprint[:16]
    path = given.path.resolve()
    path = path.with_name(f"{path.name}.index") / f"{fingerprint}-{key}.npz"
    blocks = embed_table(  # nothing is computed yet, but the windows are checked
        model,
        [store],
        window=cut["window"],
        step=cut["step"],
        allow_preprocessing=allow_preprocessing,
        batch_size=batch_size,
        device=device,
        progress=progress,
    )
    if not _whole(path):
        write_table(blocks, path)
    for old in path.parent.glob("*.npz"):
        if not old.name.startswith((fingerprint, ".")):
            logger.info("%s: the library has changed; an old index of it is removed", given.path)
            with suppress(OSError):
                old.unlink()
    return path


def _whole(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile):
        return False


def _found(index: Path, query: _Query, k: int, device: str) -> list[Hit]:
    """The best k rows of an index that do not overlap."""
    similarities = []
    for features in read_features(index):
        rows, descending = nearest(features, query.feature[None], k=len(features), device=device)
        similarities.append(np.empty(len(features), dtype=np.float32))
        similarities[-1][rows[0]] = descending[0]
    similarity = np.concatenate(similarities)
    with np.load(index, allow_pickle=False) as stored:
        columns = {each.name: stored[each.name] for each in fields(Hit) if each.name != "similarity"}
    taken = {name: list(stretches) for name, stretches in query.taken.items()}
    hits: list[Hit] = []
    for row in np.argsort(-similarity, kind="stable").tolist():
        hit = Hit(float(similarity[row]), **{name: column[row].item() for name, column in columns.items()})
        others = taken.setdefault(hit.name, [])
        if all(hit.end <= start + 1e-9 or end <= hit.start + 1e-9 for start, end in others):
            others.append((hit.start, hit.end))
            hits.append(hit)
        if len(hits) == k:
            break
    return hits
