"""AimCLR: contrastive learning with extreme augmentations (Guo et al., AAAI 2022, arXiv 2112.03590)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kineme import augment, processes
from kineme.clips.batches import Clips
from kineme.encoders.base import MapEncoder, View
from kineme.errors import check_between
from kineme.losses.contrast import contrast_logits, distribution_divergence, info_nce, mined_info_nce
from kineme.methods.base import Method
from kineme.methods.contrast import KeyQueue, check_contrast, momentum_copy, momentum_update

NOISE = 0.01  # standard deviation of the extreme view's noise, in the clips' units


class AimCLR(Method):
    """Momentum contrast of a normal, an extreme and a feature-dropped query with one key.

    Args:
        encoder: an encoder with an activation map; published with ST-GCN.
        projection: D of the contrasted embeddings.
        queue: Number K of keys kept as negatives; a multiple of the batch over all devices.
        momentum: Momentum m of the key encoder.
        temperature: Temperature τ of the softmax over similarities.
        extreme: Use the extreme views; false gives SkeletonCLR (normal views and InfoNCE only).
        mining: Nearest neighbours in the queue that count as positives (NNM's k); 0 for none.
        mining_from: Share of training after which mining begins.
        min_crop: Views are windows of at least this share of a clip's frames; 1, as published, keeps the
            whole clip before the pad-crop.
        shear: Amplitude of the shear's off-diagonal entries.

    >>> import kineme
    >>> shape = kineme.ClipShape(kineme.get_layout("ntu25"), 50, 2)
    >>> method = AimCLR(kineme.STGCN(shape, channels=[8, 16]), queue=64)
    >>> sorted(method.loss([View(torch.randn(4, 3, 50, 25, 2)) for _ in range(3)], progress=0.0))
    ['d3m_dropped', 'd3m_extreme', 'infonce', 'keys', 'loss']
    """

    encoder_type: ClassVar[type] = MapEncoder
    encoder: MapEncoder
    mirror: Tensor

    def __init__(
        self,
        encoder: MapEncoder,
        *,
        projection: int = 128,
        queue: int = 32768,
        momentum: float = 0.999,
        temperature: float = 0.07,
        extreme: bool = True,
        mining: int = 1,
        mining_from: float = 0.5,
        min_crop: float = 1.0,
        shear: float = 0.5,
    ) -> None:
        super().__init__()
        check_contrast(momentum, temperature)
        check_between("min_crop", min_crop, 0, 1)
        check_between("shear", shear, 0)
        self.encoder = encoder
        self.head = nn.Sequential(
            nn.Linear(encoder.dim, encoder.dim), nn.ReLU(), nn.Linear(encoder.dim, projection)
        )
        self.key_encoder = momentum_copy(encoder)
        self.key_head = momentum_copy(self.head)
        self.queue = KeyQueue(queue, projection)
        check_between("mining", mining, 0, queue)
        mirror = torch.from_numpy(encoder.shape.layout.mirror)
        self.register_buffer("mirror", mirror, persistent=False)
        self.momentum = momentum
        self.temperature = temperature
        self.extreme = extreme
        self.mining = mining
        self.mining_from = mining_from
        self.min_crop = min_crop
        self.shear = shear

    def views(self, clips: Clips, generator: torch.Generator) -> tuple[View, ...]:
        """(extreme query, query, key), or (query, key) without the extreme view."""
        frames = self.encoder.shape.frames
        # Without windows all views start from the same frames: resample them once.
        whole = clips.resize(frames).contiguous() if self.min_crop == 1 else None

        def source() -> Tensor:
            if whole is not None:
                return whole
            fraction = (self.min_crop, 1.0)
            return clips.resize(frames, *augment.draw_window(clips.length, frames, fraction, generator))

        joints = [
            self._view(source(), generator, extreme) for extreme in (True, False, False)[not self.extreme :]
        ]
        return tuple(View(self.encoder.shape.take(view)) for view in joints)

    def _view(self, x: Tensor, generator: torch.Generator, extreme: bool) -> Tensor:
        """(N, C, T, V, M) joints → one augmented view of them."""
        n, frames = len(x), x.shape[2]
        x = augment.pad_crop(x, augment.draw_pad_crop(n, frames, generator))
        matrix = augment.shear_matrix(augment.draw_shear(n, self.shear, generator))
        if not extreme:
            return augment.transform(x, matrix)

        def coin() -> Tensor:
            return augment.draw_coin(n, 0.5, generator)

        # The published order is shear, flip, rotate; a flip only swaps joints, so the two maps are one here.
        x = augment.transform(x, augment.rotation_matrix(augment.draw_rotation(n, generator)) @ matrix)
        x = augment.flip(x, coin(), self.mirror)
        x = augment.noise(x, NOISE * coin(), generator)
        x = augment.blur(x, augment.where(coin(), augment.draw_blur(n, generator), 0.0))
        return augment.mask_axis(x, augment.where(coin(), augment.draw_axis(n, generator), -1))

    def before_step(self, progress: float) -> None:
        """Moves the key encoder towards the encoder."""
        momentum_update(self.key_encoder, self.encoder, self.momentum)
        momentum_update(self.key_head, self.head, self.momentum)

    def loss(self, views: Sequence[View], progress: float) -> dict[str, Tensor]:
        """InfoNCE of the query and D3M of the extreme queries; late in training, positives are mined.

        `loss` = `infonce` + (`d3m_extreme` + `d3m_dropped`) / 2.

        Args:
            views: (extreme query, query, key), or (query, key): each (N, C, T, V, M).
            progress: share of training completed.

        Returns:
            `loss` and its terms `infonce` and, with an extreme query, `d3m_extreme` and `d3m_dropped`; the
            `keys` (N, D) for the queue.
        """
        *extreme, query, key = (view.clips for view in views)
        mining = self.mining if progress >= self.mining_from else 0
        with torch.no_grad():
            keys = _embed(self.key_head, self.key_encoder(key).clip)
        queries = [_embed(self.head, self.encoder(query).clip)]
        if extreme:
            feature_map = self.encoder.feature_map(extreme[0])
            for each in (feature_map, energy_attention_drop(feature_map)):
                queries.append(_embed(self.head, self.encoder.pool(each, extreme[0].shape[-1])))
        negatives = self.queue.entries()
        logits = [contrast_logits(z, keys, negatives, self.temperature) for z in queries]
        losses = {"infonce": mined_info_nce(logits, mining) if mining else info_nce(logits[0])}
        losses["loss"] = losses["infonce"]
        if extreme:
            losses["d3m_extreme"] = distribution_divergence(logits[0], logits[1])
            losses["d3m_dropped"] = distribution_divergence(logits[0], logits[2])
            losses["loss"] = losses["infonce"] + (losses["d3m_extreme"] + losses["d3m_dropped"]) / 2
        return {**losses, "keys": keys}

    def after_step(self, outputs: Mapping[str, Tensor], progress: float) -> None:
        """Feeds the queue."""
        self.queue.enqueue(outputs["keys"])


def _embed(head: nn.Module, feature: Tensor) -> Tensor:
    """(N, D) features → unit embeddings in float32."""
    return F.normalize(head(feature).float(), dim=1)


def energy_attention_drop(feature_map: Tensor, threshold: float = 0.7) -> Tensor:
    """EADM: drops the most salient activations, so that the others must carry the meaning.

    Each channel's energy (Eq. 4-5 of the paper) gives an attention map. First, joints whose mean attention
    reaches the threshold are dropped, then (frame, joint) entries whose own attention does; the rest is
    scaled up by the share dropped over the whole batch, across all processes.

    Args:
        feature_map: (B, T, V, C).
        threshold: attention at which an activation is dropped.
    """
    with torch.no_grad():  # in place where possible: the maps are large
        x = feature_map.float()
        t, v = x.shape[1:3]
        # Frames lie apart in memory: sums over them first, and alone, take a tenth of the time.
        square = (x - x.mean(1, keepdim=True).mean(2, keepdim=True)).square_()
        variance = square.sum(1, keepdim=True).sum(2, keepdim=True) / (t * v - 1)
        attention = square.div_(4 * (variance + 1e-4)).add_(0.5).sigmoid_()
        joints = (attention.mean(3).mean(1) < threshold).to(x.dtype)[:, None, :, None]
        entries = attention.lt_(threshold)
        whole = processes.total(torch.stack([joints.sum(), entries.sum()])).clamp_min(1)
        kept_joints, kept_entries = whole / processes.count()
        share = joints * (joints.numel() / kept_joints) * (entries.numel() / kept_entries)
        kept = entries.mul_(share)
    return feature_map * kept.to(feature_map.dtype)
