"""Search by example: the clips or moments of a store that are nearest to a query."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Unpack

import numpy as np

from kineme.clips.store import ClipStore
from kineme.errors import KinemeError
from kineme.inference.searching.hits import Hit
from kineme.inference.searching.index import Index, Neighbours, open_index
from kineme.inference.searching.queries import Part, Query, read_query
from kineme.metrics.neighbours import cosines
from kineme.model import Model, device_of
from kineme.progress import Progress, silent
from kineme.sources.reading import Reading, stated
from kineme.typing import Array

SPARE = 4  # rows looked at for each hit; more where too many of them overlap
MOST = 1 << 12  # rows that approximate search is asked for; beyond, all are compared

Nearest = Callable[[int], tuple[Array, Array]]  # count → rows and similarities, best first


def search(
    model: Model,
    library: str | Path | ClipStore,
    query: str | Path | Array | Query,
    *,
    part: Part | None = None,
    k: int = 10,
    window: float | None = None,
    step: float | None = None,
    neighbours: Neighbours = "auto",
    allow_preprocessing: bool = False,
    batch_size: int = 256,
    device: str | None = None,
    progress: Progress = silent,
    **reading: Unpack[Reading],
) -> list[Hit]:
    """The clips or moments of a library that are nearest to a query, by cosine similarity.

    Hits overlap neither each other nor the query, if that is from the library. For many queries, and without
    this rule, `open_index` is faster.

    Args:
        model: see `kineme.load`.
        library: a clip store. Its index is built if necessary and kept next to it, or in the user's cache
            folder if the library's folder cannot be written.
        query: name of a clip of the library; a file of poses with one recording; an array (T, V, C) or
            (T, M, V, C), as for `Model.embed`; a feature (D,); or one of these that `read_query` has opened.
        part: (start, end) of the query in seconds; None as the end means that of the recording.
        k: how many hits; there are fewer if the library is too small.
        window: seconds; moments of this length are searched. Default: as long as `part`, else whole clips.
        step: seconds from one moment's start to the next one's; by default half a window.
        neighbours: `exact` compares all rows of the index, `approximate` uses faiss; `auto` is approximate
            above a million rows, if faiss is installed. See `open_index`.
        allow_preprocessing: accept a library with another preprocessing or units.
        batch_size: clips per pass of the encoder.
        device: of the encoder; by default a GPU if there is one.
        progress: called with the rows of the index done and in total, if it is built.
        **reading: as for `read_query`.

    Raises:
        KinemeError: there is no such clip or file, its recording has no such part, the library does not fit
            the model, moments cannot be cut, or as for `open_index`.

    >>> import kineme
    >>> model = kineme.load(example_run)
    >>> hits = search(model, example_store, "S001C002P001R001A001", part=(0.5, 2.5), k=3)
    >>> len(hits), hits[0].similarity >= hits[1].similarity, round(hits[0].end - hits[0].start, 1)
    (3, True, 2.0)
    """
    if k < 1:
        raise KinemeError(f"`k`: is {k}; it must be 1 or more")
    if isinstance(query, Query):
        asked = _opened(library, query, [*stated(reading), *([] if part is None else ["part"])])
    else:
        asked = read_query(model, library, query, part=part, **reading)
    model.check(asked.store, allow_preprocessing=allow_preprocessing)
    place = device_of(device)
    feature = asked.feature(model, place)
    index = open_index(
        model,
        asked.store,
        window=asked.length if window is None else window,
        step=step,
        neighbours=neighbours,
        allow_preprocessing=allow_preprocessing,
        batch_size=batch_size,
        device=place,
        progress=progress,
    )
    return [index.hit(row, similarity) for row, similarity in nearest_apart(index, asked, feature, k)]


def _opened(library: str | Path | ClipStore, query: Query, told: Sequence[str]) -> Query:
    if told:
        raise KinemeError(f"`{told[0]}` has no effect on a query that is open already; drop it")
    path = library.path if isinstance(library, ClipStore) else Path(library)
    if path.resolve() != query.store.path.resolve():
        raise KinemeError(f"the query was opened for another library, {query.store.path}, not {path}")
    return query


def nearest_apart(
    index: Index, query: Query, feature: Array, k: int, among: Array | None = None
) -> list[tuple[int, float]]:
    """The best k rows of an index that overlap neither each other nor the query, with their similarity.

    Args:
        index: of the library.
        query: what is looked for; its own stretches are no hits.
        feature: (D,) of the query.
        k: how many; there are fewer where the library is too small.
        among: (N,) whether each row may be a hit; all rows are compared then. Default: every row may.
    """
    if index.graph is not None and among is None:
        hits = _widened(lambda count: index.nearest(feature[None], count), index, query, k, most=MOST)
        if hits is not None:
            return hits
    hits = _widened(_exact(index, feature), index, query, k, among=among)
    assert hits is not None  # all rows were compared
    return hits


def _widened(
    nearest: Nearest,
    index: Index,
    query: Query,
    k: int,
    *,
    most: int | None = None,
    among: Array | None = None,
) -> list[tuple[int, float]] | None:
    """The best k rows apart among ever more of the nearest; None if the `most` nearest have fewer."""
    most = len(index) if most is None else min(most, len(index))
    count = min(SPARE * k, most)
    while True:
        rows, similarity = (each.ravel() for each in nearest(count))
        if among is not None:
            rows, similarity = rows[among[rows]], similarity[among[rows]]
        hits = _apart(index, query, rows, similarity, k)
        if len(hits) == k or count == len(index):
            return hits
        if count == most:
            return None
        count = min(SPARE * count, most)


def _exact(index: Index, feature: Array) -> Nearest:
    """The nearest rows by comparing all, once."""
    known: list[Array] = []

    def nearest(count: int) -> tuple[Array, Array]:
        if not known:
            known.append(cosines(index.features, feature[None], device=index.device)[0].cpu().numpy())
        (similarity,) = known
        least = np.partition(similarity, len(similarity) - count)[len(similarity) - count]
        rows = np.flatnonzero(similarity >= least)  # equal ones too, in their order
        rows = rows[np.argsort(-similarity[rows], kind="stable")]
        return rows, similarity[rows]

    return nearest


def _apart(index: Index, query: Query, rows: Array, similarity: Array, k: int) -> list[tuple[int, float]]:
    """The first k rows that overlap neither each other nor the query."""
    taken = {name: list(stretches) for name, stretches in query.taken.items()}
    hits: list[tuple[int, float]] = []
    for row, score in zip(rows.tolist(), similarity.tolist(), strict=True):
        if row < 0:  # approximate search found no more
            break
        hit = index.hit(row, score)
        others = taken.setdefault(hit.name, [])
        if all(hit.end <= start + 1e-9 or end <= hit.start + 1e-9 for start, end in others):
            others.append((hit.start, hit.end))
            hits.append((row, score))
        if len(hits) == k:
            break
    return hits
