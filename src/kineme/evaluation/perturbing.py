"""What a sensor may do to clips: lose joints or frames, add noise, run slow or fast, be placed elsewhere.

Perturbations take and give preprocessed clips, whole batches at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from kineme.augment import draw_coin, rand
from kineme.clips.batches import Clips
from kineme.layouts import Layout
from kineme.layouts.parts import halves

MISSING = 8  # joints, but at most a third of a clip's
JITTER = (0.01, 0.03)  # standard deviation of each coordinate, in body heights
DROPPED = (0.5, 0.8)  # share of the frames
STRETCHED = (0.5, 2.0)  # times the frames
UNEVEN = 2.0  # how many times faster one half of a clip is played than the other
TURNED = (30.0, 90.0)  # degrees about the vertical axis


SEVERITIES = {  # of the conditions, as a result tells them
    "jitter_of_height": [*JITTER],
    "frames_dropped": [*DROPPED],
    "stretched": [*STRETCHED],
    "uneven": UNEVEN,
    "turned_degrees": [*TURNED],
}

Change = Callable[[Clips, torch.Generator], Clips]  # with a generator on the clips' device


def perturbations(layout: Layout, height: float, up: Sequence[float]) -> dict[str, Change]:
    """All of them in order: name → what is done to clips.

    Args:
        layout: of the clips.
        height: of a body, see `body_height`.
        up: unit vector that points up in them.

    >>> import kineme
    >>> for each in perturbations(kineme.get_layout("coco17"), 1.7, (0, 1, 0)):
    ...     print(each)
    joints missing
    jitter 1 %
    jitter 3 %
    50 % of frames dropped
    80 % of frames dropped
    0.5x as long
    2x as long
    uneven speed
    turned by 30°
    turned by 90°
    upper half only
    lower half only
    left half only
    right half only
    """
    changes: dict[str, Change] = {"joints missing": partial(_missing, count=missing_joints(layout))}
    for share in JITTER:
        changes[f"jitter {100 * share:g} %"] = partial(_jittered, std=share * height)
    for share in DROPPED:
        changes[f"{100 * share:g} % of frames dropped"] = partial(_dropped, share=share)
    for factor in STRETCHED:
        changes[f"{factor:g}x as long"] = partial(_stretched, factor=factor)
    changes["uneven speed"] = partial(_uneven, ratio=UNEVEN)
    for degrees in TURNED:
        changes[f"turned by {degrees:g}°"] = partial(_turned, degrees=degrees, up=tuple(up))
    for half, joints in halves(layout).items():
        changes[f"{half} half only"] = partial(_part, joints=joints)
    return changes


def missing_joints(layout: Layout) -> int:
    """How many joints are lost."""
    return max(min(MISSING, layout.num_joints // 3), 1)


def body_height(clips: Clips, up: Sequence[float]) -> float:
    """The median height of clips' first bodies, from the lowest to the highest joint, in their units."""
    axis = torch.tensor(up, device=clips.start.device, dtype=torch.float32)
    upright = clips.resize(8)[..., 0].movedim(1, -1) @ axis  # (N, T, V)
    extent = upright.amax(2) - upright.amin(2)
    return float(extent[extent > 0].median()) if (extent > 0).any() else 0.0


def _missing(clips: Clips, generator: torch.Generator, count: int) -> Clips:
    """Without so many of its joints, at most a third, drawn for each clip."""
    chance = rand((len(clips), clips.frames.shape[2]), generator)
    there = torch.ones_like(chance, dtype=torch.bool) if clips.present is None else clips.present
    lost = (there.sum(1, keepdim=True) // 3).clamp(1, count)
    rank = chance.masked_fill(~there, -1).argsort(1, descending=True).argsort(1)
    return _with_joints(clips, rank >= lost)


def _part(clips: Clips, generator: torch.Generator, joints: Sequence[int]) -> Clips:
    """With these joints only."""
    kept = torch.zeros(clips.frames.shape[2], dtype=torch.bool, device=clips.start.device)
    kept[list(joints)] = True
    return _with_joints(clips, kept.expand(len(clips), -1))


def _with_joints(clips: Clips, kept: Tensor) -> Clips:
    """With those joints (N, V) of theirs; a clip that has none of them keeps what it has."""
    if clips.present is None:
        return replace(clips, present=kept)
    both = clips.present & kept
    return replace(clips, present=torch.where(both.any(1, keepdim=True), both, clips.present))


def _jittered(clips: Clips, generator: torch.Generator, std: float) -> Clips:
    """With Gaussian noise on every coordinate of bodies that are there."""
    clips = gathered(clips)
    noise = torch.randn(clips.held.shape, generator=generator, device=clips.held.device)
    there = (clips.held != 0).any(3, keepdim=True).any(2, keepdim=True)
    return replace(clips, frames=clips.held + std * noise * there)


def _turned(clips: Clips, generator: torch.Generator, degrees: float, up: tuple[float, ...]) -> Clips:
    """Turned about the vertical axis, one way or the other."""
    clips = gathered(clips)
    device = clips.held.device
    angle = torch.where(draw_coin(len(clips), 0.5, generator), 1.0, -1.0) * torch.tensor(degrees).deg2rad()
    x, y, z = up
    cross = torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], device=device, dtype=torch.float32)
    sin, cos = angle.sin().view(-1, 1, 1), angle.cos().view(-1, 1, 1)
    matrix = torch.eye(3, device=device) + sin * cross + (1 - cos) * (cross @ cross)  # Rodrigues
    of_frame = matrix.repeat_interleave(clips.length, dim=0)
    return replace(clips, frames=torch.einsum("fmvc,fdc->fmvd", clips.held, of_frame))


def _dropped(clips: Clips, generator: torch.Generator, share: float) -> Clips:
    """Without a share of the frames inside each clip, which are interpolated from those that are left."""
    clips = gathered(clips)
    clock = torch.arange(len(clips.held), device=clips.start.device)
    kept = torch.rand(len(clock), generator=generator, device=clock.device) >= share
    kept[clips.start] = kept[clips.start + clips.length - 1] = True
    before = torch.where(kept, clock, 0).cummax(0).values
    after = torch.where(kept, clock, len(clock)).flip(0).cummin(0).values.flip(0)
    weight = (clock - before) / (after - before).clamp_min(1)
    frames = torch.lerp(clips.held[before], clips.held[after], weight[:, None, None, None])
    return replace(clips, frames=frames)


def _stretched(clips: Clips, generator: torch.Generator, factor: float) -> Clips:
    """Played in so many times the frames."""
    length = (clips.length * factor).round().long().clamp_min(2)
    number = _numbers(length)
    rate = (clips.length / length).repeat_interleave(length)
    return _sampled(clips, length, (number + 0.5) * rate - 0.5)


def _uneven(clips: Clips, generator: torch.Generator, ratio: float) -> Clips:
    """With one half of the motion, the first or the second, played so many times faster than the other."""
    last = (clips.length - 1).clamp_min(1)
    first = draw_coin(len(clips), 0.5, generator)
    turn = torch.where(first, 1 / (1 + ratio), ratio / (1 + ratio))  # share of the time of the first half
    turn, end = (each.repeat_interleave(clips.length) for each in (turn, last))
    time = _numbers(clips.length) / end
    done = torch.where(time < turn, time / (2 * turn), 0.5 + (time - turn) / (2 * (1 - turn)))
    return _sampled(clips, clips.length, done * end)


def gathered(clips: Clips) -> Clips:
    """The same clips with frames of their own, one clip after another, on the index's device."""
    rows = clips.start.repeat_interleave(clips.length) + _numbers(clips.length)
    begin = clips.length.cumsum(0) - clips.length
    return replace(clips, frames=clips.gather(rows[None])[0], start=begin)


def _sampled(clips: Clips, length: Tensor, at: Tensor) -> Clips:
    """Clips of (N,) frames, taken at times `at` (F,) of the clips they belong to, linearly between frames."""
    last = (clips.length - 1).repeat_interleave(length)
    at = torch.minimum(at.clamp_min(0), last.to(at.dtype))
    below = at.floor().long()
    begin = clips.start.repeat_interleave(length)
    low, high = (clips.gather((begin + each)[None])[0] for each in (below, torch.minimum(below + 1, last)))
    frames = torch.lerp(low, high, (at - below)[:, None, None, None].to(low.dtype))
    return replace(clips, frames=frames, start=length.cumsum(0) - length, length=length)


def _numbers(length: Tensor) -> Tensor:
    """(N,) lengths → 0, 1, ... for each of them, one after another."""
    begin = length.cumsum(0) - length
    return torch.arange(int(length.sum()), device=length.device) - begin.repeat_interleave(length)
