"""Tandem: what a clip is like, whoever moves and whatever sensor records it; Kineme's own method.

Two views show a clip as another body and another sensor might have produced it. Their embeddings are made to
agree, and their dimensions are decorrelated, as in USDRL (Weng et al., AAAI 2025): no negatives and no queue,
so a few dozen clips suffice. A run keeps the running mean of the network, whose clip feature is whitened and
also describes the course of the clip.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from kineme import augment
from kineme.clips.batches import Clips
from kineme.encoders.base import View
from kineme.encoders.canonical import Canonical, canonical, has_depth
from kineme.errors import check_between
from kineme.methods.contrast import momentum_copy, momentum_update
from kineme.methods.reading import Reading
from kineme.methods.usdrl import TERMS, USDRL, weighted
from kineme.processes import gather

VIEWS = 2
OBSERVED = 16  # clips of a batch that decide how the clip feature is read; over many steps they are all
SHARE = 0.05  # of each step in what is averaged: some twenty steps count


class Tandem(USDRL):
    """Consistency of two views with randomly altered bodies, and decorrelation, at three grains.

    A view is a window of the clip in which the body is centred, turned to the front and scaled. In half of
    the views it is sheared, in half its bones are lengthened or shortened, and in half joints are hidden;
    all have noise added. The unit is the mean bone length, so that no setting depends on the sensor.

    Batch statistics are those of the whole batch over all processes, as in USDRL.

    Args:
        encoder: an encoder that places, turns and scales clips itself.
        similarity: Weight of the similarity of views.
        variance: Weight of the variance and autocovariance term.
        cross: Weight of the cross-correlation of views.
        grain: Weight of the temporal and of the spatial embedding; the instance embedding has 1.
        min_crop: Views are windows of at least this share of a clip's frames.
        shear: Amplitude of the shear's off-diagonal entries.
        bone_scale: Bones of trunk, arms and legs become longer or shorter by up to this share.
        noise: Maximum standard deviation of Gaussian noise, in mean bone lengths, which are about 0.2 m.
        hidden: Maximum share of the joints that are hidden.

    >>> import kineme
    >>> shape = kineme.ClipShape(kineme.get_layout("coco17"), 16, 1)
    >>> method = Tandem(Canonical(shape, hidden=8))
    >>> clips = Clips(torch.randn(80, 1, 17, 3), torch.tensor([0, 40]), torch.tensor([40, 40]))
    >>> views = method.views(clips, torch.Generator().manual_seed(0))
    >>> len(views), views[0].mask.shape  # two views, and the clips as they are
    (3, torch.Size([2, 16, 17, 1]))
    >>> "loss" in method.loss(views, progress=0.0), method.learned is method.encoder
    (True, False)
    """

    encoder_type: ClassVar[type] = Canonical
    encoder: Canonical
    average: Canonical

    def __init__(
        self,
        encoder: Canonical,
        *,
        similarity: float = 5.0,
        variance: float = 1.0,
        cross: float = 0.001,
        grain: float = 0.5,
        min_crop: float = 0.5,
        shear: float = 0.4,
        bone_scale: float = 0.15,
        noise: float = 0.05,
        hidden: float = 0.5,
    ) -> None:
        super().__init__(
            encoder,
            similarity=similarity,
            variance=variance,
            cross=cross,
            grain=grain,
            min_crop=min_crop,
            shear=shear,
        )
        check_between("bone_scale", bone_scale, 0, 1)
        check_between("noise", noise, 0)
        check_between("hidden", hidden, 0, 1)
        self.bone_scale, self.noise, self.hidden = bone_scale, noise, hidden
        self.average = momentum_copy(encoder).eval()
        self.reading = Reading(encoder.dim, len(encoder.centre) - encoder.dim)

    @property
    def learned(self) -> Canonical:
        """The running mean of the network, from which features are taken."""
        return self.average

    def views(self, clips: Clips, generator: torch.Generator) -> tuple[View, ...]:
        """Two views (N, C, T, V, M) with masks, and the unaltered clips."""
        shape, layout = self.encoder.shape, self.encoder.shape.layout
        every = clips[torch.arange(len(clips), device=clips.start.device).repeat(VIEWS)]
        count = len(every)
        window = augment.draw_window(every.length, shape.frames, (self.min_crop, 1.0), generator)
        xyz = every.resize(shape.frames, *window)
        if every.present is not None:
            xyz = augment.filled(xyz, every.present, layout)
        xyz = canonical(xyz, layout)
        there = (xyz != 0).any(3, keepdim=True).any(1, keepdim=True)
        deep = has_depth(xyz)
        shears = augment.draw_shear(count, self.shear, generator)
        xyz = augment.shear(xyz, augment.where(augment.draw_coin(count, 0.5, generator), shears, 0.0))
        xyz = augment.scale_bones(xyz, augment.draw_bone_scales(xyz, self.bone_scale, generator), layout)
        std = augment.draw_uniform((count,), 0.0, self.noise, generator)
        xyz = augment.noise(xyz, std, generator) * there
        xyz[:, 2] *= deep[:, None, None, None]  # what lies in a plane stays there
        xyz = shape.take(xyz)
        seen = self._seen(count, generator)[:, None, :, None].expand(-1, shape.frames, -1, shape.bodies)
        varied = zip(xyz.chunk(VIEWS), seen.chunk(VIEWS), strict=True)
        views = (View(view, mask, present=clips.present) for view, mask in varied)
        return *views, View(shape.take(clips.resize(shape.frames)), present=clips.present)

    def _seen(self, n: int, generator: torch.Generator) -> Tensor:
        """(n, V) bool: in half of the clips each joint is hidden with one probability, up to the greatest."""
        chance = augment.draw_uniform((n, self.encoder.shape.layout.num_joints), 0.0, 1.0, generator)
        most = augment.draw_uniform((n,), 0.0, self.hidden, generator)
        hides = augment.draw_coin(n, 0.5, generator)
        return chance >= augment.where(hides, most, 0.0)[:, None]

    def loss(self, views: Sequence[View], progress: float) -> dict[str, Tensor]:
        """As in USDRL; and `observed`, the average's evidence of some unaltered clips, for `after_step`."""
        *varied, clean = views
        clips = torch.cat([view.clips for view in varied])
        mask = torch.cat([view.mask for view in varied if view.mask is not None])
        there = clean.present
        present = None if there is None else there.repeat(len(varied), 1)
        embeddings = self.project(self.encoder(clips, mask=mask, present=present), len(varied))
        with torch.no_grad():
            some = None if there is None else there[:OBSERVED]
            _, observed = self.average.evidence(clean.clips[:OBSERVED], present=some)
        with torch.autocast(clips.device.type, enabled=False):
            embeddings = {name: z.float() for name, z in embeddings.items()}
            losses = weighted(embeddings, TERMS, self.weights, self.grain)
        return {**losses, "observed": observed}

    def before_step(self, progress: float) -> None:
        """Moves the average towards the network."""
        momentum_update(self.average, self.encoder, 1 - SHARE)

    def after_step(self, outputs: Mapping[str, Tensor], progress: float) -> None:
        """Sets how the average's clip feature is read, every few steps, from the clips of all processes."""
        self.reading.observe(gather(outputs["observed"]))
        if self.reading.due:
            self.average.centre.copy_(self.reading.centre)
            self.average.reading.copy_(self.reading.matrix())
