"""The features of a library, kept on disk, and the nearest of them.

They are computed once, as `NAME.index/FINGERPRINT-KEY.npy` next to the library, with a row for each clip or
moment in `.npz` and, for approximate search, a graph in `.faiss`. The key is made from everything they depend
on. When the library changes, its old indexes are removed. If the library's folder cannot be written, the
index is in the user's cache folder.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import tempfile
import zipfile
import zlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from kineme.clips.retargeted import RetargetedStore
from kineme.clips.store import ClipStore
from kineme.errors import KinemeError, one_line
from kineme.evaluation.features import cache_key
from kineme.files import atomic_write, remove_own
from kineme.inference.embed import embed_table
from kineme.inference.parts import PARTS, parts_of, tidy
from kineme.inference.searching import approximate
from kineme.inference.searching.hits import Hit
from kineme.inference.tables import Block
from kineme.layouts.correspondence import JointMap
from kineme.metrics.neighbours import nearest
from kineme.model import Model, device_of
from kineme.progress import Progress, silent
from kineme.typing import Array
from kineme.untrusted import load_array

logger = logging.getLogger(__name__)

Neighbours = Literal["auto", "exact", "approximate"]
LARGE = 1_000_000  # more rows than these are searched approximately, unless told otherwise
FORMAT = 3  # in the key: indexes of another format are made anew
# What is kept of a library, also by `kineme explore`: its map, and what classifiers read.
_INDEX = re.compile(r"[0-9a-f]{16}-[0-9a-f]{32}\.(faiss|(map\.)?npz|(read\.)?npy(\.parts)?)")
COLUMNS = ("clip", "label", "start", "end")


@dataclass(frozen=True)
class Index:
    """The features of a library's clips or moments, opened; `open_index` returns one.

    Attributes:
        path: of the features.
        store: the library, with the model's joints.
        features: (N, D) float32 of unit length, memory-mapped.
        clip: (N,) the store's row that each comes from.
        label: (N,) class, -1 if unknown.
        start, end: (N,) in seconds from the recording's beginning.
        graph: of faiss, for approximate search; None if all rows are compared.
        device: where rows are compared.

    >>> import kineme
    >>> model = kineme.load(example_run)
    >>> index = kineme.inference.open_index(model, example_store, window=1.0)
    >>> rows, similarity = index.nearest(index.features[:1], k=5)
    >>> print(index.hit(rows[0, 0], similarity[0, 0]).name, len(index) > 24)
    S001C002P001R001A001 True
    """

    path: Path
    store: ClipStore
    features: Array = field(repr=False)
    clip: Array = field(repr=False)
    label: Array = field(repr=False)
    start: Array = field(repr=False)
    end: Array = field(repr=False)
    graph: Any | None
    device: str

    def __len__(self) -> int:
        return len(self.features)

    def nearest(self, queries: Array, k: int = 10) -> tuple[Array, Array]:
        """The k rows nearest to each query, best first; they may overlap. Many queries at once are faster.

        Args:
            queries: (Q, D) features of any length.
            k: how many, at most N.

        Returns:
            (Q, k) int64 rows and (Q, k) float32 cosine similarities. If approximate search finds fewer, the
            last rows are -1.

        Raises:
            KinemeError: k is below 1 or above the number of rows.

        >>> import kineme
        >>> model = kineme.load(example_run)
        >>> index = open_index(model, example_store)
        >>> rows, similarity = index.nearest(model.embed(example_store)[:2], k=3)
        >>> rows.shape, rows[:, 0].tolist()
        ((2, 3), [0, 1])
        """
        if self.graph is None or not 1 <= k <= len(self):
            return nearest(self.features, queries, k=k, device=self.device)
        unit = queries / np.maximum(np.linalg.norm(queries, axis=1, keepdims=True), 1e-12)
        return approximate.candidates(self.graph, self.features, unit.astype(np.float32), k)

    def hit(self, row: int, similarity: float) -> Hit:
        """What a row is of: its clip, times and label.

        Args:
            row: of the index, as `nearest` gives it.
            similarity: to the query, as `nearest` gives it.

        >>> import kineme
        >>> hit = open_index(kineme.load(example_run), example_store).hit(1, 0.98)
        >>> hit.name, hit.label, round(hit.end, 1)
        ('S001C003P001R001A001', 'wave', 4.2)
        """
        store, clip = self.store, int(self.clip[row])
        return Hit(
            similarity=float(similarity),
            name=str(store.names[clip]),
            start=float(self.start[row]),
            end=float(self.end[row]),
            subject=str(store.index["subject"][clip]),
            label=(*store.manifest.class_names, "")[int(self.label[row])],  # -1 is unknown
        )


def open_index(
    model: Model,
    library: str | Path | ClipStore,
    *,
    window: float | None = None,
    step: float | None = None,
    neighbours: Neighbours = "auto",
    joint_map: JointMap | None = None,
    allow_preprocessing: bool = False,
    batch_size: int = 256,
    device: str | None = None,
    progress: Progress = silent,
) -> Index:
    """The index of a library, for many searches. It is computed unless it already exists and is complete.

    Args:
        model: see `kineme.load`.
        library: a clip store, which `Model.fitted` may have retargeted.
        window: seconds of a moment. Default: whole clips.
        step: seconds from one moment's start to the next one's; by default half a window.
        neighbours: `exact` compares all rows, `approximate` uses a graph of faiss, which is built if it does
            not exist; `auto` is approximate above a million rows, if faiss is installed.
        joint_map, allow_preprocessing, batch_size, device: see `Model.embed`.
        progress: called with the rows done and in total, if the index is computed.

    Raises:
        KinemeError: the library does not fit the model, moments cannot be cut, the index cannot be written,
            or faiss is not installed.

    >>> import kineme
    >>> index = open_index(kineme.load(example_run), example_store, window=1.0, step=0.5)
    >>> index.features.shape[1], index.start[:3].tolist(), index.graph is None
    (64, [0.0, 0.5, 1.0], True)
    """
    if neighbours == "approximate" and not approximate.installed():
        raise approximate.missing()
    given = library if isinstance(library, ClipStore) else ClipStore(library)
    original = given.original if isinstance(given, RetargetedStore) else given
    store, place = model.fitted(given, joint_map), device_of(device)
    model.check(store, allow_preprocessing=allow_preprocessing)
    options: dict[str, Any] = {
        "window": window,
        "step": step,
        "allow_preprocessing": allow_preprocessing,
        "batch_size": batch_size,
        "device": place,
    }
    embed_table(model, [store], **options)  # checks; computes nothing yet
    more = {"window": window, "step": step, "fps": store.manifest.fps}
    key = cache_key(model, store, np.arange(len(store)), "float32", format=FORMAT, **more)
    name = f"{original.manifest.fingerprint[:16]}-{key}.npy"
    path = next((path for folder in _folders(original) if _opened(path := folder / name)), None)
    if path is None:
        path = _writable(original) / name
        with parts_of(path) as parts:
            blocks = embed_table(model, [store], parts=parts, progress=progress, **options)
            _write(path, store, model.encoder.dim, blocks)
    else:
        tidy(path)
    _tidy(path.parent, original)
    opened = _opened(path)
    if opened is None:
        raise KinemeError(f"{path}: was removed or changed by another process; search again")
    features, columns = opened
    graph = None
    if neighbours == "approximate" or (neighbours == "auto" and _is_large(features)):
        graph = _graph(original, path, features, progress)
        if neighbours == "auto":
            how = "are searched approximately; `neighbours` exact compares all"
            logger.info("%s: %s rows %s", given.path, f"{len(features):,}", how)
    return Index(path, store, features, **columns, graph=graph, device=place)


def _folders(library: ClipStore) -> tuple[Path, Path]:
    """Where indexes of a library may be: beside it, and in the user's cache folder."""
    path = library.path.resolve()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    place = hashlib.sha256(str(path).encode()).hexdigest()[:8]  # of libraries of the same name
    return path.with_name(f"{path.name}.index"), cache / "kineme" / f"{path.name}-{place}.index"


def _writable(library: ClipStore) -> Path:
    beside, cached = _folders(library)
    try:
        beside.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=beside):
            return beside
    except OSError as error:
        logger.info("%s: cannot be written (%s); the index is kept in %s", beside, one_line(error), cached)
        return cached


def _opened(path: Path) -> tuple[Array, dict[str, Array]] | None:
    """Features and columns of an index; None unless they are there and whole."""
    with suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        features = load_array(path, mapped=True)
        with np.load(path.with_suffix(".npz"), allow_pickle=False) as stored:
            columns = {name: stored[name] for name in COLUMNS}
        if all(len(column) == len(features) for column in columns.values()):
            return features, columns
    return None


def _write(path: Path, store: ClipStore, dim: int, blocks: Iterable[Block]) -> None:
    """Writes the features block by block, then the columns, which complete an index."""
    rows = {name: row for row, name in enumerate(store.names.tolist())}
    classes = {name: number for number, name in enumerate(store.manifest.class_names)}
    clip, label, start, end = [], [], [], []

    def header(count: int) -> None:
        about = {"descr": "<f4", "fortran_order": False, "shape": (count, dim)}
        np.lib.format.write_array_header_1_0(file, about)  # as long for any number of rows

    with atomic_write(path) as aside, aside.open("wb") as file:
        header(0)
        for block in blocks:
            norms = np.linalg.norm(block.features, axis=1, keepdims=True)
            file.write((block.features / np.maximum(norms, 1e-12)).astype("<f4").tobytes())
            clip.append([rows[name] for name in block.name.tolist()])
            label.append([classes.get(name, -1) for name in block.label.tolist()])
            start.append(block.start)
            end.append(block.end)
        file.seek(0)
        header(sum(map(len, clip)))
    with atomic_write(path.with_suffix(".npz")) as aside:
        np.savez(
            aside,
            clip=np.concatenate(clip),
            label=np.concatenate(label),
            start=np.concatenate(start),
            end=np.concatenate(end),
        )


def _tidy(folder: Path, library: ClipStore) -> None:
    """Removes indexes of what the library was."""
    fingerprint = library.manifest.fingerprint[:16]
    for old in folder.iterdir():
        if _INDEX.fullmatch(old.name) and not old.name.startswith(fingerprint):
            logger.info("%s: the library has changed; an old index of it is removed", library.path)
            remove_own(old, PARTS) if old.is_dir() else old.unlink(missing_ok=True)


def _is_large(features: Array) -> bool:
    """Whether an index is to be searched approximately; where faiss is missing, that is said."""
    if len(features) <= LARGE:
        return False
    if not approximate.installed():
        remedy = f"{approximate.INSTALL} to search them approximately, in milliseconds"
        logger.info("%s rows are compared exactly; %s", f"{len(features):,}", remedy)
        return False
    return True


def _graph(library: ClipStore, path: Path, features: Array, progress: Progress) -> Any:
    """The graph of an index; made unless it is there and whole."""
    name = path.with_suffix(".faiss").name
    for folder in _folders(library):
        if (graph := approximate.load(folder / name, len(features))) is not None:
            return graph
    file = _writable(library) / name
    approximate.build(features, file, progress)
    return approximate.load(file, len(features))
