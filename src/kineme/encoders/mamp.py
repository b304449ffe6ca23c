"""MAMP's encoder: a plain transformer over the joints and segments of a body (Mao et al., ICCV 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kineme.augment.missing import without
from kineme.augment.patches import to_patches
from kineme.encoders.absent import completed_patches, in_some_clip, joints_of, patches_of, some, spread
from kineme.encoders.base import COORDINATES, ClipShape, Features, Kept, PatchEncoder
from kineme.encoders.transformer import drop_paths, embedding, make_blocks
from kineme.errors import KinemeError, check_between


class JointTransformer(PatchEncoder):
    """Pre-norm transformer blocks over patches: a token is a joint of one body over a few frames.

    Bodies pass through it one by one, without attending to each other. The clip feature is the mean over
    tokens and bodies.

    Args:
        shape: of the clips.
        hidden: Width D of a token and of the clip feature.
        heads: Attention heads; a divisor of `hidden`.
        depth: Number of blocks.
        patch: Frames per patch; a divisor of the number of frames of a clip.
        present_only: Leave bodies that are absent from a whole clip out of its feature. They are included in
            the published results, where half of the feature of a single person is a constant.

    Raises:
        KinemeError: `heads` does not divide `hidden`, `patch` not the frames, or a setting is not positive.

    >>> import kineme, torch
    >>> encoder = JointTransformer(ClipShape(kineme.get_layout("ntu25"), 120, 2), hidden=8, heads=2, depth=1)
    >>> features = encoder(torch.randn(4, 3, 120, 25, 2))
    >>> features.clip.shape, features.tokens.shape, features.temporal.shape, features.spatial.shape
    (torch.Size([4, 8]), torch.Size([4, 2, 750, 8]), torch.Size([4, 30, 8]), torch.Size([4, 50, 8]))
    """

    def __init__(
        self,
        shape: ClipShape,
        *,
        hidden: int = 256,
        heads: int = 8,
        depth: int = 8,
        patch: int = 4,
        present_only: bool = False,
    ) -> None:
        super().__init__()
        for name, value in (("hidden", hidden), ("depth", depth), ("patch", patch)):
            check_between(name, value, 1)
        if shape.frames % patch:
            raise KinemeError(f"patch: {patch} does not divide the {shape.frames} frames of a clip")
        self.shape = shape
        self.hidden = self.dim = hidden
        self.heads = heads
        self.patch = patch
        self.present_only = present_only
        self.embedding = nn.Linear(patch * COORDINATES, hidden)
        self.joint_position = embedding(shape.layout.num_joints, hidden)
        self.segment_position = embedding(self.segments, hidden)
        self.blocks = make_blocks(depth, hidden, heads)
        self.norm = nn.LayerNorm(hidden)

    takes_missing: ClassVar[bool] = True

    def forward(self, clips: Tensor, kept: Kept | None = None, *, present: Tensor | None = None) -> Features:
        """(N, C, T, V, M) → clip (N, D), tokens (N, M, L, D), temporal (N, S, D), spatial (N, M·V, D).

        With `kept.tokens`, only those tokens are computed, and the clip feature is their mean; there are then
        no temporal and spatial ones. Patches of joints that are not `present` (N, V) take no part; each comes
        out as the mean of the others in its segment.

        Raises:
            KinemeError: the clips are not of the encoder's shape.
        """
        self.check_input(clips)
        chosen = None if kept is None else kept.tokens
        if present is None:
            tokens = self._encoded(clips, chosen)
        else:
            joints = joints_of(present, self.streams, self.shape.layout)
            clips = without(clips, joints)
            shown = patches_of(joints, self.segments, clips.shape[4], chosen)
            if chosen is not None:
                tokens = self._encoded(clips, chosen, shown)
            else:
                at = in_some_clip(shown)
                found = self._encoded(clips, at.expand(*shown.shape[:2], -1), shown[..., at])
                tokens = spread(found, at, shown.shape[2])
            tokens = completed_patches(tokens, shown, self.segments if chosen is None else 1)
        pooled = self._pooled(tokens.mean(2), clips)
        if chosen is not None:
            return Features(pooled, tokens=tokens)
        grid = tokens.reshape(*tokens.shape[:2], self.segments, -1, self.hidden)
        return Features(pooled, grid.mean((1, 3)), grid.mean(2).flatten(1, 2), tokens)

    def embedded(self, clips: Tensor, kept: Tensor | None = None) -> Tensor:
        """(N, C, T, V, M) → patches with their positions (N·M, L, D), or the kept ones (N·M, K, D)."""
        patches = to_patches(clips, self.patch).flatten(0, 1)
        position = (self.segment_position[:, None] + self.joint_position).flatten(0, 1)
        if kept is not None:
            kept = kept.flatten(0, 1)
            patches = patches.gather(1, kept[..., None].expand(-1, -1, patches.shape[2]))
            position = F.embedding(kept, position)
        with torch.autocast(clips.device.type, enabled=False):  # coordinates are not rounded to 8 bits
            embedded: Tensor = self.embedding(patches.float()) + position
        return embedded

    def _encoded(self, clips: Tensor, kept: Tensor | None, present: Tensor | None = None) -> Tensor:
        """Tokens (N, M, L, D), or the kept ones (N, M, K, D), from those that are present (N, M, L or K)."""
        x = self.embedded(clips, kept)
        attended = None if present is None else some(present.flatten(0, 1))
        for block in self.blocks:
            x = block(x, attended)
        count = clips.shape[0]  # not `len`: the batch of an exported encoder is dynamic
        out: Tensor = self.norm(x).unflatten(0, (count, -1))
        return out

    def _pooled(self, bodies: Tensor, clips: Tensor) -> Tensor:
        """(N, M, D) → (N, D)."""
        if not self.present_only:
            return bodies.mean(1)
        present = (clips != 0).any(3).any(2).any(1)[..., None].to(bodies.dtype)
        return (bodies * present).sum(1) / present.sum(1).clamp_min(1)

    def stages(self) -> Sequence[Sequence[nn.Parameter]]:
        """Embedding and positions, then each block, then the last norm."""
        first = [*self.embedding.parameters(), self.joint_position, self.segment_position]
        blocks = [[*block.parameters()] for block in self.blocks]
        return [first, *blocks, [*self.norm.parameters()]]

    def set_drop_path(self, greatest: float) -> None:
        """Stochastic depth in training, rising from 0 in the first block to `greatest` in the last."""
        drop_paths([*self.blocks], greatest)
