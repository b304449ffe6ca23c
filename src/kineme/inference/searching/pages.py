"""Hits as a page: the query and what was found for it, playing side by side in sync."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from pathlib import Path

import torch

from kineme.clips.batches import joined
from kineme.clips.store import ClipStore
from kineme.drawing.gallery import Card, gallery
from kineme.drawing.player import check_page, legend, page
from kineme.drawing.posture import without_absent
from kineme.errors import KinemeError
from kineme.files import atomic_write
from kineme.inference.searching.hits import Hit
from kineme.inference.searching.queries import Query
from kineme.words import counted

logger = logging.getLogger(__name__)

FRAMES = 60_000  # of all skeletons on a page: 12 MB with one body of 25 joints each
SHOWN = 500  # hits, so that each has 119 frames


def write_page(hits: Sequence[Hit], path: str | Path, query: Query) -> None:
    """Writes an HTML page on which the query and the hits play in sync, the query first.

    The page needs no network. Only the frames of the hits are read from the library. It shows the nearest
    500, and cuts clips so long that it would grow beyond a few megabytes; both are logged.

    Args:
        hits: from `search`.
        path: of the page.
        query: the example, opened by `read_query`. It plays at the library's frame rate.

    Raises:
        KinemeError: the library has no such clip, or the page cannot be written.

    >>> import kineme
    >>> model, page = kineme.load(example_run), example_folder / "like.html"
    >>> query = kineme.inference.read_query(model, example_store, "S001C002P001R001A001")
    >>> write_page(kineme.inference.search(model, example_store, query, k=3), page, query)
    >>> page.read_text(encoding="utf-8").count("<figure")
    4
    """
    path = Path(path)
    check_page(path)
    store = query.store
    shown = hits[:SHOWN]
    manifest, most = store.manifest, FRAMES // (len(shown) + 1)
    cards = [*_example(query, most), *_found(shown, store, most)]
    if len(shown) < len(hits):
        logger.info("%s: the nearest %s hits are shown", path, f"{SHOWN:,}")
    if any(len(card.clip) == most for card in cards):
        logger.info(
            "%s: of each clip the first %s frames are shown, so that the page stays small", path, most
        )
    bodies = max((card.clip.shape[1] for card in cards), default=1)
    fragments = []
    if cards:
        fragments.append(gallery("hits", cards, store.layout, fps=manifest.fps, up=manifest.preprocessing.up))
    of_all = f"{len(shown):,} of " if len(shown) < len(hits) else ""
    number = f"{of_all}{counted(len(hits), 'hit')} in {store.path.name}, the nearest first"
    text = page(
        f"Like {query.name}",
        *fragments,
        legend(bodies),
        subtitle=f"{number}; similarity is the cosine of their features",
    )
    with atomic_write(path) as aside:
        aside.write_text(text, encoding="utf-8")


def _example(query: Query, most: int) -> list[Card]:
    """The query at the library's frame rate; none if it is a feature."""
    if query.xyz is None:
        return []
    seconds, fps = len(query.xyz) / query.fps, query.store.manifest.fps
    clip = query.xyz
    if query.fps != fps:
        frames = max(1, math.floor(seconds * fps + 0.5))
        resampled = joined([clip]).resize(frames)[0]
        clip = resampled.permute(1, 3, 2, 0).to(torch.float32).numpy()
    text = f"the example\n{query.start:.2f} s to {query.start + seconds:.2f} s"
    return [Card(without_absent(clip[:most]), query.name, text, first=math.floor(query.start * fps + 0.5))]


def _found(hits: Sequence[Hit], store: ClipStore, most: int) -> list[Card]:
    cards = []
    for hit in hits:
        if (row := store.row(hit.name)) is None:
            raise KinemeError(f"{store.path}: has no clip {hit.name!r}; these hits are from another library")
        clip, fps = store.clip(row), store.manifest.fps
        first = min(math.floor(hit.start * fps + 0.5), len(clip) - 1)
        last = max(first + 1, min(math.floor(hit.end * fps + 0.5), len(clip)))
        told = (hit.label, f"subject {hit.subject}" if hit.subject else "")
        lines = (
            f"similarity {hit.similarity:.3f}",
            f"{hit.start:.2f} s to {hit.end:.2f} s",
            " · ".join(filter(None, told)),
        )
        shown = clip[first : min(last, first + most)]
        cards.append(Card(without_absent(shown), hit.name, "\n".join(filter(None, lines)), first=first))
    return cards
