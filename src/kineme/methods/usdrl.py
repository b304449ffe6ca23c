"""USDRL: multi-grained feature decorrelation (Weng et al., AAAI 2025, arXiv 2412.09220).

No negatives, momentum encoder or queue: four views of a clip are made to agree, while the dimensions of their
temporal, spatial and instance embeddings keep their variance and are decorrelated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kineme.augment import (
    corrupt,
    draw_coin,
    draw_corruption,
    draw_present,
    draw_shear,
    draw_window,
    shear_matrix,
    where,
)
from kineme.clips.batches import Clips
from kineme.encoders.base import ClipShape, DenseEncoder, Features, View
from kineme.errors import KinemeError, check_between
from kineme.losses.decorrelation import cross_correlation, similarity, spread, variance_covariance
from kineme.methods.base import Method
from kineme.processes import WholeBatchNorm, gather_batch

VIEWS = 4
TERMS = {
    "similarity": similarity,
    "variance_covariance": variance_covariance,
    "cross_correlation": cross_correlation,
}


class USDRL(Method):
    """Consistency of four views and decorrelation of their dimensions, at three grains.

    Batch statistics (batch norms of the projectors, covariances) are those of the whole batch over all
    processes: two processes with 32 clips each train as one with 64.

    Args:
        encoder: an encoder with a temporal and a spatial half; published with STTR and DSTE.
        similarity: Weight of the similarity of views.
        variance: Weight of the variance and autocovariance term.
        cross: Weight of the cross-correlation of views.
        grain: Weight of the temporal and of the spatial embedding; the instance embedding has 1.
        min_crop: Views are windows of at least this share of a clip's frames.
        shear: Amplitude of the shear's off-diagonal entries.
        missing: Share of the joints that each view loses, as if they had never been recorded; none as
            published. For encoders that can leave out joints.

    >>> import kineme
    >>> shape = kineme.ClipShape(kineme.get_layout("coco17"), 16, 1)
    >>> method = USDRL(kineme.STTR(shape, hidden=8))
    >>> losses = method.loss([View(torch.randn(4, 3, 16, 17, 1)) for _ in range(4)], progress=0.0)
    >>> [name for name in losses if "/" not in name]
    ['loss', 'similarity', 'variance_covariance', 'cross_correlation', 'effective_rank', 'embedding_std']
    """

    encoder_type: ClassVar[type] = DenseEncoder
    fewest_clips: ClassVar[int] = 3  # batch norms make each number of two 1 or -1, and the loss can rise

    def __init__(
        self,
        encoder: DenseEncoder,
        *,
        similarity: float = 5.0,
        variance: float = 1.0,
        cross: float = 0.001,
        grain: float = 0.5,
        min_crop: float = 0.1,
        shear: float = 1.0,
        missing: float = 0.0,
    ):
        super().__init__()
        check_between("min_crop", min_crop, 0, 1)
        check_between("shear", shear, 0)
        check_between("missing", missing, 0, 0.9)
        if missing and not encoder.takes_missing:
            raise KinemeError(
                f"missing: {type(encoder).__name__} cannot leave joints out; set it to 0 or use sttr"
            )
        self.encoder = encoder
        self.weights = {"similarity": similarity, "variance_covariance": variance, "cross_correlation": cross}
        self.grain = grain
        self.min_crop = min_crop
        self.shear = shear
        self.missing = missing
        half, whole = encoder.dim // 2, encoder.dim
        self.temporal_projector = Projector(half, whole, whole)
        self.spatial_projector = Projector(half, whole, whole)
        self.instance_projector = Projector(whole, whole, 2 * whole)

    def views(self, clips: Clips, generator: torch.Generator) -> tuple[View, ...]:
        """Four views (N, C, T, V, M): crop and resize, joint corruption or shear, then the stream."""
        shape = self.encoder.shape
        joints = augmented(clips, shape, self.min_crop, self.shear, generator)
        present = thinned(clips, shape, self.missing, generator)
        return tuple(
            View(view, present=each)
            for view, each in zip(shape.take(joints).chunk(VIEWS), present, strict=True)
        )

    def loss(self, views: Sequence[View], progress: float) -> dict[str, Tensor]:
        """The weighted sum `loss`; and, for the log, its three unweighted terms, in total and by grain.

        As published, 5·similarity + variance_covariance + 0.001·cross_correlation, each of which is that of
        the instance embedding plus half of the temporal and of the spatial one.

        `effective_rank` and `embedding_std` are the `spread` of the instance embedding.

        Raises:
            KinemeError: the whole batch is a single clip.
        """
        clips = torch.cat([view.clips for view in views])
        present = [view.present for view in views if view.present is not None]
        if present and self.encoder.takes_missing:
            features = self.encoder(clips, present=torch.cat(present))
        else:
            features = self.encoder(clips)
        embeddings = self.project(features, len(views))
        with torch.autocast(clips.device.type, enabled=False):
            embeddings = {name: z.float() for name, z in embeddings.items()}
            return weighted(embeddings, TERMS, self.weights, self.grain)

    def project(self, features: Features, views: int) -> dict[str, Tensor]:
        """Features of K views, one after the other (K·B, ...) → embeddings (K, B, P) by grain.

        B counts the clips of all processes.
        """
        pooled = gather_batch(features.clip.view(views, -1, self.encoder.dim), dim=1)
        if self.training and pooled.shape[1] < 2:
            raise KinemeError("USDRL needs at least 2 clips per batch; raise train.batch_size")
        temporal, spatial = pooled.chunk(2, dim=2)
        return {
            "instance": self.instance_projector(pooled),
            "temporal": self.temporal_projector(temporal),
            "spatial": self.spatial_projector(spatial),
        }


def augmented(
    clips: Clips, shape: ClipShape, min_crop: float, shear: float, generator: torch.Generator
) -> Tensor:
    """Joint positions (4·N, C, T, V, M) of the four views, one after the other."""
    rows = torch.arange(len(clips), device=clips.start.device).repeat(VIEWS)
    every = clips[rows]
    count = len(every)
    window = draw_window(every.length, shape.frames, (min_crop, 1.0), generator)
    xyz = every.resize(shape.frames, *window)
    joints, matrix = draw_corruption(count, shape.layout.num_joints, generator)
    sheared = draw_coin(count, 0.5, generator)  # a shear is a matrix for all joints
    joints = where(sheared, torch.ones_like(joints), joints)
    matrix = where(sheared, shear_matrix(draw_shear(count, shear, generator)), matrix)
    return corrupt(xyz, joints, matrix)


def thinned(
    clips: Clips, shape: ClipShape, missing: float, generator: torch.Generator
) -> Sequence[Tensor | None]:
    """Which joints (N, V) each of the four views has: those of the clips, without a share that is drawn."""
    if not missing:
        return [clips.present] * VIEWS
    drawn = draw_present(VIEWS * len(clips), shape.layout.num_joints, missing, generator).chunk(VIEWS)
    if clips.present is None:
        return drawn
    present = clips.present
    # A clip that would lose all of its joints keeps them.
    return [torch.where((each & present).any(1, keepdim=True), each & present, present) for each in drawn]


def weighted(
    embeddings: Mapping[str, Tensor],
    terms: Mapping[str, Callable[[Tensor], Tensor]],
    weights: Mapping[str, float],
    grain: float,
) -> dict[str, Tensor]:
    """The weighted sum `loss`; its terms, in total and by grain; and the spread of the embedding.

    Args:
        embeddings: (K, B, P) of each grain.
        terms: by name, functions of one grain's embeddings.
        weights: of the terms.
        grain: weight of the temporal and of the spatial embedding in each.
    """
    loss = torch.zeros((), device=embeddings["instance"].device)
    logged: dict[str, Tensor] = {}
    for name, term in terms.items():
        grains = {each: term(z) for each, z in embeddings.items()}
        total = grains["instance"] + grain * (grains["temporal"] + grains["spatial"])
        loss = loss + weights[name] * total
        logged[name] = total.detach()
        logged |= {f"{name}/{each}": value.detach() for each, value in grains.items()}
    rank, std = spread(embeddings["instance"])
    return {"loss": loss, **logged, "effective_rank": rank, "embedding_std": std}


class Projector(nn.Module):
    """Linear, BN, ReLU, Linear, BN, ReLU, Linear; each view has its own batch statistics."""

    def __init__(self, width: int, hidden: int, out: int):
        super().__init__()
        linears = nn.Linear(width, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, out)
        for linear in linears:
            nn.init.trunc_normal_(linear.weight, std=0.02)
            nn.init.zeros_(linear.bias)
        self.linears = nn.ModuleList(linears)
        self.norms = nn.ModuleList((WholeBatchNorm(hidden), WholeBatchNorm(hidden)))

    def forward(self, x: Tensor) -> Tensor:
        """(K, B, width) → (K, B, out)."""
        for linear, norm in zip(self.linears[:-1], self.norms, strict=True):
            x = F.relu(torch.stack([norm(view) for view in linear(x)]))
        out: Tensor = self.linears[-1](x)
        return out
