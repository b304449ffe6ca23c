"""Clips in memory → batches of tensors.

A skeleton data set is small, so it stays resident: on the accelerator if it fits there, else as the store's
memory map. A batch is then an index; there are no worker processes and no per-clip Python.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from kineme.clips.store import ClipStore


@dataclass(frozen=True)
class Clips:
    """Ragged clips: a data set, or a batch of one.

    Attributes:
        frames: (F, M, V, C) the frames of all clips (shared by every batch, never copied).
        start: (N,) int64, first frame of each clip.
        length: (N,) int64, frames of each clip.
    """

    frames: Tensor
    start: Tensor
    length: Tensor

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, rows: Tensor | slice) -> Clips:
        """The clips of an index (N',) or slice; no frames are copied."""
        return Clips(self.frames, self.start[rows], self.length[rows])

    @property
    def bodies(self) -> int:
        """M, bodies a frame."""
        return int(self.frames.shape[1])

    def windows(self, frames: int) -> Clips:
        """Cuts clips of more than `frames` frames into windows of so many, each half over the one before.

        The last window of a clip ends with it, so that every frame is in one. Shorter clips stay whole; no
        frames are copied.
        """
        step = max(frames // 2, 1)
        count = 1 + (self.length - frames).clamp_min(0).add(step - 1) // step
        row = torch.arange(len(self), device=count.device).repeat_interleave(count)
        number = torch.arange(len(row), device=count.device) - (count.cumsum(0) - count)[row]
        begin = torch.minimum(number * step, (self.length - frames).clamp_min(0)[row])
        return Clips(self.frames, self.start[row] + begin, self.length[row].clamp_max(frames))

    def resize(self, frames: int, start: Tensor | None = None, length: Tensor | None = None) -> Tensor:
        """Resamples each clip, or a window of it, linearly to `frames` frames, in one gather.

        Half-pixel centres, edges clamped, no antialias, as bilinear interpolation of images does; a window of
        `frames` frames comes out as it is.

        Args:
            frames: T of the result.
            start: (N,) first frame of each window, counted from its clip's first. Default: the first.
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
        """Each clip at (N, T) times, in frames from its first; beyond its ends it stands still.

        Returns:
            (N, C, T, V, M).
        """
        last = (self.length - 1)[:, None]
        at = torch.minimum(at.clamp_min(0), last.to(at.dtype))
        below = at.floor().to(torch.int64)
        above = torch.minimum(below + 1, last)
        weight = (at - below)[..., None, None, None].to(self.frames.dtype)
        first = self.start[:, None]
        low, high = self._gather(first + below), self._gather(first + above)
        return torch.lerp(low, high, weight).permute(0, 4, 1, 3, 2)

    def _gather(self, rows: Tensor) -> Tensor:
        """(N, T) frame numbers → (N, T, M, V, C) on the index's device."""
        taken = self.frames.index_select(0, rows.flatten().to(self.frames.device))
        return taken.view(*rows.shape, *self.frames.shape[1:]).to(rows.device, non_blocking=True)


def resident(
    store: ClipStore, rows: npt.NDArray[np.int64] | None = None, device: torch.device | str = "cpu"
) -> Clips:
    """The clips of a store, or the given rows of them, ready to be batched on `device`.

    Frames go to an accelerator when they fill at most half of its free memory; otherwise they stay mapped and
    each batch's frames are copied over.
    """
    device = torch.device(device)
    with warnings.catch_warnings():  # the map is read-only and nothing writes to it
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        frames = torch.from_numpy(store.frames)
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if frames.numel() * frames.element_size() <= free // 2:
            frames = frames.to(device)
    rows = np.arange(len(store)) if rows is None else rows
    start = torch.from_numpy(store.index["offset"][rows].astype(np.int64)).to(device)
    length = torch.from_numpy(store.index["frames"][rows].astype(np.int64)).to(device)
    return Clips(frames, start, length)
