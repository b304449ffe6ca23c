"""SLiM's encoder: a small vision transformer on segments and joints (Do et al., arXiv 2603.10648)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kineme.augment.missing import without
from kineme.augment.patches import to_patches
from kineme.encoders.absent import completed_patches, in_some_clip, joints_of, patches_of, spread
from kineme.encoders.base import COORDINATES, ClipShape, Features, MaskedEncoder
from kineme.encoders.layer import Layer
from kineme.encoders.rotary import Turn, turn_by
from kineme.encoders.transformer import FusedAttention, embedding
from kineme.errors import KinemeError, check_between

EPS = 1e-6  # of the norms
FAINT = 1e-6  # standard deviation of the class token and the registers at first


class RotaryTransformer(MaskedEncoder):
    """Pre-norm blocks over a class token, registers and patches; time enters only by rotary positions.

    The bodies that are present pass through it one by one. Clips may have any number of segments. The clip
    feature is the class token concatenated with the mean patch, summed over bodies.

    Deviation: the authors' linear probe chooses, on the test clips, whether to read the mean patch and the
    class tokens of one block or four; their nearest neighbours use both bodies side by side. Here one feature
    serves all protocols: the one used in fine-tuning with few labels.

    Args:
        shape: of the clips.
        hidden: Width D of a token; the clip feature has 2·D.
        heads: Attention heads; each has an even number of channels.
        depth: Number of blocks.
        patch: Frames per patch; a divisor of the number of frames of a clip.
        registers: Number of tokens without a place, where attention can put what belongs to none.

    Raises:
        KinemeError: `heads` does not divide `hidden` evenly, `patch` not the frames, or a setting is out of
            range.

    >>> import kineme, torch
    >>> encoder = RotaryTransformer(ClipShape(kineme.get_layout("ntu25"), 64, 2), hidden=8, heads=2, depth=1)
    >>> features = encoder(torch.randn(4, 3, 64, 25, 2))
    >>> features.clip.shape, features.tokens.shape
    (torch.Size([4, 16]), torch.Size([4, 2, 200, 8]))
    """

    def __init__(
        self,
        shape: ClipShape,
        *,
        hidden: int = 256,
        heads: int = 8,
        depth: int = 8,
        patch: int = 8,
        registers: int = 4,
    ) -> None:
        super().__init__()
        for name, value in (("hidden", hidden), ("depth", depth), ("patch", patch), ("heads", heads)):
            check_between(name, value, 1)
        check_between("registers", registers, 0)
        if shape.frames % patch:
            raise KinemeError(f"patch: {patch} does not divide the {shape.frames} frames of a clip")
        if hidden % (2 * heads):
            raise KinemeError(f"heads: {heads} of an even width do not fit into the hidden size {hidden}")
        self.shape = shape
        self.hidden, self.dim = hidden, 2 * hidden
        self.heads = heads
        self.patch = patch
        self.embedding = nn.Linear(patch * COORDINATES, hidden)
        self.class_token = nn.Parameter(torch.randn(1, hidden).mul_(FAINT))
        self.registers = nn.Parameter(torch.randn(registers, hidden).mul_(FAINT))
        self.mask_token = nn.Parameter(torch.zeros(1, hidden))
        self.position = embedding(1 + shape.layout.num_joints, hidden)  # of the class token, then of joints
        self.blocks = nn.ModuleList(RotaryBlock(hidden, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(hidden, eps=EPS)

    takes_missing: ClassVar[bool] = True

    def forward(
        self, clips: Tensor, mask: Tensor | None = None, *, present: Tensor | None = None
    ) -> Features:
        """(N, C, T, V, M) → clip (N, 2·D), tokens (N, M, L, D), zero for absent bodies.

        Patches in which the mask (N, T, V, M) is false anywhere are replaced by a learned token. Patches of
        joints that are not `present`, (N, V) or (1, V) if all clips lack the same, take no part; each comes
        out as the mean of the others in its segment.

        Raises:
            KinemeError: the clips do not fit the encoder.
        """
        self.check_input(clips)
        if present is not None:
            clips = without(clips, self._joints(present))
        bodies = clips.movedim(4, 1).flatten(0, 1)[..., None]  # (N·M, C, T, V, 1)
        there = (bodies != 0).flatten(1).any(1).nonzero()[:, 0]
        shown = None if mask is None else mask.movedim(3, 1).flatten(0, 1)[there][..., None]
        given = present
        if present is not None and present.shape[0] > 1:  # not `len`: the batch of an export is dynamic
            given = present.repeat_interleave(clips.shape[4], dim=0)[there]
        kind, patches = (each[:, 0] for each in self.tokens(bodies[there], shown, present=given))
        feature = torch.cat((kind, patches.mean(1)), dim=1)

        def of_all(found: Tensor) -> Tensor:
            every = found.new_zeros(bodies.shape[0], *found.shape[1:]).index_copy(0, there, found)
            return every.view(clips.shape[0], -1, *found.shape[1:])

        return Features(of_all(feature).sum(1), tokens=of_all(patches))

    def tokens(
        self, clips: Tensor, mask: Tensor | None = None, *, present: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """(N, C, T, V, M) → class tokens (N, M, D) and patches (N, M, L, D) of every body.

        With joints that are `present`, as in `forward`.

        Raises:
            KinemeError: the clips do not fit the encoder.
        """
        self.check_input(clips)
        n, bodies = clips.shape[0], clips.shape[4]
        segments = clips.shape[2] // self.patch
        shown = at = None
        if present is not None:
            joints = self._joints(present)
            clips = without(clips, joints)
            shown = patches_of(joints, segments, bodies)
            at = in_some_clip(shown)
        x = self.embedded(clips, mask).flatten(0, 1)
        x = x if at is None else x[:, at]
        front = torch.cat((self.class_token + self.position[:1], self.registers))
        x = torch.cat((front.expand(x.shape[0], -1, -1), x), dim=1)
        turn = self._turn(segments, len(front), x.device, at)
        attended = None
        if shown is not None and shown.shape[0] > 1:  # alike in all clips, nothing at `at` is absent
            attended = F.pad(shown[..., at].flatten(0, 1), (len(front), 0), value=True)
        for block in self.blocks:
            x = block(x, turn, attended)
        x = self.norm(x).unflatten(0, (n, bodies))
        patches = x[:, :, len(front) :]
        if shown is not None and at is not None:
            patches = completed_patches(spread(patches, at, shown.shape[2]), shown, segments)
        return x[:, :, 0], patches

    def _joints(self, present: Tensor) -> Tensor:
        """Joints (N, V) → those that are there in its stream."""
        return joints_of(present, self.streams, self.shape.layout)

    def embedded(self, clips: Tensor, mask: Tensor | None = None) -> Tensor:
        """(N, C, T, V, M) → patches or the mask token, with the positions of joints: (N, M, L, D)."""
        with torch.autocast(clips.device.type, enabled=False):  # coordinates are not rounded to 8 bits
            x: Tensor = self.embedding(to_patches(clips, self.patch).float())
        if mask is not None:
            x = torch.where(self.hidden_patches(mask)[..., None], self.mask_token, x)
        return x + self.position[1:].repeat(clips.shape[2] // self.patch, 1)

    def embedding_parameters(self) -> Sequence[nn.Parameter]:
        """Weights and biases of the linear layer on a patch."""
        return [*self.embedding.parameters()]

    def check_input(self, clips: Tensor) -> None:
        """Refuses clips of other joints, or of part of a segment."""
        joints = self.shape.layout.num_joints
        if clips.shape[1] != COORDINATES or clips.shape[3] != joints or clips.shape[2] % self.patch:
            raise KinemeError(
                f"clips of (C, T, V, M) = {tuple(clips.shape[1:])} given to an encoder of {joints} joints in "
                f"segments of {self.patch} frames; resize the clips or build the encoder for their shape"
            )

    def _turn(self, segments: int, front: int, device: torch.device, at: Tensor | None) -> Turn:
        """By segment for the patches, or those at some places, none for the tokens in front of them."""
        joints = self.shape.layout.num_joints
        # Not `repeat_interleave`, which not every version translates to ONNX.
        step = torch.arange(segments * joints, device=device) // joints
        step = step if at is None else step[at]
        return turn_by(F.pad(step, (front, 0)), self.hidden // self.heads)


class RotaryBlock(Layer):
    """x + attention(norm(x)), then x + gated MLP(norm(x)): w3(SiLU(first half of w12) · its second half)."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        inner = -(-int(8 * dim / 3) // 8) * 8  # as many weights as an MLP of 4·D; a multiple of 8
        self.norm1 = nn.LayerNorm(dim, eps=EPS)
        self.attention = FusedAttention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=EPS)
        self.linear12 = nn.Linear(dim, 2 * inner)
        self.linear3 = nn.Linear(inner, dim)
        for linear in (self.attention.qkv, self.attention.out, self.linear12, self.linear3):
            nn.init.trunc_normal_(linear.weight, std=0.02)
            nn.init.zeros_(linear.bias)

    def forward(self, x: Tensor, turn: Turn, present: Tensor | None = None) -> Tensor:
        """(N, L, D) → (N, L, D), from the tokens that are present (N, L)."""
        x = x + self.attention(self.norm1(x), turn, present)
        gate, value = self.linear12(self.norm2(x)).chunk(2, dim=-1)
        out: Tensor = x + self.linear3(F.silu(gate) * value)
        return out
