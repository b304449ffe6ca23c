"""The clips an encoder was trained on, kept with the run, so that evaluation can leave them out.

Clips of NTU RGB+D and PKU-MMD are recognised by name: NTU-120's training clips include test clips of NTU-60,
and a PKU-MMD recording includes the actions cut from it. Names in other data sets are not unique, so their
clips are recognised by their frames or, under different preprocessings, by source and name. Frames are
compared as int16 would store them, so that such a copy is the same; one in float16 is rounded otherwise, and
is not.
"""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kineme.clips.disk import in_steps
from kineme.clips.folders import is_there
from kineme.clips.store import ClipStore
from kineme.errors import KinemeError, one_line
from kineme.files import atomic_write
from kineme.typing import Array
from kineme.untrusted import read_arrays

SEEN_CLIPS = "clips.npz"  # in a run directory

_NONE = np.empty(0, dtype=np.str_)
_BLOCK = 1 << 12  # clips whose frames are read at a time
_NTU = re.compile(r"S\d{3}C\d{3}P\d{3}R\d{3}A\d{3}")
_PKU = re.compile(r"((?:\d{4}|A\d+N\d+)-[LMR])(-\d+)?")  # a recording, or an action cut from it


@dataclass(frozen=True)
class Seen:
    """Clips that an encoder was trained on.

    Attributes:
        names: (n,) their names.
        digests: (n,) uint64, hashes of the clip's length and its first, middle and last frame.
        source: (n,) the data set of each, from the manifest of its store.
        preprocessing: id of their preprocessing.
        joints: of the stores' layouts; empty in runs of version 0.2 and before.
        fingerprint: of the stores; empty in these runs too.
        places: of the stores, from the run directory; empty in these runs too.
        rounded: (n,) uint64, `digests` of the coordinates in steps, which copies of a clip in float32 and in
            int16 share; empty in runs that do not have them yet.
    """

    names: Array
    digests: Array
    source: Array
    preprocessing: str
    joints: Array
    fingerprint: str = ""
    places: Array = field(default_factory=lambda: _NONE)  # an array is no default of a dataclass
    rounded: Array = field(default_factory=lambda: _NONE)

    @classmethod
    def of(cls, parts: Sequence[tuple[ClipStore, npt.NDArray[np.int64]]], run: Path | None = None) -> Seen:
        """The given rows of stores that were preprocessed alike, for a run directory if there is one."""
        manifests = [store.manifest for store, _ in parts]
        digests, rounded = np.concatenate([_digests(store, rows) for store, rows in parts], axis=1)
        return cls(
            names=np.concatenate([store.names[rows] for store, rows in parts]),
            digests=digests,
            source=np.concatenate([np.full(len(rows), store.manifest.source) for store, rows in parts]),
            preprocessing=manifests[0].preprocessing.id,
            joints=np.array([joint for each in manifests for joint in each.layout.joints]),
            fingerprint=" ".join(each.fingerprint for each in manifests),
            places=np.array([_place(store.path, run) for store, _ in parts]) if run else _NONE,
            rounded=rounded,
        )

    def differs(self, now: Seen) -> str | None:
        """How other stores differ: `joints` or `clips`; None if they do not."""
        if len(self.joints) and self.joints.tolist() != now.joints.tolist():
            return "joints"
        if self.fingerprint:
            return "clips" if self.fingerprint != now.fingerprint else None
        same = np.array_equal(self.names, now.names) and np.array_equal(self.digests, now.digests)
        return None if same else "clips"

    def save(self, path: Path) -> None:
        """Writes an .npz file.

        Raises:
            KinemeError: it cannot be written.
        """
        with atomic_write(path) as aside:
            np.savez_compressed(aside, **vars(self))

    @classmethod
    def load(cls, path: Path) -> Seen:
        """Reads what `save` wrote.

        Raises:
            KinemeError: the file is missing or damaged.
        """
        try:
            stored = read_arrays(path)
            key = "preprocessing" if "preprocessing" in stored else "recipe"  # before version 0.2
            names = stored["names"]
            return cls(
                names=names,
                digests=stored["digests"],
                source=np.broadcast_to(stored["source"], names.shape),  # earlier files have one for all
                preprocessing=str(stored[key]),
                joints=stored.get("joints", _NONE),
                fingerprint=str(stored.get("fingerprint", "")),
                places=stored.get("places", _NONE),
                rounded=stored.get("rounded", _NONE),
            )
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            reason = one_line(error)
            raise KinemeError(
                f"{path}: cannot be read as the clips of a run ({reason}); remove it to compare with the "
                "store of the pre-training instead"
            ) from error

    def located(self, run: Path, stores: Sequence[str]) -> list[str]:
        """Where the stores of a run are: as its settings name them, or else from the run directory."""
        if len(self.places) != len(stores):
            return list(stores)
        beside = [run / str(place) for place in self.places]
        return [
            str(place) if place.exists() and not is_there(store) else store
            for store, place in zip(stores, beside, strict=True)
        ]

    def among(self, store: ClipStore, rows: Array) -> Array:
        """Those of the given rows of a store that are among these clips, in the given order."""
        source, preprocessing = store.manifest.source, store.manifest.preprocessing.id
        names = store.names[rows].tolist()
        told = zip(self.names.tolist(), self.source.tolist(), strict=True)
        known = {key for pair in told if (key := _published(*pair))}
        whole = {_recording(key) for key in known}
        keys = [_published(name, source) for name in names]
        found = np.array(
            [key in known or _recording(key) in known or key in whole for key in keys], dtype=bool
        )
        own = np.array([not key for key in keys])
        if own.any() and preprocessing == self.preprocessing:
            digests, rounded = _digests(store, rows[own])
            found[own] = (
                np.isin(rounded, self.rounded) if len(self.rounded) else np.isin(digests, self.digests)
            )
        elif own.any():
            found[own] = np.isin(store.names[rows[own]], self.names[self.source == source])
        chosen: Array = rows[found]
        return chosen


def _place(store: Path, run: Path) -> str:
    """Where a store is, from a run directory, with slashes on every system.

    On Windows a store on another drive keeps its own path.
    """
    try:
        place = Path(os.path.relpath(store.resolve(), run.resolve()))
    except ValueError:
        place = store.resolve()
    return place.as_posix()


def _published(name: str, source: str) -> str:
    """The name, if it identifies a recording of a published data set; else empty."""
    if source.startswith("pkummd"):
        return name if _PKU.fullmatch(name) else ""
    named_as_ntu = _NTU.fullmatch(name) and source != "generated"  # generated clips have names of this form
    return name if named_as_ntu else ""


def _recording(name: str) -> str:
    """The recording that a PKU-MMD action was cut from; other names unchanged."""
    cut = _PKU.fullmatch(name)
    return cut[1] if cut else name


def _digests(store: ClipStore, rows: Array) -> Array:
    """(2, n) uint64, equal for equal clips, whatever the number of absent bodies: `digests` and `rounded`."""
    digests = np.empty((2, len(rows)), dtype=np.uint64)
    for first in range(0, len(rows), _BLOCK):
        block = rows[first : first + _BLOCK]
        lengths = np.asarray(store.index["frames"][block])
        places = store.index["offset"][block][:, None] + np.stack(
            [0 * lengths, lengths // 2, lengths - 1], axis=1
        )
        frames = np.asarray(store.frames[places.ravel()]).reshape(len(block), 3, *store.frames.shape[1:])
        for kind, values in enumerate((frames, in_steps(frames).astype(np.int64))):
            digests[kind, first : first + len(block)] = list(map(_digest, lengths.tolist(), values))
    return digests


def _digest(length: int, frames: Array) -> int:
    """Of a clip of so many frames, of which some are given, (t, M, V, C)."""
    there = frames[:, frames.any(axis=(0, 2, 3))]
    digest = hashlib.blake2b(length.to_bytes(8, "little") + there.tobytes(), digest_size=8)
    return int.from_bytes(digest.digest(), "little")
