"""What a taught classifier reads of a motion: the features of several crops of it, averaged.

It is taught with the features of those crops and of sheared crops, chosen on training people of UTD-MHAD who
were held out in turn (docs/teach.md). Of an example that is part of a recording it is also taught what
windows of a stream show: the part seen too early, too late and with what is around it (docs/watch.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from kineme.augment import draw_shear, shear_matrix
from kineme.clips.batches import Clips
from kineme.model import Model
from kineme.progress import Progress, silent
from kineme.typing import Array

CROPS = ((0.0, 1.0), (0.05, 0.95), (0.1, 0.9), (0.0, 0.85), (0.15, 1.0))  # shares of a motion's frames
SHEARED = 8  # copies that are sheared
SHEAR = 0.3  # amplitude
LARGEST_CUT = 0.2  # of each end of a sheared copy
AROUND = 0.3  # of an example's length: what is read before and after it
SHIFTED = (  # shares of an example's frames
    (-AROUND, 1 - AROUND),
    (-AROUND / 2, 1 - AROUND / 2),
    (AROUND / 2, 1 + AROUND / 2),
    (AROUND, 1 + AROUND),
    (-AROUND / 2, 1 + AROUND / 2),
)
TOGETHER = 64  # clips whose sheared copies are in memory


def crops_of(clips: Clips) -> Clips:
    """(N) clips → (N·5) crops, those of a clip together; copies no frames.

    >>> clips = Clips(torch.zeros(30, 1, 1, 1), start=torch.tensor([10]), length=torch.tensor([20]))
    >>> crops_of(clips).start.tolist(), crops_of(clips).length.tolist()
    ([10, 11, 12, 10, 13], [20, 18, 16, 17, 17])
    """
    return _cut(clips, torch.zeros_like(clips.length), clips.length, CROPS)


def _cut(clips: Clips, begin: Tensor, frames: Tensor, shares: Sequence[tuple[float, float]]) -> Clips:
    """(N) clips → (N·S) crops: shares of `frames` from frame `begin` of each, within the clip."""
    share = torch.tensor(shares, dtype=torch.float64, device=clips.start.device)
    first, after = begin[:, None] + (frames[:, None] * share.T[:, None]).round().to(torch.int64)
    first, after = first.clamp_min(0), torch.minimum(after, clips.length[:, None])
    length = (after - first).clamp_min(1)
    crops = clips[torch.arange(len(clips), device=first.device).repeat_interleave(len(shares))]
    return replace(crops, start=crops.start + first.flatten(), length=length.flatten())


def read(
    model: Model,
    clips: Clips,
    *,
    batch_size: int = 256,
    device: str | None = None,
    progress: Progress = silent,
) -> Array:
    """Features of preprocessed clips for a taught classifier.

    Args:
        model: its encoder.
        clips: (N) in memory.
        batch_size: crops per pass of the encoder.
        device: of the encoder; by default a GPU if there is one.
        progress: called with the clips done and in total.

    Returns:
        (N, D) float32.

    Raises:
        KinemeError: a feature is not finite.
    """
    crops = _encoded(model, crops_of(clips), len(CROPS), batch_size, device, progress)
    mean: Array = crops.mean(axis=1, dtype=np.float64)
    return mean.astype(np.float32)


def read_windows(
    model: Model,
    windows: Clips,
    *,
    batch_size: int = 256,
    device: str | None = None,
    progress: Progress = silent,
) -> Array:
    """As `read`, of windows of recordings; NaN where nobody is in one."""
    features = read(model, windows, batch_size=batch_size, device=device, progress=progress)
    features[~seen(windows, (0.0, 1.0))[:, 0]] = np.nan
    return features


def seen(windows: Clips, edges: Sequence[float]) -> Array:
    """(N, n) bool, whether somebody is in each part of windows; `edges` (n + 1) are shares of their length.

    >>> frames = torch.tensor([0.0, 0, 0, 1, 0, 0]).reshape(6, 1, 1, 1)
    >>> clips = Clips(frames, start=torch.tensor([0, 2]), length=torch.tensor([4, 4]))
    >>> seen(clips, (0.0, 0.5, 1.0)).tolist()
    [[False, True], [True, False]]
    """
    there = windows.held.flatten(1).any(dim=1).cumsum(0)
    before = torch.cat([there.new_zeros(1), there])
    shares = torch.tensor(edges, dtype=torch.float64, device=windows.length.device)
    at = before[windows.start[:, None] + (windows.length[:, None] * shares).round().to(torch.int64)]
    found: Array = (at[:, 1:] > at[:, :-1]).cpu().numpy()
    return found


def read_copies(
    model: Model,
    clips: Clips,
    *,
    seed: int = 0,
    batch_size: int = 256,
    device: str | None = None,
    progress: Progress = silent,
) -> Array:
    """Features of copies of examples: their crops, then random crops that are sheared.

    Args:
        model: its encoder.
        clips: (N) in memory, one after another as `joined` makes them.
        seed: of the random crops and shears.
        batch_size, device, progress: as of `read`.

    Returns:
        (N, 5 + 8, D) float32.

    Raises:
        KinemeError: a feature is not finite.
    """
    generator, parts = torch.Generator().manual_seed(seed), []
    for first in range(0, len(clips), TOGETHER):
        part = clips[first : first + TOGETHER]
        crops = _encoded(model, crops_of(part), len(CROPS), batch_size, device, silent)
        sheared = _encoded(model, _sheared(part, generator), SHEARED, batch_size, device, silent)
        parts.append(np.concatenate([crops, sheared], axis=1))
        progress(first + len(part), len(clips))
    return np.concatenate(parts)


def read_shifted(
    model: Model,
    clips: Clips,
    before: Array,
    frames: Array,
    *,
    batch_size: int = 256,
    device: str | None = None,
) -> Array:
    """Features of parts of recordings, each seen too early, too late and with what is around it.

    Args:
        model: its encoder.
        clips: (N) in memory: each example with the frames around it, as far as there are any.
        before: (N,) how many of these frames are before the example,
        frames: and how many are the example's own.
        batch_size, device: as of `read`.

    Returns:
        (N, 5, D) float32; NaN where there is nothing around an example.

    Raises:
        KinemeError: a feature is not finite.
    """
    begin, own = (torch.as_tensor(each, dtype=torch.int64) for each in (before, frames))
    rows = torch.nonzero(own < clips.length)[:, 0]
    found = np.full((len(clips), len(SHIFTED), model.encoder.dim), np.nan, dtype=np.float32)
    if len(rows):
        crops = _cut(clips[rows], begin[rows], own[rows], SHIFTED)
        found[rows.numpy()] = _encoded(model, crops, len(SHIFTED), batch_size, device, silent)
    return found


def _sheared(clips: Clips, generator: torch.Generator) -> Clips:
    """(N) clips → (N·8) random crops, each of its own sheared frames, those of a clip together."""
    begins, total = int(clips.start[0]), int(clips.length.sum())
    plain = clips.frames[begins : begins + total]
    of_frame = torch.arange(len(clips)).repeat_interleave(clips.length)
    frames, first, length = [], [], []
    for number in range(SHEARED):
        matrix = shear_matrix(draw_shear(len(clips), SHEAR, generator))
        frames.append(torch.einsum("fmvc,fdc->fmvd", plain, matrix[of_frame]))
        cut = torch.rand(2, len(clips), generator=generator) * LARGEST_CUT * clips.length
        begin, after = cut[0].round().long(), clips.length - cut[1].round().long()
        first.append(number * total + clips.start - begins + begin)
        length.append((after - begin).clamp_min(1))
    starts, lengths = (torch.stack(each, dim=1).flatten() for each in (first, length))
    every = clips[torch.arange(len(clips)).repeat_interleave(SHEARED)]
    return Clips(torch.cat(frames), starts, lengths, every.present)


def _encoded(
    model: Model, clips: Clips, each: int, batch_size: int, device: str | None, progress: Progress
) -> Array:
    """(N·each) clips → (N, each, D)."""
    features = model.encode(
        clips,
        batch_size=batch_size,
        device=device,
        progress=lambda done, total: progress(done // each, total // each),
    )
    return features.reshape(-1, each, features.shape[1])
