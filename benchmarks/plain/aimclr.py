"""AimCLR's step, plainly: every view by itself, clip by clip, and a pass of the encoder for each."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.plain import clips as one
from benchmarks.plain.graphs import stgcn
from kineme import augment
from kineme.clips.batches import Clips
from kineme.encoders import View
from kineme.methods.aimclr import NOISE, AimCLR
from kineme.typing import Array


def views(method: AimCLR, clips: Clips, generator: torch.Generator) -> list[View]:
    """(extreme query, query, key)."""
    shape = method.encoder.shape
    whole = one.padded(clips)
    resized = [
        one.resize(clip, 0, length, shape.frames)
        for clip, length in zip(whole, clips.length.tolist(), strict=True)
    ]
    every = np.stack(resized)
    augmented = [extreme(method, every, generator), normal(method, every, generator)]
    augmented.append(normal(method, every, generator))
    return [View(one.view(each, shape)) for each in augmented]


def normal(method: AimCLR, clips: Array, generator: torch.Generator) -> list[Array]:
    """Pad-crop and shear."""
    draws = (
        augment.draw_pad_crop(len(clips), clips.shape[1], generator),
        augment.draw_shear(len(clips), method.shear, generator),
    )

    def transform(clip: Array, start: int, shear: Array) -> Array:
        return one.linear(one.pad_crop(clip, start), one.shear(shear))

    return one.by_clip(transform, clips, *draws)


def extreme(method: AimCLR, clips: Array, generator: torch.Generator) -> list[Array]:
    """Pad-crop and shear, then flip, rotation, noise, blur and a lost axis, some of them by chance."""
    n, frames, bodies, joints, _ = clips.shape

    def coin() -> Tensor:
        return augment.draw_coin(n, 0.5, generator)

    draws = (
        *(augment.draw_pad_crop(n, frames, generator), augment.draw_shear(n, method.shear, generator)),
        *(augment.draw_rotation(n, generator), coin()),
        *(coin(), torch.randn(n, 3, frames, joints, bodies, generator=generator).permute(0, 2, 4, 3, 1)),
        *(coin(), augment.draw_blur(n, generator)),
        *(coin(), augment.draw_axis(n, generator)),
    )
    mirror = method.mirror.numpy()

    def transform(
        clip: Array,
        start: int,
        shear: Array,
        degrees: Array,
        flipped: bool,
        noisy: bool,
        noise: Array,
        blurred: bool,
        sigma: float,
        lossy: bool,
        axis: int,
    ) -> Array:
        clip = one.linear(one.pad_crop(clip, start), one.shear(shear))
        if flipped:
            clip = clip[:, :, mirror]
        clip = one.linear(clip, one.rotation(degrees))
        if noisy:
            clip = clip + NOISE * noise
        if blurred:
            clip = one.blur(clip, sigma)
        return one.without_axis(clip, axis) if lossy else clip

    return one.by_clip(transform, clips, *draws)


def loss(method: AimCLR, views: list[View]) -> dict[str, Tensor]:
    """InfoNCE of the query and D3M of the two extreme ones, without mining."""
    extreme, query, key = (view.clips for view in views)
    bodies = query.shape[-1]
    with torch.no_grad():
        keys = F.normalize(method.key_head(pool(stgcn(method.key_encoder, key), bodies)))
    feature_map = stgcn(method.encoder, extreme)
    maps = stgcn(method.encoder, query), feature_map, dropped(feature_map)
    queries = [F.normalize(method.head(pool(each, bodies))) for each in maps]
    logits = []
    for each in queries:
        own, others = (each * keys).sum(1, keepdim=True), each @ method.queue.entries().T
        logits.append(torch.cat([own, others], dim=1) / method.temperature)
    infonce = F.cross_entropy(logits[0], torch.zeros(len(keys), dtype=torch.int64))
    target = logits[0].softmax(1).detach()
    d3m = [F.cross_entropy(each, target) for each in logits[1:]]
    return {"loss": infonce + (d3m[0] + d3m[1]) / 2, "keys": keys}


def pool(feature_map: Tensor, bodies: int) -> Tensor:
    """(N·M, D, T, V) → (N, D)."""
    means = feature_map.mean((2, 3))
    return means.view(-1, bodies, means.shape[1]).mean(1)


def dropped(feature_map: Tensor, threshold: float = 0.7) -> Tensor:
    """(B, D, T, V) without its most salient activations, scaled up by what is left."""
    with torch.no_grad():
        square = (feature_map - feature_map.mean((2, 3), keepdim=True)) ** 2
        variance = square.sum((2, 3), keepdim=True) / (square[0, 0].numel() - 1)
        attention = torch.sigmoid(square / (4 * (variance + 1e-4)) + 0.5)
        joints = (attention.mean((1, 2), keepdim=True) < threshold).float()
        entries = (attention < threshold).float()
    feature_map = feature_map * joints * (joints.numel() / joints.sum())
    return feature_map * entries * (entries.numel() / entries.sum())
