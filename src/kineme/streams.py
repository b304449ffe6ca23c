"""Streams: what of a clip a network looks at - its joints, its bones, or their motion."""

from __future__ import annotations

import torch
from torch import Tensor

from kineme.errors import KinemeError
from kineme.layouts import Layout

STREAMS = ("joint", "bone", "motion")


def to_stream(clips: Tensor, stream: str, layout: Layout) -> Tensor:
    """Joint positions (N, C, T, V, M) → a stream of the same shape.

    `joint` is the clip itself; `bone` each joint minus its parent, zero at the root; `motion` each frame's
    difference to the next, zero in the last.

    Raises:
        KinemeError: no such stream.
    """
    if stream == "joint":
        return clips
    if stream == "bone":
        parents = [joint if parent == -1 else parent for joint, parent in enumerate(layout.parents)]
        return clips - clips.index_select(3, torch.tensor(parents, device=clips.device))
    if stream == "motion":
        motion = torch.zeros_like(clips)
        torch.sub(clips[:, :, 1:], clips[:, :, :-1], out=motion[:, :, :-1])
        return motion
    raise KinemeError(f"{stream}: no such stream; streams are {', '.join(STREAMS)}")
