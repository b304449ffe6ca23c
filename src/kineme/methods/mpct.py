"""MPCT: multi-perspective consistency training, USDRL's journal version (Wang et al., arXiv 2508.12586).

One encoder for joints, bones and motion. Three views each show it one of these streams, the fourth all three
together; the embedding of each stream must agree with the one that the fusion gives for it, at USDRL's three
grains.

Deviation: the authors describe this training, but their released program trains one stream at a time. The
views, projectors and consistency of streams here are those of UmURL (Sun et al., ACM MM 2023, arXiv
2311.03106), on which USDRL is built, with the grains, widths and weights of USDRL.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kineme.clips.batches import Clips
from kineme.encoders.base import View
from kineme.encoders.tokens import TokenEncoder
from kineme.errors import KinemeError, check_between
from kineme.losses.decorrelation import consistency, cross_correlation, variance_covariance
from kineme.methods.base import Method
from kineme.methods.usdrl import USDRL, VIEWS, Projector, augmented, thinned, weighted
from kineme.processes import gather_batch
from kineme.streams import STREAMS, TOGETHER, to_stream

SHOWN = (*STREAMS, TOGETHER)  # what each of the four views shows


class MPCT(Method):
    """Consistency of joints, bones, motion and their fusion, each in its own view.

    Afterwards, the encoder takes the three together, or any of them alone. Each pass costs as much as one of
    USDRL.

    Args:
        encoder: an encoder built for `joint+bone+motion`; published with STTR.
        similarity: Weight of the similarity of streams.
        variance: Weight of the variance and autocovariance term.
        cross: Weight of the cross-correlation of streams; at 0, as published, it is not computed.
        grain: Weight of the temporal and of the spatial embedding; the instance embedding has 1.
        min_crop: Views are windows of at least this share of a clip's frames.
        shear: Amplitude of the shear's off-diagonal entries.
        missing: Share of the joints that each view loses, as if they had never been recorded.

    Raises:
        KinemeError: the encoder was built for other streams, or a setting is out of range.

    >>> import kineme
    >>> shape = kineme.ClipShape(kineme.get_layout("coco17"), 16, 1, stream="joint+bone+motion")
    >>> method = MPCT(kineme.STTR(shape, hidden=8))
    >>> clips = Clips(torch.randn(80, 1, 17, 3), torch.tensor([0, 40]), torch.tensor([40, 40]))
    >>> views = method.views(clips, torch.Generator().manual_seed(0))
    >>> [view.stream for view in views]
    ['joint', 'bone', 'motion', 'joint+bone+motion']
    >>> [name for name in method.loss(views, progress=0.0) if "/" not in name]
    ['loss', 'similarity', 'variance_covariance', 'effective_rank', 'embedding_std']
    """

    encoder_type: ClassVar[type] = TokenEncoder
    fewest_clips: ClassVar[int] = USDRL.fewest_clips  # it has the same projectors
    encoder: TokenEncoder

    def __init__(
        self,
        encoder: TokenEncoder,
        *,
        similarity: float = 5.0,
        variance: float = 1.0,
        cross: float = 0.0,
        grain: float = 0.5,
        min_crop: float = 0.1,
        shear: float = 1.0,
        missing: float = 0.0,
    ) -> None:
        super().__init__()
        check_between("min_crop", min_crop, 0, 1)
        check_between("shear", shear, 0)
        check_between("missing", missing, 0, 0.9)
        if encoder.streams != STREAMS:
            raise KinemeError(
                f"data.stream is {encoder.shape.stream}, but mpct trains on three streams together; set "
                f"data.stream to {TOGETHER}"
            )
        self.encoder = encoder
        self.terms = {"similarity": of_streams, "variance_covariance": variance_covariance}
        self.weights = {"similarity": similarity, "variance_covariance": variance}
        if cross:
            self.terms["cross_correlation"] = cross_correlation
            self.weights["cross_correlation"] = cross
        self.grain = grain
        self.min_crop = min_crop
        self.shear = shear
        self.missing = missing
        half, whole = encoder.dim // 2, encoder.dim
        self.temporal_projectors = projectors(half, whole, whole)
        self.spatial_projectors = projectors(half, whole, whole)
        self.instance_projectors = projectors(whole, whole, 2 * whole)

    def views(self, clips: Clips, generator: torch.Generator) -> tuple[View, ...]:
        """Four views (N, C, T, V, M), as in USDRL: joints, bones, motion, and joints for all three."""
        shape = self.encoder.shape
        joints = augmented(clips, shape, self.min_crop, self.shear, generator)
        joints = F.pad(joints, (0, shape.bodies - joints.shape[-1]))
        present = thinned(clips, shape, self.missing, generator)
        return tuple(
            View(to_stream(view, stream, shape.layout), stream=stream, present=each)
            for view, stream, each in zip(joints.chunk(VIEWS), SHOWN, present, strict=True)
        )

    def loss(self, views: Sequence[View], progress: float) -> dict[str, Tensor]:
        """The weighted sum `loss`; and, for the log, its unweighted terms, in total and by grain.

        By default 5·similarity + variance_covariance, each of which is that of the instance embedding plus
        half of the temporal and of the spatial one.

        `effective_rank` and `embedding_std` are the `spread` of the instance embedding.

        Raises:
            KinemeError: the whole batch is a single clip.
        """
        pooled = torch.stack(
            [self.encoder(view.clips, stream=view.stream, present=view.present).clip for view in views]
        )
        embeddings = self.project(pooled)
        with torch.autocast(pooled.device.type, enabled=False):
            embeddings = {name: z.float() for name, z in embeddings.items()}
            return weighted(embeddings, self.terms, self.weights, self.grain)

    def project(self, pooled: Tensor) -> dict[str, Tensor]:
        """Clip features (4, B, 2·D) of three streams and their fusion → embeddings (6, B, P) by grain.

        The embeddings of the streams alone come first, then those of the fusion, through the same three
        projectors. B counts the clips of all processes.
        """
        pooled = gather_batch(pooled, dim=1)
        if self.training and pooled.shape[1] < 2:
            raise KinemeError("MPCT needs at least 2 clips per batch; raise train.batch_size")
        temporal, spatial = pooled.chunk(2, dim=2)
        return {
            "instance": decomposed(pooled, self.instance_projectors),
            "temporal": decomposed(temporal, self.temporal_projectors),
            "spatial": decomposed(spatial, self.spatial_projectors),
        }


def projectors(width: int, hidden: int, out: int) -> nn.ModuleDict:
    """One projector for each stream."""
    return nn.ModuleDict({stream: Projector(width, hidden, out) for stream in STREAMS})


def decomposed(features: Tensor, by_stream: nn.ModuleDict) -> Tensor:
    """(4, B, width), three streams and their fusion → (6, B, P): each stream, then the fusion seen as it."""
    *alone, fused = features
    seen = zip(by_stream.values(), alone, strict=True)
    pairs = [projector(torch.stack([each, fused])) for projector, each in seen]
    return torch.stack(pairs, dim=1).flatten(0, 1)


def of_streams(z: Tensor) -> Tensor:
    """(6, B, P) → `consistency` of the streams with the fusion seen as each, and with one another."""
    alone, fused = z.chunk(2)
    return consistency(alone, fused)
