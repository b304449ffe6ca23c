"""What is explored: the clips or windows of a store as points, with features, places and kinds.

All of it is computed once and kept in the index of the library, STORE.index beside the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from kineme.clips.store import ClipStore
from kineme.drawing.player import scene
from kineme.drawing.projection import has_collapsed, tints, tsne
from kineme.errors import KinemeError
from kineme.explore.labels import Part
from kineme.files import atomic_write
from kineme.inference.classifying.reading import read_windows
from kineme.inference.clustering.cluster import LONG
from kineme.inference.clustering.kinds import kinds_of
from kineme.inference.embed import blocks_of
from kineme.inference.parts import Parts, parts_of, tidy
from kineme.inference.recordings import Recordings, open_input
from kineme.inference.searching.index import Index, open_index
from kineme.inference.searching.queries import Query, read_query
from kineme.inference.searching.retrieval import nearest_apart
from kineme.inference.windows import Windows
from kineme.metrics.neighbours import nearest, nearest_label
from kineme.model import Model
from kineme.progress import Progress, silent
from kineme.report.examined import evenly, thinned
from kineme.sources.reading import Reading
from kineme.typing import Array

WINDOW = 2.0  # seconds of a point, where recordings are long
PLACED = 5_000  # points that t-SNE and clustering see; the others go beside the nearest of them
OWN = 3  # points that a point overlaps: itself, and the windows before and after it
FRAMES = 3600  # of a recording that is played: more are thinned

Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Library:
    """A store as one run sees it. A point is a clip, or a window of a recording, known by its number.

    Attributes:
        store: as it was given, for drawing.
        model: that made the features, on the index's device.
        index: the points and their features.
        places: (N, 2) on the map, 0 to 1.
        kinds: (N,) from 1, 0 for what is in none.
        window: seconds of a point; None: whole clips.
    """

    store: ClipStore
    model: Model
    index: Index
    places: Array
    kinds: Array
    window: float | None

    def __len__(self) -> int:
        return len(self.index)

    @cached_property
    def seconds(self) -> dict[str, float]:
        """How long each recording lasts, by name."""
        lasts = self.store.index["frames"] / self.store.manifest.fps
        return dict(zip(self.store.names.tolist(), lasts.tolist(), strict=True))

    @cached_property
    def rows(self) -> dict[str, int]:
        """The number of each recording, by name."""
        return {name: row for row, name in enumerate(self.store.names.tolist())}

    @cached_property
    def recordings(self) -> Recordings:
        """All of them, as the model reads them."""
        return open_input(self.model, self.index.store, Reading(), allow_preprocessing=True)

    @cached_property
    def tint(self) -> Callable[[Array], Array]:
        """Features → colours: similar motion has similar ones."""
        return tints(np.asarray(self.index.features[evenly(np.arange(len(self)), 2000)]))

    @cached_property
    def person(self) -> Array:
        """(R,) the number of each recording's person."""
        found: Array = np.unique(self.store.index["subject"], return_inverse=True)[1]
        return found

    def of_person(self, row: int) -> Array:
        """(N,) which points show the person of a recording."""
        found: Array = (self.person == self.person[row])[self.index.clip]
        return found

    @property
    def in_parts(self) -> bool:
        """Whether a stretch of a recording can be looked at on its own."""
        return self.model.preprocessing.keeps_frames

    def name(self, point: int) -> str:
        """Of the recording that a point is from."""
        return str(self.store.names[self.index.clip[point]])

    def part(self, point: int) -> Part:
        """What a label of a point is about."""
        name, (start, end) = self.name(point), (self.index.start[point], self.index.end[point])
        return Part(name, round(1000 * float(start)), round(1000 * min(float(end), self.seconds[name])))

    def labelled(self, parts: Iterable[Part]) -> dict[int, Part]:
        """The labelled part of each point that has one: what covers most of it."""
        first = np.searchsorted(self.index.clip, np.arange(len(self.store) + 1))
        found: dict[int, tuple[float, Part]] = {}
        for part in parts:
            row, (start, end) = self.rows[part.name], part.seconds
            mine = slice(first[row], first[row + 1])
            own = np.minimum(self.index.end[mine], self.seconds[part.name]) - self.index.start[mine]
            shared = np.minimum(self.index.end[mine], end) - np.maximum(self.index.start[mine], start)
            share = shared / own
            for place in np.flatnonzero(share > 0.5 + 1e-3).tolist():
                point = int(first[row]) + place
                if point not in found or share[place] > found[point][0]:
                    found[point] = float(share[place]), part
        return {point: part for point, (_, part) in found.items()}

    def scene(self, row: int, start: float, end: float) -> dict[str, str | int]:
        """What a player shows of a recording from `start` to `end`, in seconds."""
        clip, fps = self.store.clip(row), self.store.manifest.fps
        first = min(max(round(start * fps), 0), len(clip) - 1)
        shown, rate = thinned(clip[first : max(round(end * fps), first + 1)], fps, FRAMES)
        up = self.store.manifest.preprocessing.up
        return scene(shown, self.store.layout, fps=rate, up=up, first=round(first * rate / fps))

    def like_point(self, point: int, k: int, among: Array | None = None) -> list[tuple[int, float]]:
        """The k points nearest to one, and how similar they are."""
        taken = {self.name(point): [(float(self.index.start[point]), float(self.index.end[point]))]}
        feature = np.array(self.index.features[point])
        return nearest_apart(
            self.index, Query(self.index.store, self.name(point), taken=taken), feature, k, among
        )

    def like_part(
        self, row: int, start: float, end: float, k: int, among: Array | None = None
    ) -> list[tuple[int, float]]:
        """The k points nearest to a stretch of a recording.

        Raises:
            KinemeError: there is no such stretch.
        """
        query = read_query(self.model, self.index.store, str(self.store.names[row]), part=(start, end))
        feature = query.feature(self.model, self.index.device)
        return nearest_apart(self.index, query, feature, k, among)

    def neighbours(self, points: Array, k: int) -> Array:
        """(n,) points → (n, k) their nearest; of windows, none that overlaps its own."""
        index = self.index
        rows, _ = nearest(
            index.features, index.features[points], k=min(k + OWN, len(self)), device=index.device
        )
        own = (index.clip[rows] == index.clip[points][:, None]) & (
            (index.start[rows] < index.end[points][:, None] - 1e-9)
            & (index.end[rows] > index.start[points][:, None] + 1e-9)
        )
        order = np.argsort(own, axis=1, kind="stable")[:, : min(k, len(self) - 1)]
        found: Array = np.take_along_axis(rows, order, axis=1)
        return found

    def read(self, progress: Progress = silent) -> Array:
        """(N, D) what a taught classifier reads of the points; computed once and kept.

        Raises:
            KinemeError: it cannot be written, or another process is at it.
        """
        path = self.index.path.with_suffix(".read.npy")
        if not path.is_file():
            encode = partial(read_windows, self.model, device=self.index.device)
            windows = _windows(self.window)
            with parts_of(path) as folder:
                blocks = blocks_of(
                    [self.recordings],
                    windows,
                    encode,
                    device=self.index.device,
                    parts=Parts(folder, "read"),
                    progress=progress,
                )
                features = np.concatenate([block.features for block in blocks])
                with atomic_write(path) as aside:
                    np.save(aside, features)
        else:
            tidy(path)
        found: Array = np.load(path, mmap_mode="r", allow_pickle=False)
        return found


def open_library(
    model: Model,
    store: ClipStore,
    *,
    window: float | None = None,
    beside: Library | None = None,
    device: str,
    allow_preprocessing: bool = False,
    batch_size: int = 256,
    progress: Progress = silent,
    say: Say = lambda text: None,
) -> Library:
    """Opens a store to be explored, computing what is missing.

    Args:
        model: see `kineme.load`.
        store: clips, or recordings.
        window: seconds of a point. Default: whole clips, or 2 s where recordings are long.
        beside: the same store as another run sees it, whose window and map are taken.
        device: of the encoder.
        allow_preprocessing: accept a store with another preprocessing or units.
        batch_size: clips per pass of the encoder.
        progress: called with the points embedded and in total.
        say: told what comes next.

    Raises:
        KinemeError: the store does not fit the model, or all its features are equal.
    """
    if beside is not None:
        window = beside.window
    elif window is None:
        window = _usual_window(store, model)
    index = open_index(
        model,
        store,
        window=window,
        batch_size=batch_size,
        device=device,
        allow_preprocessing=allow_preprocessing,
        progress=progress,
    )
    if len(index) < 3 or has_collapsed(index.features):
        what = "fewer than three clips" if len(index) < 3 else "features that are all equal"
        raise KinemeError(f"{store.path}: has {what}; there is nothing to explore")
    places, kinds = _map(index, say) if beside is None else (beside.places, beside.kinds)
    return Library(store, model.on(device), index, places, kinds, window)


def _windows(window: float | None) -> Windows | None:
    return Windows(window, window / 2) if window else None


def _usual_window(store: ClipStore, model: Model) -> float | None:
    """As clustering decides whether recordings hold more than one motion."""
    long = np.median(store.index["frames"]) > LONG * store.manifest.fps or len(store.intervals["clip"]) > 0
    return WINDOW if long and model.preprocessing.keeps_frames else None


def _map(index: Index, say: Say) -> tuple[Array, Array]:
    """Places (N, 2) from 0 to 1 and kinds (N,), computed once and kept beside the index."""
    path = Path(index.path).with_suffix(".map.npz")
    if not path.is_file():
        say(f"drawing the map of {len(index):,} motions")
        features = np.asarray(index.features)
        drawn = evenly(np.arange(len(index)), PLACED)
        places = tsne(features[drawn])
        say("finding kinds of motion")
        kinds, _ = kinds_of(features[drawn], people=index.store.index["subject"][index.clip[drawn]])
        if len(drawn) < len(index):
            kinds = nearest_label(features[drawn], kinds, features)
            beside, _ = nearest(features[drawn], features, k=5)
            others = places[beside].mean(axis=1)
            others[drawn] = places
            places = others
        places = (places - places.min(axis=0)) / np.maximum(np.ptp(places, axis=0), 1e-9)
        with atomic_write(path) as aside:
            np.savez(aside, places=places.astype(np.float32), kinds=kinds)
    with np.load(path, allow_pickle=False) as stored:
        return stored["places"], stored["kinds"]
