"""Transforms along time."""

from __future__ import annotations

import torch
from torch import Tensor

from kineme.augment.draws import draw_uniform, rand, randint

LEAST_FRAMES = 3  # of the beginning of a clip
BLUR_REACH = 7  # frames on each side: a kernel of 15


def pad_length(frames: int) -> int:
    """p, the frames that `pad_crop` adds at each end of a clip of T frames."""
    return frames // 6


def draw_pad_crop(n: int, frames: int, generator: torch.Generator) -> Tensor:
    """(n,) int64 starts of a window of T = `frames` in the padded clip, uniform in 0..2p, p = T // 6.

    >>> draw_pad_crop(5, 24, torch.Generator().manual_seed(0)).tolist()
    [8, 0, 2, 6, 7]
    """
    return randint(2 * pad_length(frames) + 1, (n,), generator)


def pad_crop(clips: Tensor, start: Tensor) -> Tensor:
    """Pads p = T // 6 frames at each end by reflection, then keeps T frames from `start` (N,). Neutral: p.

    >>> clip = torch.arange(12).view(1, 1, 12, 1, 1)
    >>> pad_crop(clip, torch.tensor([0])).flatten().tolist()
    [1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """
    frames = clips.shape[2]
    source = torch.arange(frames, device=start.device) + (start[:, None] - pad_length(frames))
    source = torch.where(source < 0, -1 - source, source)
    source = torch.where(source >= frames, 2 * frames - 1 - source, source)
    return _take_frames(clips, source)


def reverse_time(clips: Tensor, apply: Tensor) -> Tensor:
    """Plays the clips backwards where `apply` (N,) is true.

    >>> clips = torch.arange(3).view(1, 1, 3, 1, 1).repeat(2, 1, 1, 1, 1)
    >>> reverse_time(clips, torch.tensor([True, False])).flatten(1).tolist()
    [[2, 1, 0], [0, 1, 2]]
    """
    forward = torch.arange(clips.shape[2], device=apply.device)
    return _take_frames(clips, torch.where(apply[:, None], forward.flip(0), forward))


def _take_frames(clips: Tensor, source: Tensor) -> Tensor:
    """The frames `source` (N, T) of each clip, in that order, gathered as whole rows of V·M numbers."""
    n, coordinates, frames, joints, bodies = clips.shape
    first = torch.arange(n * coordinates, device=source.device).view(n, coordinates, 1) * frames
    rows = (first + source[:, None]).flatten()
    return clips.reshape(-1, joints * bodies).index_select(0, rows).view(clips.shape)


def draw_blur(n: int, generator: torch.Generator) -> Tensor:
    """(n,) standard deviations for `blur` in frames, uniform in [0.1, 2).

    >>> draw_blur(3, torch.Generator().manual_seed(0))
    tensor([1.0429, 1.5596, 0.2681])
    """
    return draw_uniform((n,), 0.1, 2.0, generator)


def blur(clips: Tensor, sigma: Tensor) -> Tensor:
    """Sums 15 neighbouring frames with weights exp(-d²/2σ²), σ (N,) in frames. Neutral: zero.

    As in AimCLR's program, the weights are not normalised, and frames beyond the ends are zero.

    >>> impulse = torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0]).view(1, 1, 5, 1, 1)
    >>> blur(impulse, torch.tensor([1.0])).flatten()
    tensor([0.1353, 0.6065, 1.0000, 0.6065, 0.1353])
    """
    distance = torch.arange(BLUR_REACH + 1, device=sigma.device)
    weights = torch.exp(-(distance**2) / (2 * sigma[:, None] ** 2).clamp_min(1e-6))
    weights = weights[..., None, None, None, None]
    blurred = clips.clone()
    for d in range(1, min(BLUR_REACH, clips.shape[2] - 1) + 1):
        blurred[:, :, d:].addcmul_(clips[:, :, :-d], weights[:, d])
        blurred[:, :, :-d].addcmul_(clips[:, :, d:], weights[:, d])
    return blurred


def draw_window(
    length: Tensor, frames: int, fraction_range: tuple[float, float], generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """A random window of each clip, for `Clips.resize`.

    Args:
        length: (N,) int64, F, the clips' frames.
        frames: T, the shortest window; shorter clips are taken whole.
        fraction_range: range of the share s of a clip that is kept, drawn uniformly.
        generator: on the device of `length`.

    Returns:
        (start, length), (N,) int64 each: length min(max(floor(s·F), T), F), start uniform in 0..F - length.

    >>> start, length = draw_window(torch.tensor([100, 30]), 64, (0.5, 1.0), torch.Generator().manual_seed(0))
    >>> start.tolist(), length.tolist()
    ([2, 0], [74, 30])
    """
    n = len(length)
    share = draw_uniform((n,), *fraction_range, generator)
    kept = torch.minimum((share * length).long().clamp_min(frames), length)
    start = draw_uniform((n,), 0.0, 1.0, generator) * (length - kept + 1)
    return start.long(), kept


def draw_frames(length: Tensor, frames: int, generator: torch.Generator) -> Tensor:
    """Times, for `Clips.sample`, at which clips of L frames are sampled to T: real frames where they suffice.

    L < T: evenly, between frames, as `Clips.resize` does. T ≤ L < 2T: all frames but L - T, which are left
    out at as many of T + 1 places. Else one frame of each of T equal parts.

    Args:
        length: (N,) int64, L.
        frames: T.
        generator: on the device of `length`.

    Returns:
        (N, T) float32, in frames from the first.

    >>> draw_frames(torch.tensor([2, 4, 6, 12]), 4, torch.Generator().manual_seed(0))
    tensor([[-0.2500,  0.2500,  0.7500,  1.2500],
            [ 0.0000,  1.0000,  2.0000,  3.0000],
            [ 0.0000,  1.0000,  3.0000,  5.0000],
            [ 0.0000,  3.0000,  6.0000,  9.0000]])
    """
    n, device = len(length), generator.device
    number = torch.arange(frames, device=device)
    every = length[:, None]
    between = (number + 0.5) * (every / frames) - 0.5
    order = rand((n, frames + 1), generator).argsort(1).argsort(1)
    skipping = number + (order < every - frames).cumsum(1)[:, :frames]
    low, high = number * every // frames, (number + 1) * every // frames
    chance = rand((n, frames), generator)
    part = (low + (chance * (high - low)).long()).minimum(high - 1)
    picked = torch.where(every < 2 * frames, skipping, part)
    return torch.where(every < frames, between, picked.to(between.dtype))


def first_frames(length: Tensor, percent: int) -> Tensor:
    """The frames that are seen of clips (N,) at a share of them: rounded down, at least 3 where there are.

    >>> first_frames(torch.tensor([100, 47, 12, 2]), 10).tolist()
    [10, 4, 3, 2]
    """
    return torch.minimum((length * percent // 100).clamp_min(LEAST_FRAMES), length)


def centre_window(length: Tensor, fraction: float) -> tuple[Tensor, Tensor]:
    """The middle of each clip as (start, length): int((1 - fraction)·F/2) frames are cut at each end.

    >>> [each.tolist() for each in centre_window(torch.tensor([100, 7]), 0.9)]
    [[5, 0], [90, 7]]
    """
    millionths = round((1 - fraction) * 1_000_000)  # integers: every device cuts at the same frame
    cut = length * millionths // 2_000_000
    return cut, length - 2 * cut
