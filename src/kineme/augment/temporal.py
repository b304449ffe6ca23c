"""Transforms along time: which frames a clip keeps, and how they are mixed."""

from __future__ import annotations

import torch
from torch import Tensor

from kineme.augment.draws import draw_uniform

BLUR_REACH = 7  # frames on each side of a blurred one: a kernel of 15


def pad_length(frames: int) -> int:
    """p, frames that `pad_crop` mirrors on at each end of a clip of T frames."""
    return frames // 6


def draw_pad_crop(n: int, frames: int, generator: torch.Generator) -> Tensor:
    """(n,) int64 starts of a window of `frames` in the padded clip, uniform in 0..2p."""
    return torch.randint(2 * pad_length(frames) + 1, (n,), generator=generator, device=generator.device)


def pad_crop(clips: Tensor, start: Tensor) -> Tensor:
    """Mirrors p = T // 6 frames on at each end, then keeps T frames from `start` (N,); neutral: p."""
    count = clips.shape[2]
    source = torch.arange(count, device=start.device) + start[:, None] - pad_length(count)
    source = torch.where(source < 0, -1 - source, source)
    source = torch.where(source >= count, 2 * count - 1 - source, source)
    return take_frames(clips, source)


def reverse_time(clips: Tensor, apply: Tensor) -> Tensor:
    """Plays the clips backwards where `apply` (N,) is true."""
    forward = torch.arange(clips.shape[2], device=apply.device)
    return take_frames(clips, torch.where(apply[:, None], forward.flip(0), forward))


def take_frames(clips: Tensor, source: Tensor) -> Tensor:
    """The frames `source` (N, T') of each clip, in that order."""
    rows = torch.arange(len(clips), device=clips.device)[:, None]
    return clips.movedim(2, 1)[rows, source].movedim(1, 2)


def draw_blur(n: int, generator: torch.Generator) -> Tensor:
    """(n,) standard deviations in frames, uniform in [0.1, 2)."""
    return draw_uniform((n,), 0.1, 2.0, generator)


def blur(clips: Tensor, sigma: Tensor) -> Tensor:
    """Weighs the 15 frames about each by exp(-d²/2σ²), σ (N,) in frames; σ = 0 leaves the clip as it is.

    As in AimCLR's program, the weights are not divided by their sum, and frames beyond the ends are zero.
    """
    n, _, frames, _, _ = clips.shape
    time = torch.arange(frames, device=clips.device)
    distance = (time[:, None] - time).abs()
    exponent = -(distance**2) / (2 * sigma.view(-1, 1, 1) ** 2).clamp_min(1e-6)
    band = exponent.exp() * (distance <= BLUR_REACH)
    return (
        torch.bmm(band, clips.movedim(2, 1).flatten(2))
        .view(n, frames, *clips.shape[1:2], *clips.shape[3:])
        .movedim(1, 2)
    )


def draw_window(
    length: Tensor, frames: int, fraction: tuple[float, float], generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """A random window of each clip, for `Clips.resize`.

    Args:
        length: (N,) int64, F, the clips' frames.
        frames: the least length of a window, T of the view; shorter clips are taken whole.
        fraction: range of the share s of the clip that is kept.

    Returns:
        (start, length): length min(max(floor(s·F), T), F), start uniform in 0..F - length, (N,) int64 each.
    """
    share = draw_uniform(tuple(length.shape), *fraction, generator)
    kept = torch.minimum((share * length).long().clamp_min(frames), length)
    start = draw_uniform(tuple(length.shape), 0.0, 1.0, generator) * (length - kept + 1)
    return start.long(), kept


def centre_window(length: Tensor, fraction: float) -> tuple[Tensor, Tensor]:
    """The middle of each clip as (start, length): b = int((1 - fraction)·F/2) frames go at each end."""
    millionths = round((1 - fraction) * 1_000_000)  # integers, so that every device cuts at the same frame
    cut = length * millionths // 2_000_000
    return cut, length - 2 * cut
