"""SCD-Net: contrast between spatio-temporal clues (Wu et al., AAAI 2024, arXiv 2309.05834)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kineme import augment
from kineme.clips.batches import Clips
from kineme.encoders.base import DenseEncoder, Features, View
from kineme.errors import check_between
from kineme.losses.contrast import batch_logits, contrast_logits, info_nce
from kineme.methods.base import Method
from kineme.methods.contrast import KeyQueue, check_contrast, momentum_copy, momentum_update

CLUES = ("temporal", "spatial", "instance")
CONTRASTS = (  # query, then key and queue: the instance is every clue's anchor
    ("temporal", "instance"),
    ("spatial", "instance"),
    ("instance", "temporal"),
    ("instance", "spatial"),
)


class SCDNet(Method):
    """Momentum contrast of a temporal and a spatial clue with the instance that holds both, both ways.

    Args:
        encoder: an encoder with a temporal and a spatial half; published with the disentangled one.
        projection: D of the contrasted embeddings.
        queue: Number K of keys of each kind kept as negatives; a multiple of the batch over all devices. 0
            uses the other clips of the batch instead, which is better on small data sets: there, a queue
            holds older keys of the query's own clip, and batch-norm statistics leak the positive, the only
            key from its batch.
        head_norm: Batch norm in the heads; without it, training converges slowly on small data sets.
        momentum: Momentum m of the key encoder.
        temperature: Temperature τ of the softmax over similarities.
        min_crop: Views are windows of at least this share of a clip's frames.
        shear: Amplitude of the shear's off-diagonal entries.

    >>> import kineme
    >>> shape = kineme.ClipShape(kineme.get_layout("coco17"), 16, 1)
    >>> method = SCDNet(kineme.Disentangled(shape, hidden=8, stem=[8]), queue=64)
    >>> losses = method.loss([View(torch.randn(4, 3, 16, 17, 1)) for _ in range(2)], progress=0.0)
    >>> [name for name in losses if name.startswith("instance")], losses["keys"].shape
    (['instance_to_temporal', 'instance_to_spatial'], torch.Size([3, 4, 128]))
    """

    encoder_type: ClassVar[type] = DenseEncoder
    encoder: DenseEncoder
    mirror: Tensor
    walks: Tensor

    def __init__(
        self,
        encoder: DenseEncoder,
        *,
        projection: int = 128,
        queue: int = 8192,
        head_norm: bool = False,
        momentum: float = 0.999,
        temperature: float = 0.2,
        min_crop: float = 0.1,
        shear: float = 1.0,
    ) -> None:
        super().__init__()
        check_contrast(momentum, temperature)
        check_between("queue", queue, 0)
        check_between("min_crop", min_crop, 0, 1)
        check_between("shear", shear, 0)
        self.encoder = encoder
        hidden = encoder.hidden
        widths = {"temporal": hidden, "spatial": hidden, "instance": encoder.dim}
        self.heads = nn.ModuleDict(
            {clue: _head(widths[clue], hidden, projection, head_norm) for clue in CLUES}
        )
        self.key_encoder = momentum_copy(encoder)
        self.key_heads = momentum_copy(self.heads)
        self.queues = nn.ModuleDict({clue: KeyQueue(queue, projection) for clue in CLUES if queue})
        layout = encoder.shape.layout
        self.register_buffer("mirror", torch.from_numpy(layout.mirror), persistent=False)
        self.register_buffer("walks", augment.two_hops(layout), persistent=False)
        self.momentum = momentum
        self.temperature = temperature
        self.min_crop = min_crop
        self.shear = shear

    def views(self, clips: Clips, generator: torch.Generator) -> tuple[View, ...]:
        """(query, key)."""
        return View(self._view(clips, generator)), View(self._view(clips, generator))

    def _view(self, clips: Clips, generator: torch.Generator) -> Tensor:
        n, frames = len(clips), self.encoder.shape.frames

        def coin() -> Tensor:
            return augment.draw_coin(n, 0.5, generator)

        window = augment.draw_window(clips.length, frames, (self.min_crop, 1.0), generator)
        x = self.encoder.shape.take(clips.resize(frames, *window))
        # The published order is rotate, flip, shear; a flip only swaps joints, so the two maps are one here.
        turn = augment.where(coin(), augment.draw_rotation(n, generator), 0.0)
        shear = augment.where(coin(), augment.draw_shear(n, self.shear, generator), 0.0)
        x = augment.transform(x, augment.shear_matrix(shear) @ augment.rotation_matrix(turn))
        x = augment.flip(x, coin(), self.mirror)
        region = augment.draw_region(n, self.walks, generator)
        x = augment.mask_joints(x, augment.where(coin(), region, False))
        segments = augment.draw_segments(n, frames, generator)
        return augment.mask_frames(x, augment.where(coin(), segments, False))

    def before_step(self, progress: float) -> None:
        """Moves the key encoder towards the encoder."""
        momentum_update(self.key_encoder, self.encoder, self.momentum)
        momentum_update(self.key_heads, self.heads, self.momentum)

    def loss(self, views: Sequence[View], progress: float) -> dict[str, Tensor]:
        """The sum of four contrasts between clues.

        Args:
            views: (query, key), each (N, C, T, V, M).
            progress: not used.

        Returns:
            `loss` and its terms `temporal_to_instance`, `spatial_to_instance`, `instance_to_temporal` and
            `instance_to_spatial`; the `keys` (clues, N, D) for the queues.
        """
        query, key = (view.clips for view in views)
        with torch.no_grad():
            keys = self._embed(self.key_heads, self.key_encoder(key))
        queries = self._embed(self.heads, self.encoder(query))
        losses = {
            f"{one}_to_{other}": info_nce(self._logits(queries[one], keys[other], other))
            for one, other in CONTRASTS
        }
        kept = torch.stack([keys[clue] for clue in CLUES])
        return {"loss": torch.stack(list(losses.values())).sum(), **losses, "keys": kept}

    def after_step(self, outputs: Mapping[str, Tensor], progress: float) -> None:
        """Feeds the queues."""
        for clue, keys in zip(CLUES, outputs["keys"], strict=True):
            if self.queues:
                self._queue(clue).enqueue(keys)

    def _logits(self, query: Tensor, key: Tensor, clue: str) -> Tensor:
        """Of queries to their keys, which are of this clue, and to its negatives."""
        if not self.queues:
            return batch_logits(query, key, self.temperature)
        return contrast_logits(query, key, self._queue(clue).entries(), self.temperature)

    def _queue(self, clue: str) -> KeyQueue:
        """The queue of `temporal`, `spatial` or `instance`."""
        return cast(KeyQueue, self.queues[clue])

    def _embed(self, heads: nn.ModuleDict, features: Features) -> dict[str, Tensor]:
        """Unit embeddings (N, projection) of the three clues, in float32."""
        hidden, clip = self.encoder.hidden, features.clip
        clues = {"temporal": clip[:, :hidden], "spatial": clip[:, hidden:], "instance": clip}
        return {clue: F.normalize(heads[clue](feature).float(), dim=1) for clue, feature in clues.items()}


def _head(width: int, hidden: int, projection: int, norm: bool) -> nn.Sequential:
    """Linear, batch norm where wanted, ReLU, Linear; Xavier-uniform, as the encoder's other matrices."""
    layers = [nn.Linear(width, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, projection)]
    for layer in layers:
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
    return nn.Sequential(*layers[:1], *([nn.BatchNorm1d(hidden)] if norm else []), *layers[1:])
