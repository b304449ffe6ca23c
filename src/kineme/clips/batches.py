"""Resident clips, and batches of them.

A skeleton data set is small, so it stays in the accelerator's memory if it fits there, else in the store's
memory map; a store of many shards, or in 16 bits, is read and decoded batch by batch. A batch is an index: no
worker processes, no per-clip Python.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from kineme.clips.disk import DiskArray
from kineme.clips.store import ClipStore, present_rows
from kineme.typing import Array


class OnDisk:
    """Frames that stay on disk, in place of a tensor in `Clips`; indexing gives a tensor on the CPU.

    Attributes:
        array: the frames.
        shape: (F, M, V, C).
    """

    device = torch.device("cpu")
    dtype = torch.float32

    def __init__(self, array: DiskArray) -> None:
        self.array, self.shape = array, torch.Size(array.shape)

    def __getitem__(self, key: slice) -> Tensor:
        return torch.from_numpy(np.array(self.array[key]))

    def index_select(self, dim: int, rows: Tensor) -> Tensor:
        """The frames of these numbers; `dim` is 0."""
        assert dim == 0
        return torch.from_numpy(self.array[rows.numpy()])

    def to(self, device: torch.device | str) -> OnDisk:
        """Itself: only indexed frames are moved to a device."""
        return self


@dataclass(frozen=True)
class Clips:
    """Ragged clips: a data set, or a batch of one.

    Attributes:
        frames: (F, M, V, C), the frames of all clips (shared by every batch, never copied).
        start: (N,) int64, first frame of each clip.
        length: (N,) int64, frames of each clip.
        present: (N, V) bool, false for joints that a clip lacks; None: no clip lacks any.

    >>> frames = torch.arange(6.0).view(6, 1, 1, 1)  # of two clips, 4 and 2 frames long
    >>> clips = Clips(frames, start=torch.tensor([0, 4]), length=torch.tensor([4, 2]))
    >>> clips.resize(4).squeeze()
    tensor([[0.0000, 1.0000, 2.0000, 3.0000],
            [4.0000, 4.2500, 4.7500, 5.0000]])
    >>> clips[torch.tensor([1])].resize(2).squeeze()
    tensor([4., 5.])
    """

    frames: Tensor | OnDisk
    start: Tensor
    length: Tensor
    present: Tensor | None = None

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, rows: Tensor | slice) -> Clips:
        """The clips at an index (N',) or slice; copies no frames."""
        present = None if self.present is None else self.present[rows]
        return Clips(self.frames, self.start[rows], self.length[rows], present)

    def to(self, device: torch.device | str) -> Clips:
        """The same clips on a device."""
        present = None if self.present is None else self.present.to(device)
        return Clips(self.frames.to(device), self.start.to(device), self.length.to(device), present)

    @property
    def held(self) -> Tensor:
        """The frames of clips that are in memory, as those of `gathered` are."""
        assert isinstance(self.frames, Tensor)
        return self.frames

    @property
    def bodies(self) -> int:
        """M, bodies per frame."""
        return int(self.frames.shape[1])

    def windows(self, frames: int) -> Clips:
        """Cuts clips into windows of `frames` frames with 50 % overlap; copies no frames.

        The last window of a clip ends with it, so that every frame is covered. Shorter clips stay whole.
        """
        step = max(frames // 2, 1)
        count = 1 + (self.length - frames).clamp_min(0).add(step - 1) // step
        row = torch.arange(len(self), device=count.device).repeat_interleave(count)
        number = torch.arange(len(row), device=count.device) - (count.cumsum(0) - count)[row]
        begin = torch.minimum(number * step, (self.length - frames).clamp_min(0)[row])
        windows = self[row]
        return replace(windows, start=windows.start + begin, length=windows.length.clamp_max(frames))

    def first(self, length: Tensor) -> Clips:
        """The clips with their first frames only, as many as `length` (N,) says; copies no frames."""
        return replace(self, length=length)

    def resize(self, frames: int, start: Tensor | None = None, length: Tensor | None = None) -> Tensor:
        """Resamples each clip, or a window of it, linearly to `frames` frames.

        Like bilinear interpolation of images: half-pixel centres, clamped edges, no antialiasing. A window of
        `frames` frames is returned unchanged.

        Args:
            frames: T of the result.
            start: (N,) first frame of each window, relative to its clip. Default: 0.
            length: (N,) frames of each window. Default: the whole clip.

        Returns:
            (N, C, T, V, M).
        """
        length = self.length if length is None else length
        begin = self.start if start is None else self.start + start
        scale = (length.to(torch.float32) / frames)[:, None]
        centre = (torch.arange(frames, device=length.device, dtype=torch.float32) + 0.5) * scale - 0.5
        return Clips(self.frames, begin, length).sample(centre)

    def sample(self, at: Tensor) -> Tensor:
        """Each clip at (N, T) times, in frames from its first; clamped at its ends.

        Returns:
            (N, C, T, V, M).
        """
        last = (self.length - 1)[:, None]
        at = torch.minimum(at.clamp_min(0), last.to(at.dtype))
        below = at.floor().to(torch.int64)
        above = torch.minimum(below + 1, last)
        weight = (at - below)[..., None, None, None].to(self.frames.dtype)
        first = self.start[:, None]
        low, high = self.gather(first + below), self.gather(first + above)
        return torch.lerp(low, high, weight).permute(0, 4, 1, 3, 2)

    def gather(self, rows: Tensor) -> Tensor:
        """(N, T) frame numbers → (N, T, M, V, C) on the index's device."""
        taken = self.frames.index_select(0, rows.flatten().to(self.frames.device))
        return taken.view(*rows.shape, *self.frames.shape[1:]).to(rows.device, non_blocking=True)


def even_batch(clips: Sequence[int], most: int) -> int:
    """The largest batch, of half of `most` to `most` clips, that leaves out at most one clip in twenty.

    Incomplete batches are dropped in pre-training. If all leave out more, the one that leaves out the fewest.

    Args:
        clips: how many there are; of several stores, each of which has its own batches.
        most: clips of the largest batch.

    >>> even_batch([150], 64), even_batch([100_000], 64), even_batch([20], 64), even_batch([128, 96], 64)
    (50, 64, 20, 32)
    """
    most = min(most, *clips)
    sizes = range(most, max(1, most // 2) - 1, -1)

    def out(size: int) -> int:
        return sum(count % size for count in clips)

    return next((size for size in sizes if 20 * out(size) <= sum(clips)), min(sizes, key=out))


def joined(arrays: Sequence[Array], present: Sequence[Array | None] | None = None) -> Clips:
    """Clips of one array (T, M, V, C) each.

    Args:
        arrays: the frames of each clip.
        present: of each clip (V,) bool, false for joints that it does not have; None: it has all.

    >>> joined([np.zeros((2, 1, 3, 3))] * 2, [None, np.array([True, False, True])]).present
    tensor([[ True,  True,  True],
            [ True, False,  True]])
    """
    length = torch.tensor([len(array) for array in arrays])
    frames = torch.from_numpy(np.concatenate(arrays))
    rows = present_rows(present or [], frames.shape[2])
    return Clips(frames, length.cumsum(0) - length, length, None if rows is None else torch.from_numpy(rows))


def resident(
    store: ClipStore, rows: npt.NDArray[np.int64] | None = None, device: torch.device | str = "cpu"
) -> Clips:
    """The clips of a store, or some rows of it, to be batched on `device`.

    Frames go to an accelerator if they fill at most half of its free memory; else they stay memory-mapped,
    and the frames of each batch are copied.
    """
    device = torch.device(device)
    frames = _frames(store)
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if 4 * math.prod(frames.shape) <= free // 2:
            frames = frames[:].to(device)
    start, length = (
        torch.from_numpy(np.array(column if rows is None else column[rows], dtype=np.int64)).to(device)
        for column in (store.index["offset"], store.index["frames"])
    )
    present = store.present if store.present is None or rows is None else store.present[rows]
    told = None if present is None else torch.from_numpy(np.array(present)).to(device)
    return Clips(frames, start, length, told)


def _frames(store: ClipStore) -> Tensor | OnDisk:
    if isinstance(store.frames, DiskArray):
        return OnDisk(store.frames)
    with warnings.catch_warnings():  # the map is read-only, and nothing writes to it
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(store.frames)
