"""Several clip stores as one, to train one encoder on all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kineme.clips.retargeted import RetargetedStore
from kineme.clips.splits import split_rows
from kineme.clips.store import CLIP_COLUMNS, INTERVAL_COLUMNS, ClipStore
from kineme.errors import KinemeError
from kineme.layouts.body import BODY
from kineme.typing import Array


class Collection(ClipStore):
    """The clips of several stores, one store after another, with the joints of one layout.

    The layout is that of the stores if they have the same one, else `body`, where joints that a store does
    not have are absent. Labels and people of different stores are treated as different, even if their names
    are equal.

    Attributes:
        stores: the stores.
        bounds: (len(stores) + 1,) the first row of each store, and the number of clips.
    """

    stores: tuple[ClipStore, ...]
    bounds: Array

    def __init__(self, stores: Sequence[ClipStore]) -> None:
        """Joins the indices; frames are read when they are first asked for.

        Raises:
            KinemeError: the stores differ in preprocessing or units, or are in 2D and 3D.
        """
        # Nothing is opened, so ClipStore's own __init__ is not called.
        for store in stores[1:]:
            _check_alike(stores[0], store)
        self.stores = tuple(stores)
        self.path = Path(" + ".join(str(store.path) for store in stores))
        self.confidence = None
        self.splits = {}
        manifests = [store.manifest for store in stores]
        one_layout = all(each.layout == manifests[0].layout for each in manifests)
        self.manifest = replace(
            manifests[0],
            layout=manifests[0].layout if one_layout else BODY,
            source=" + ".join(dict.fromkeys(each.source for each in manifests)),
            class_names=tuple(
                f"{store.path.name}: {name}" for store in stores for name in store.manifest.class_names
            ),
            fingerprint=hashlib.sha256(" ".join(each.fingerprint for each in manifests).encode()).hexdigest(),
        )
        self.bounds = _bounds([len(store) for store in stores])
        classes = _bounds([len(each.class_names) for each in manifests])

        index = {name: np.concatenate([store.index[name] for store in stores]) for name in CLIP_COLUMNS}
        of = np.repeat(np.arange(len(stores)), np.diff(self.bounds))  # each clip's store
        index["offset"] = np.cumsum(index["frames"]) - index["frames"]
        index["label"] = _raised(index["label"], classes[of])
        person = index["subject"].astype(str)
        index["subject"] = np.where(person == "", "", np.char.add(np.char.add(of.astype(str), ":"), person))
        self.index = index

        rows = {name: np.concatenate([each.intervals[name] for each in stores]) for name in INTERVAL_COLUMNS}
        of = np.repeat(np.arange(len(stores)), [len(each.intervals["clip"]) for each in stores])
        rows["clip"], rows["label"] = rows["clip"] + self.bounds[of], _raised(rows["label"], classes[of])
        self.intervals = rows

    @property
    def bodies(self) -> int:
        """M, bodies per frame of the store that has the most."""
        return max(store.bodies for store in self.stores)

    @cached_property
    def frames(self) -> Array:  # type: ignore[override]
        """(F, M, V, C) float32, in memory."""
        shape = int(self.index["frames"].sum()), self.bodies, self.layout.num_joints, 3
        joined = np.zeros(shape, dtype=np.float32)
        bounds = _bounds([len(store.frames) for store in self.stores])
        for (first, end), store in zip(pairwise(bounds), self._in_one_layout, strict=True):
            joined[first:end, : store.bodies] = store.frames
        return joined

    @cached_property
    def present(self) -> Array | None:  # type: ignore[override]
        """(N, V) bool, false for joints that a clip does not have; None if all have all."""
        found = [store.present for store in self._in_one_layout]
        if all(each is None for each in found):
            return None
        full = np.ones((len(self), self.layout.num_joints), dtype=bool)
        for (first, end), each in zip(pairwise(self.bounds), found, strict=True):
            full[first:end] = True if each is None else each
        return full

    @cached_property
    def _in_one_layout(self) -> list[ClipStore]:
        layout = self.layout
        return [store if store.layout == layout else RetargetedStore(store, layout) for store in self.stores]


def open_stores(paths: Sequence[str | Path]) -> ClipStore:
    """The store at a path, or those at several as a `Collection`.

    Raises:
        KinemeError: one of them cannot be opened or is named twice, or they do not go together.
    """
    stores = [ClipStore(path) for path in paths]
    places = [store.path.resolve() for store in stores]
    if twice := [place for number, place in enumerate(places) if place in places[:number]]:
        raise KinemeError(f"{twice[0]}: is given twice; give each store once")
    return stores[0] if len(stores) == 1 else Collection(stores)


def stores_of(store: ClipStore) -> Sequence[ClipStore]:
    """The stores of a collection, or the store itself."""
    return store.stores if isinstance(store, Collection) else (store,)


def parts(store: ClipStore, splits: Sequence[str]) -> list[tuple[ClipStore, npt.NDArray[np.int64]]]:
    """The rows to train on, of a store, or of each store of a collection.

    Args:
        store: either.
        splits: one for all stores, or one for each.

    Raises:
        KinemeError: no such split, or splits for another number of stores.
    """
    stores = stores_of(store)
    if len(splits) not in (1, len(stores)):
        raise KinemeError(
            f"data.split names {len(splits)} splits, but there are {len(stores)} stores; name one for all of "
            "them, or one for each"
        )
    each = [*splits] if len(splits) > 1 else [*splits] * len(stores)
    return [(own, split_rows(own, split, "train")) for own, split in zip(stores, each, strict=True)]


def training_rows(store: ClipStore, splits: Sequence[str]) -> npt.NDArray[np.int64]:
    """The rows of `parts` as rows of the store or collection itself."""
    found = parts(store, splits)
    first = store.bounds[:-1] if isinstance(store, Collection) else [0]
    return np.concatenate([start + rows for start, (_, rows) in zip(first, found, strict=True)])


def store_numbers(store: ClipStore, rows: Array) -> Array:
    """(n,) number of the store that each row belongs to, from 0; all 0 for a single store."""
    if not isinstance(store, Collection):
        return np.zeros(len(rows), dtype=np.int64)
    numbers: Array = np.searchsorted(store.bounds[1:], rows, side="right")
    return numbers


def _check_alike(one: ClipStore, other: ClipStore) -> None:
    """Checks that clips of two stores can be trained on together.

    Raises:
        KinemeError: they were preprocessed differently, or are in other units or dimensions.
    """
    where = f"{one.path} and {other.path}"
    first, second = one.manifest, other.manifest
    if first.preprocessing != second.preprocessing:
        raise KinemeError(
            f"{where}: were prepared by {first.preprocessing.id} and {second.preprocessing.id}; prepare them "
            "with the same preprocessing (--preprocessing)"
        )
    if _flat(one) != _flat(other):
        raise KinemeError(f"{where}: one is in 2D, the other in 3D; train an encoder for each")
    if first.units != second.units:
        raise KinemeError(
            f"{where}: are in {first.units} and {second.units}; prepare them in the same units, or by a "
            "preprocessing that scales, such as plain(scale=True)"
        )


def _flat(store: ClipStore) -> bool:
    """Whether its joints are in a plane: the first clip shows it."""
    return not np.any(store.clip(0)[..., 2])


def _bounds(counts: Sequence[int]) -> Array:
    return np.cumsum([0, *counts])


def _raised(column: Array, by: Array) -> Array:
    """Numbers that start where those of the stores before end; -1, unknown, stays."""
    raised: Array = np.where(column < 0, column, column + by)
    return raised
