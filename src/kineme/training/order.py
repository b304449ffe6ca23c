"""The order of clips in an epoch, from the seed and its number.

One shard: any order of all its clips is as likely as any other.

Many shards: clips are read where they lie, so they are shuffled in three steps. The shards are taken in
random order, `SHARDS` at a time. Their clips are cut into blocks of neighbours, and these are taken in random
order, at most `BLOCKS` at a time, which together fill about `RESIDENT` bytes of disk. Their clips are put
into random order. So every clip comes once an epoch; any two may meet in a batch, and those of one block are
near each other in every epoch; and about `RESIDENT` bytes, of at most `SHARDS` shards, are needed at a time.
They are also shuffled so where an accelerator holds them all, so that every process has the same order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kineme.clips.batches import Clips
from kineme.clips.disk import DiskArray
from kineme.clips.store import ClipStore

RESIDENT = 1 << 29
BLOCKS = 32
SHARDS = 8


@dataclass(frozen=True)
class Blocks:
    """How clips are cut into blocks.

    Attributes:
        bounds: the first clip of each shard, and the number of clips.
        size: clips of a block; the last one of a shard may have fewer.
    """

    bounds: tuple[int, ...]
    size: int

    @classmethod
    def of(cls, store: ClipStore, clips: Clips) -> Blocks | None:
        """Those of a store's clips in order of their frames; None where it has not many shards."""
        frames = store.frames
        if not isinstance(frames, DiskArray) or len(frames.starts) == 1 or not len(clips):
            return None
        starts = clips.start.cpu().numpy()
        assert (starts[1:] >= starts[:-1]).all()
        bounds = np.unique([*np.searchsorted(starts, frames.starts), len(clips)])
        mean = frames.row_bytes * float(clips.length.double().mean())
        return cls(tuple(bounds.tolist()), max(1, int(RESIDENT / BLOCKS / mean)))

    def order(self, seed: int, epoch: int) -> Iterator[Tensor]:
        """The clips of an epoch, in groups that are read together.

        >>> groups = list(Blocks((0, 4, 6), size=2).order(seed=0, epoch=0))
        >>> [sorted(group.tolist()) for group in groups]
        [[0, 1, 2, 3, 4, 5]]
        """
        rng = np.random.default_rng([seed, epoch])
        spans = np.array([self.bounds[:-1], self.bounds[1:]]).T
        for shards in _parts(rng.permutation(spans), SHARDS):
            blocks = [
                np.arange(first, min(first + self.size, end))
                for start, end in shards.tolist()
                for first in range(start, end, self.size)
            ]
            for chosen in _parts(rng.permutation(len(blocks)), BLOCKS):
                rows = np.concatenate([blocks[i] for i in chosen.tolist()])
                yield torch.from_numpy(rng.permutation(rows))


def _parts(values: np.ndarray, most: int) -> list[np.ndarray]:
    """Parts of equal length, but for one, of at most so many."""
    return np.array_split(values, -(-len(values) // most))


def epoch_order(seed: int, epoch: int, clips: int) -> Tensor:
    """(clips,) any order of so many clips."""
    return torch.from_numpy(np.random.default_rng([seed, epoch]).permutation(clips))
