"""Stores of many shards: each is a store by itself, whoever wrote it, and one manifest names them all.

manifest.json       as that of one shard; bodies, the shards with their counts, the columns with their hashes
index/COLUMN.npy    the columns of the shards one after another, so that they can be memory-mapped
SHARD/              a store: frames.npy, index.npz, manifest.json
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Shard:
    """One of the stores that a store is made of.

    Attributes:
        path: its directory below that of the whole.
        clips: how many.
        frames: of all of them.
        fingerprint: see `Manifest`.
        tally: what `info` counts, see `Tally`.
    """

    path: str
    clips: int
    frames: int
    fingerprint: str
    tally: Mapping[str, Any]
