"""An encoder that centres, turns and scales clips itself; its clip feature is computed from two parts."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kineme.augment.missing import filled
from kineme.encoders.base import COORDINATES, ClipShape, Features, Kept
from kineme.encoders.sttr import STTR
from kineme.layouts import Layout
from kineme.streams import numbers

PARTS = 8  # of a clip, in each of which its course has the mean place of every joint
BRIEF = 4  # times shorter than another is too brief for a body to be the one that clips are placed by
SMALLEST = 1e-6  # a shoulder line or bone that is shorter has no direction or size


class Canonical(STTR):
    """STTR in the first body's frame of reference: camera position and body height do not matter.

    Clips of joint positions pass through `canonical` first, however they were prepared; clips of bones or
    motion alone are taken as they are. The clip feature is a linear reading of two parts side by side: STTR's
    maxima over tokens, which are learned, and the `course` of the clip, which is not. Initially it is just
    the maxima; a method may set the reading, to decorrelate them and let the course count.

    Attributes:
        centre: (2·D + K,), which is subtracted from maxima and course, K = parts·V·M·C.
        reading: (2·D + K, 2·D), by which the difference is multiplied.

    Args:
        shape: of the clips.
        hidden: Width D of a token; the clip feature has 2·D.
        heads: Attention heads; a divisor of `hidden`.
        depth: Layers per stream.

    Raises:
        KinemeError: `heads` does not divide `hidden`, or a setting is not positive.

    >>> import kineme
    >>> encoder = Canonical(ClipShape(kineme.get_layout("ntu25"), 16, 2), hidden=8).eval()
    >>> clips = torch.randn(4, 3, 16, 25, 2)
    >>> torch.allclose(encoder(clips).clip, encoder(3 * clips + 5).clip, atol=1e-4)
    True
    """

    centre: Tensor
    reading: Tensor

    def __init__(self, shape: ClipShape, *, hidden: int = 256, heads: int = 1, depth: int = 2):
        super().__init__(shape, hidden=hidden, heads=heads, depth=depth)
        parts = min(PARTS, shape.frames)
        evidence = self.dim + parts * COORDINATES * shape.layout.num_joints * shape.bodies
        self.register_buffer("centre", torch.zeros(evidence))
        self.register_buffer("reading", torch.zeros(evidence, self.dim).fill_diagonal_(1))

    def forward(
        self,
        clips: Tensor,
        kept: Kept | None = None,
        stream: str | None = None,
        *,
        present: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Features:
        """As in STTR, except for the clips' place, angle and size, and the reading of the clip feature.

        Joints hidden by `mask` (N, T, V, M) count for these, and are zero to the network. Joints that are not
        `present` (N, V) are put where their neighbours are.
        """
        found, evidence = self.evidence(clips, kept, stream, present=present, mask=mask)
        return Features((evidence - self.centre) @ self.reading, found.temporal, found.spatial)

    def evidence(
        self,
        clips: Tensor,
        kept: Kept | None = None,
        stream: str | None = None,
        *,
        present: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> tuple[Features, Tensor]:
        """What the clip feature is read from (N, 2·D + K), after the features of STTR; see `forward`."""
        self.check_input(clips)
        if (stream or self.shape.stream) not in ("bone", "motion"):
            if present is not None and self.places_missing:
                clips = filled(clips, present, self.shape.layout)
            clips = canonical(clips, self.shape.layout)
        seen = clips if mask is None else clips * mask[:, None]
        found = super().forward(seen, kept, stream, present=present)
        return found, torch.cat((found.clip, course(clips)), dim=1)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Weights of before there was a reading have a deviation of each maximum, and no course."""
        scale = state_dict.pop(f"{prefix}scale", None)
        if scale is not None:
            centre, reading = torch.zeros_like(self.centre), torch.zeros_like(self.reading)
            centre[: self.dim] = state_dict[f"{prefix}centre"]
            reading[: self.dim] = torch.diag(1 / scale)
            state_dict[f"{prefix}centre"], state_dict[f"{prefix}reading"] = centre, reading
        super()._load_from_state_dict(state_dict, prefix, *args)


def course(clips: Tensor) -> Tensor:
    """(N, C, T, V, M) → (N, K): the mean position of each joint in eight consecutive parts of the clip.

    Clips of fewer than eight frames have one part per frame.

    >>> course(torch.arange(16.0).view(1, 1, 16, 1, 1))
    tensor([[ 0.5000,  2.5000,  4.5000,  6.5000,  8.5000, 10.5000, 12.5000, 14.5000]])
    """
    parts = clips.tensor_split(min(PARTS, clips.shape[2]), dim=2)
    return torch.stack([part.mean(2) for part in parts], dim=1).flatten(1)


def has_depth(clips: Tensor) -> Tensor:
    """(N, C, T, V, M) → (N,) bool: not all of a clip lies in the plane z = 0, as poses in images do.

    >>> has_depth(torch.eye(3).view(3, 3, 1, 1, 1))
    tensor([False, False,  True])
    """
    return (clips[:, 2] != 0).flatten(1).any(1)


def canonical(clips: Tensor, layout: Layout) -> Tensor:
    """Joint positions (N, C, T, V, M), centred, turned to the front and scaled by the first body.

    The mean position of its origin over the clip becomes zero, so that its travel is kept; its shoulder line,
    summed over the frames, lies along x, if the layout has one and the clip has depth; the mean length of its
    bones becomes 1. It is the first that is there for at least a quarter as long as any other. Absent bodies
    stay zero. y points up.

    >>> stick = Layout.from_names(
    ...     "stick", ["hip", "left_shoulder", "right_shoulder"], [None, "hip", "hip"]
    ... )
    >>> body = torch.tensor([[5.0, 0, 2], [5, 3, 6], [5, 3, -2]])  # shoulders along z, bones of 5
    >>> canonical(body.T.view(1, 3, 1, 3, 1), stick).view(3, 3).T
    tensor([[ 0.0000,  0.0000,  0.0000],
            [-0.8000,  0.6000,  0.0000],
            [ 0.8000,  0.6000,  0.0000]])
    """
    present = (clips != 0).any(3, keepdim=True).any(1, keepdim=True)  # (N, 1, T, 1, M)
    # A window may be without the clip's first body, or have but a glimpse of it.
    seen = present.sum(2).flatten(1)
    first = (BRIEF * seen >= seen.amax(1, keepdim=True)).int().argmax(1)
    row = torch.arange(clips.shape[0], device=clips.device)  # not `len`: the batch of an export is dynamic
    lead = clips[row, ..., first]
    frames = present[row, ..., first].sum(2).clamp_min(1)  # (N, 1, 1)
    origin = lead[..., numbers(layout.origin, lead.device)].mean(3).sum(2, keepdim=True) / frames
    x, y, z = torch.where(present, clips - origin[..., None, None], 0).unbind(1)
    child, parent = (numbers(ends, lead.device) for ends in zip(*layout.bones, strict=True))
    bones = (lead[..., child] - lead[..., parent]).square().sum(1).sqrt().mean(2).sum(1)
    size = (bones / frames.flatten()).clamp_min(SMALLEST)
    cos = torch.ones_like(size)
    sin = torch.zeros_like(size)
    if layout.facing is not None:
        left, right = layout.facing
        line = (lead[..., right] - lead[..., left]).sum(2)
        length = (line[:, 0].square() + line[:, 2].square()).sqrt()
        turns = (length > SMALLEST) & has_depth(clips)
        cos = torch.where(turns, line[:, 0] / length.clamp_min(SMALLEST), cos)
        sin = torch.where(turns, -line[:, 2] / length.clamp_min(SMALLEST), sin)
    scale, cos, sin = (each.view(-1, 1, 1, 1) for each in (1 / size, cos, sin))
    return torch.stack([x * cos - z * sin, y, x * sin + z * cos], dim=1) * scale[:, None]
