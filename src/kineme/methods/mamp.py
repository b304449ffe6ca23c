"""MAMP: masked motion prediction (Mao et al., ICCV 2023, arXiv 2308.07092), and masked autoencoding.

An encoder sees a tenth of a clip's patches; a light decoder predicts the motion of the hidden ones. Patches
that move more are hidden more often. `target: joint` and `masking: random` give plain masked autoencoding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kineme import augment
from kineme.clips.batches import Clips
from kineme.encoders.absent import joints_of, patches_of, some
from kineme.encoders.base import COORDINATES, Kept, PatchEncoder, View
from kineme.encoders.transformer import embedding, init_linear, make_blocks
from kineme.errors import KinemeError, check_between
from kineme.losses.reconstruction import masked_reconstruction, standardised
from kineme.methods.base import Method
from kineme.streams import motion


class MAMP(Method):
    """Predicts the motion, or the joints, of hidden patches from the visible ones.

    Args:
        encoder: an encoder of patches.
        mask_ratio: Share of a body's patches that are hidden.
        masking: `motion-aware` hides patches that move more often; `random` hides all with equal probability.
        temperature: Temperature τ of motion-aware masking; the smaller it is, the more motion is preferred.
        target: What is predicted: `motion`, the difference to a later frame, or `joint`, the clip itself.
        stride: Number of frames between a joint and its later position, for predicted motion.
        standardise: Predict each patch relative to its own mean and standard deviation.
        decoder_hidden: Width of the decoder; a multiple of the encoder's heads.
        decoder_depth: Blocks of the decoder; published with 3 on NTU RGB+D 60 and 5 elsewhere.
        min_crop: Views are windows of at least this share of a clip's frames.
        min_frames: Views also have at least this many frames; shorter clips are taken whole.
        rotation: Maximum angle by which a clip is rotated about each axis, in radians.

    >>> import kineme
    >>> encoder = kineme.JointTransformer(kineme.ClipShape(kineme.get_layout("coco17"), 16, 2), hidden=16)
    >>> method = MAMP(encoder, decoder_hidden=16, decoder_depth=1)
    >>> clips = Clips(torch.randn(80, 2, 17, 3), torch.tensor([0, 40]), torch.tensor([40, 40]))
    >>> (view,) = method.views(clips, torch.Generator().manual_seed(0))
    >>> view.clips.shape, view.kept.tokens.shape  # 6 of 4 · 17 patches of each body are seen
    (torch.Size([2, 3, 16, 17, 2]), torch.Size([2, 2, 6]))
    >>> sorted(method.loss([view], progress=0.0))
    ['loss']
    """

    encoder_type: ClassVar[type] = PatchEncoder
    encoder: PatchEncoder

    def __init__(
        self,
        encoder: PatchEncoder,
        *,
        mask_ratio: float = 0.9,
        masking: Literal["motion-aware", "random"] = "motion-aware",
        temperature: float = 0.8,
        target: Literal["motion", "joint"] = "motion",
        stride: int = 1,
        standardise: bool = True,
        decoder_hidden: int = 256,
        decoder_depth: int = 3,
        min_crop: float = 0.5,
        min_frames: int = 64,
        rotation: float = 0.3,
    ) -> None:
        super().__init__()
        check_between("min_crop", min_crop, 0, 1)
        check_between("min_frames", min_frames, 1)
        check_between("rotation", rotation, 0)
        check_between("stride", stride, 1)
        if temperature <= 0:
            raise KinemeError(f"temperature: is {temperature}; it must be more than 0")
        self.encoder = encoder
        self.decoder = Decoder(encoder, decoder_hidden, decoder_depth)
        self.patches = encoder.segments * encoder.shape.layout.num_joints
        self.num_kept = augment.num_kept(self.patches, mask_ratio)
        self.motion_aware = masking == "motion-aware"
        self.temperature = temperature
        self.target_motion = target == "motion"
        self.stride = stride
        self.standardise = standardise
        self.min_crop = min_crop
        self.min_frames = min_frames
        self.rotation = rotation

    def views(self, clips: Clips, generator: torch.Generator) -> tuple[View]:
        """One view: crop and resize, one rotation, then the stream; with the patches that are kept."""
        shape, n = self.encoder.shape, len(clips)
        window = augment.draw_window(clips.length, self.min_frames, (self.min_crop, 1.0), generator)
        angles = augment.draw_uniform((n, 3), -self.rotation, self.rotation, generator)
        x = shape.take(augment.rotate(clips.resize(shape.frames, *window), angles.rad2deg()))
        noise = augment.draw_uniform((n, shape.bodies, self.patches), 0.0, 1.0, generator)
        present = clips.present
        return (View(x, kept=Kept(tokens=self.kept(x, noise, present)), present=present),)

    def kept(self, clips: Tensor, noise: Tensor, present: Tensor | None = None) -> Tensor:
        """The visible patches: clips (N, C, T, V, M), uniform noise (N, M, L) → (N, M, K) indices.

        Patches of joints that are not `present` (N, V) are visible only if there are no others.
        """
        logits = None
        if self.motion_aware:
            patches = augment.to_patches(clips, self.encoder.patch)
            intensity = augment.motion_intensity(patches, clips.shape[3])
            logits = augment.masking_logits(intensity, self.temperature)
        order = augment.hiding_order(noise, logits)
        if present is not None:
            order = order.masked_fill(~self._patches(present, order.shape[1]), torch.inf)
        return augment.kept_patches(order, self.num_kept)

    def _patches(self, present: Tensor, bodies: int) -> Tensor:
        """Joints (N, V) that are present → patches (N, M, L), in the encoder's stream."""
        joints = joints_of(present, self.encoder.streams, self.encoder.shape.layout)
        return patches_of(joints, self.encoder.segments, bodies)

    def target(self, clips: Tensor) -> Tensor:
        """What is predicted of clips (N, C, T, V, M): (N, M, L, P) for each patch."""
        goal = motion(clips, self.stride) if self.target_motion else clips
        patches = augment.to_patches(goal, self.encoder.patch)
        return standardised(patches) if self.standardise else patches

    def predict(self, clips: Tensor, kept: Tensor, present: Tensor | None = None) -> Tensor:
        """All patches (N, M, L, P) from the kept ones (N, M, K) of clips (N, C, T, V, M).

        Patches of joints that are not `present` (N, V) take no part, and are meaningless in the result.
        """
        tokens = self.encoder(clips, Kept(tokens=kept), present=present).tokens
        assert tokens is not None, "the encoder gives no tokens"
        shown = None if present is None else some(self._patches(present, kept.shape[1]).flatten(0, 1))
        predicted: Tensor = self.decoder(tokens.flatten(0, 1), kept.flatten(0, 1), shown)
        return predicted.view(*kept.shape[:2], *predicted.shape[1:])

    def loss(self, views: Sequence[View], progress: float) -> dict[str, Tensor]:
        """`loss`, the squared error of the hidden patches.

        Patches of absent bodies count, with target 0; those of absent joints do not.
        """
        (view,) = views
        assert view.kept is not None
        assert view.kept.tokens is not None, "the view was drawn without kept patches"
        kept = view.kept.tokens
        prediction = self.predict(view.clips, kept, view.present)
        hidden = augment.hidden_patches(kept, self.patches)
        if view.present is not None:
            hidden = hidden & self._patches(view.present, hidden.shape[1])
        return {"loss": masked_reconstruction(prediction, self.target(view.clips), hidden)}


class Decoder(nn.Module):
    """Kept tokens (N, K, D), with a learned token at each hidden place → patches (N, L, P)."""

    def __init__(self, encoder: PatchEncoder, hidden: int, depth: int) -> None:
        super().__init__()
        check_between("decoder_hidden", hidden, 1)
        check_between("decoder_depth", depth, 1)
        if hidden % encoder.heads:
            raise KinemeError(
                f"decoder_hidden: {hidden} is not a multiple of the encoder's {encoder.heads} heads"
            )
        self.embedding = init_linear(nn.Linear(encoder.hidden, hidden))
        self.mask_token = embedding(1, hidden)
        self.joint_position = embedding(encoder.shape.layout.num_joints, hidden)
        self.segment_position = embedding(encoder.segments, hidden)
        self.blocks = make_blocks(depth, hidden, encoder.heads)
        self.norm = nn.LayerNorm(hidden)
        self.head = init_linear(nn.Linear(hidden, encoder.patch * COORDINATES))

    def forward(self, tokens: Tensor, kept: Tensor, present: Tensor | None = None) -> Tensor:
        """(N, K, D) tokens at the (N, K) places → (N, L, P), from the places that are present (N, L)."""
        position = (self.segment_position[:, None] + self.joint_position).flatten(0, 1)
        # What every place has if hidden, and at the kept places what changes: one scatter, no reordering.
        shown = self.embedding(tokens).float() + F.embedding(kept, position)
        hidden = (self.mask_token + position).expand(len(kept), -1, -1)
        x = hidden.scatter(1, kept[..., None].expand_as(shown), shown)
        for block in self.blocks:
            x = block(x, present)
        out: Tensor = self.head(self.norm(x))
        return out
