"""The steps of USDRL and MPCT, plainly: a pass for each view, and covariances of dimensions as matrices."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.plain import clips as one
from kineme import augment
from kineme.clips.batches import Clips
from kineme.encoders import ClipShape, View
from kineme.methods.mpct import MPCT, SHOWN
from kineme.methods.usdrl import USDRL, VIEWS
from kineme.streams import STREAMS, to_stream
from kineme.typing import Array

GRAINS = ("instance", "temporal", "spatial")


def usdrl_views(method: USDRL, clips: Clips, generator: torch.Generator) -> list[View]:
    """Four views, each of one stream."""
    shape = method.encoder.shape
    return [View(one.view(each, shape)) for each in augmented(method, clips, generator)]


def mpct_views(method: MPCT, clips: Clips, generator: torch.Generator) -> list[View]:
    """Four views: of each stream by itself, and of all together."""
    shape = method.encoder.shape
    joints = ClipShape(shape.layout, shape.frames, shape.bodies)
    return [
        View(to_stream(one.view(each, joints), stream, shape.layout), stream=stream)
        for each, stream in zip(augmented(method, clips, generator), SHOWN, strict=True)
    ]


def augmented(method: USDRL | MPCT, clips: Clips, generator: torch.Generator) -> list[list[Array]]:
    """The joints of four views: a crop, then some joints distorted or all of them sheared."""
    n, shape = VIEWS * len(clips), method.encoder.shape
    every = clips[torch.arange(len(clips)).repeat(VIEWS)]
    draws = (
        *augment.draw_window(every.length, shape.frames, (method.min_crop, 1.0), generator),
        *augment.draw_corruption(n, shape.layout.num_joints, generator),
        *(augment.draw_coin(n, 0.5, generator), augment.draw_shear(n, method.shear, generator)),
    )

    def transform(
        clip: Array, start: int, length: int, joints: Array, matrix: Array, sheared: bool, shear: Array
    ) -> Array:
        clip = one.resize(clip, start, length, shape.frames)
        if sheared:
            return one.linear(clip, one.shear(shear))
        clip[:, :, joints] = one.linear(clip[:, :, joints], matrix)
        return clip

    whole = one.padded(clips)
    done = one.by_clip(transform, np.concatenate([whole] * VIEWS), *draws)
    return [done[k * len(clips) : (k + 1) * len(clips)] for k in range(VIEWS)]


def usdrl_loss(method: USDRL, views: list[View]) -> dict[str, Tensor]:
    """Each view like the last and like their mean; dimensions that vary, and are alike only to themselves."""
    features = [method.encoder(view.clips).clip for view in views]
    loss = torch.zeros(())
    for grain in GRAINS:
        projector = getattr(method, f"{grain}_projector")
        z = [projector(part(feature, grain)[None])[0] for feature in features]
        terms = {
            "similarity": alike(z[:-1], [z[-1]] * (VIEWS - 1)),
            "variance_covariance": sum_(variance_covariance(each) for each in z),
            "cross_correlation": sum_(cross_correlation(a, b) for a, b in combinations(z, 2)),
        }
        loss = loss + weighted(terms, method.weights) * (1 if grain == "instance" else method.grain)
    return {"loss": loss}


def mpct_loss(method: MPCT, views: list[View]) -> dict[str, Tensor]:
    """Each stream like the fusion seen as that stream, and like the other streams."""
    features = [method.encoder(view.clips, stream=view.stream).clip for view in views]
    loss = torch.zeros(())
    for grain in GRAINS:
        alone, fused = [], []
        for stream, feature in zip(STREAMS, features, strict=False):
            projector = getattr(method, f"{grain}_projectors")[stream]
            alone.append(projector(part(feature, grain)[None])[0])
            fused.append(projector(part(features[-1], grain)[None])[0])
        z = [*alone, *fused]
        terms = {
            "similarity": alike(alone, fused),
            "variance_covariance": sum_(variance_covariance(each) for each in z),
        }
        if "cross_correlation" in method.weights:
            terms["cross_correlation"] = sum_(cross_correlation(a, b) for a, b in combinations(z, 2))
        loss = loss + weighted(terms, method.weights) * (1 if grain == "instance" else method.grain)
    return {"loss": loss}


def part(feature: Tensor, grain: str) -> Tensor:
    """The half of a feature that is temporal or spatial; the instance is the whole."""
    temporal, spatial = feature.chunk(2, dim=1)
    return {"instance": feature, "temporal": temporal, "spatial": spatial}[grain]


def weighted(terms: dict[str, Tensor], weights: dict[str, float]) -> Tensor:
    return sum_(weights[name] * term for name, term in terms.items())


def sum_(values: object) -> Tensor:
    total: Tensor = sum(values, torch.zeros(()))  # type: ignore[call-overload]
    return total


def alike(z: list[Tensor], targets: list[Tensor]) -> Tensor:
    """Mean squared errors to targets and to the mean of all."""
    mean = torch.stack(z).mean(0)
    return sum_(F.mse_loss(a, b) + F.mse_loss(a, mean) for a, b in zip(z, targets, strict=True))


def variance_covariance(z: Tensor) -> Tensor:
    """Of one view (B, P): deviations below one, and the squares of the covariance off its diagonal."""
    covariance = torch.cov(z.T)
    off_diagonal = covariance - torch.diag(covariance.diagonal())
    too_small = F.relu(1 - torch.sqrt(z.var(0) + 1e-4)).mean()
    return 5 * too_small + off_diagonal.square().sum() / z.shape[1]


def cross_correlation(a: Tensor, b: Tensor) -> Tensor:
    """Of two views (B, P): how far their correlation is from the identity."""
    a, b = ((z - z.mean(0)) / z.std(0).clamp_min(1e-6) for z in (a, b))
    correlation = a.T @ b / len(a)
    square = (correlation - torch.eye(len(correlation))).square()
    return square.trace() + 0.005 * (square.sum() - square.trace())
