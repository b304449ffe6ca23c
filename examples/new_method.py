"""VICReg (Bardes et al., ICLR 2022) on skeletons: a new method is one file, anywhere on Python's path.

PYTHONPATH=examples kineme pretrain examples/new_method.yaml --data.store stores/generated --out runs/vicreg
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kineme import Clips, Encoder, Method, View, augment, losses


class VICReg(Method):
    """Embeddings of two views agree, their dimensions keep their variance and do not correlate.

    Args:
        encoder: any encoder.
        width: D of the embeddings.
        invariance: weight of the distance between the views; the variance has the same.
        min_crop: views are windows of at least this share of a clip's frames.
        shear: amplitude of the shear's off-diagonal entries.
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        width: int = 512,
        invariance: float = 25.0,
        min_crop: float = 0.5,
        shear: float = 0.5,
    ):
        super().__init__()
        self.encoder, self.invariance, self.min_crop, self.shear = encoder, invariance, min_crop, shear
        first, second = nn.Linear(encoder.dim, width), nn.Linear(width, width)
        self.projector = nn.Sequential(first, nn.BatchNorm1d(width), nn.ReLU(), second)

    def views(self, clips: Clips, generator: torch.Generator) -> tuple[View, View]:
        """Two views (N, C, T, V, M) of each clip."""
        return self._view(clips, generator), self._view(clips, generator)

    def _view(self, clips: Clips, generator: torch.Generator) -> View:
        shape = self.encoder.shape
        window = augment.draw_window(clips.length, shape.frames, (self.min_crop, 1.0), generator)
        shear = augment.draw_shear(len(clips), self.shear, generator)
        return View(shape.take(augment.shear(clips.resize(shape.frames, *window), shear)))

    def loss(self, views: Sequence[View], progress: float) -> dict[str, Tensor]:
        """`loss`, which is minimised, and its two parts, which are logged."""
        z = torch.stack([self.projector(self.encoder(view.clips).clip).float() for view in views])
        distance = F.mse_loss(z[0], z[1])
        spread = losses.variance_covariance(z, variance_weight=self.invariance)
        return {"loss": self.invariance * distance + spread, "distance": distance, "spread": spread}
