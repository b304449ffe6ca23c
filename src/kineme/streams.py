"""Streams, the input modalities: joints, bones, or the motion of joints."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from kineme.errors import KinemeError
from kineme.layouts import Layout

STREAMS = ("joint", "bone", "motion")
TOGETHER = "joint+bone+motion"  # all of them, in one encoder

__all__ = ["motion", "single_streams", "take_joints", "to_stream"]


def single_streams(stream: str) -> tuple[str, ...]:
    """The streams that are joined by `+`.

    Raises:
        KinemeError: one of them does not exist or appears twice.

    >>> single_streams("joint+bone+motion"), single_streams("bone")
    (('joint', 'bone', 'motion'), ('bone',))
    """
    names = tuple(stream.split("+"))
    if not set(names) <= set(STREAMS) or len(set(names)) < len(names):
        raise KinemeError(f"{stream}: no such stream; choose {', '.join(STREAMS)}, or several, as {TOGETHER}")
    return names


def to_stream(clips: Tensor, stream: str, layout: Layout) -> Tensor:
    """Joint positions (N, C, T, V, M) → a stream of the same shape.

    `joint` is the clip itself; `bone` is each joint minus its parent, zero at the root; `motion` is the
    difference to the next frame, zero in the last. For several streams, such as `joint+bone+motion`, it is
    also the clip itself, from which encoders of several streams compute each of them.

    Raises:
        KinemeError: no such stream.

    >>> hand = Layout.from_names("hand", ["wrist", "tip"], [None, "wrist"])
    >>> clips = torch.tensor([[0.0, 1.0], [0.5, 3.0]]).view(1, 1, 2, 2, 1)  # two frames of two joints
    >>> to_stream(clips, "bone", hand).view(2, 2).tolist()
    [[0.0, 1.0], [0.0, 2.5]]
    >>> to_stream(clips, "motion", hand).view(2, 2).tolist()
    [[0.5, 2.0], [0.0, 0.0]]
    """
    if stream == "joint":
        return clips
    if stream == "bone":
        parents = [joint if parent == -1 else parent for joint, parent in enumerate(layout.parents)]
        clips = clips.contiguous()
        return clips - take_joints(clips, numbers(parents, clips.device)[None])
    if stream == "motion":
        return motion(clips)
    single_streams(stream)  # refuses any other
    return clips


def motion(clips: Tensor, stride: int = 1) -> Tensor:
    """Clips (N, C, T, V, M) → the difference to the frame `stride` later, zero in the last `stride` frames.

    >>> motion(torch.tensor([0.0, 1.0, 3.0, 7.0]).view(1, 1, 4, 1, 1), stride=2).flatten()
    tensor([3., 6., 0., 0.])
    """
    moved = torch.zeros_like(clips)
    torch.sub(clips[:, :, stride:], clips[:, :, :-stride], out=moved[:, :, :-stride])
    return moved


def numbers(values: Sequence[int], device: torch.device) -> Tensor:
    """(n,) int64 on a device. They are made once: a device is waited for until it has them.

    >>> numbers([2, 0], torch.device("cpu"))
    tensor([2, 0])
    """
    if torch.compiler.is_compiling():  # what is made then is no tensor to keep
        return torch.tensor(values, device=device)
    return _numbers(tuple(values), device)


@lru_cache
@torch.inference_mode(False)  # or training could not use what inference has made
def _numbers(values: tuple[int, ...], device: torch.device) -> Tensor:
    return torch.tensor(values, dtype=torch.int64, device=device)


def take_joints(clips: Tensor, source: Tensor) -> Tensor:
    """The joints `source` of clips (N, C, T, V, M) in that order: (N, V), or (1, V) for all clips.

    Joints and bodies are gathered as one axis: rows of V·M numbers are four times faster than rows of M.

    >>> clips = torch.tensor([10.0, 20.0, 30.0]).view(1, 1, 1, 3, 1)
    >>> take_joints(clips, torch.tensor([[2, 0, 1]])).flatten()
    tensor([30., 10., 20.])
    """
    bodies = torch.arange(clips.shape[4], device=source.device)
    places = (source[..., None] * len(bodies) + bodies).flatten(1)
    flat = clips.flatten(3)
    return flat.gather(3, places[:, None, None].expand(flat.shape)).view(clips.shape)
