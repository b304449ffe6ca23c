"""SCD-Net's step, plainly: every view by itself, clip by clip, and CTR-GCN as its equations stand."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.plain import clips as one
from benchmarks.plain.graphs import disentangled
from kineme import augment
from kineme.clips.batches import Clips
from kineme.encoders import Features, View
from kineme.methods.contrast import KeyQueue
from kineme.methods.scdnet import SCDNet
from kineme.typing import Array


def views(method: SCDNet, clips: Clips, generator: torch.Generator) -> list[View]:
    """(query, key)."""
    whole = one.padded(clips)
    return [View(view(method, clips, whole, generator)) for _ in range(2)]


def view(method: SCDNet, clips: Clips, whole: Array, generator: torch.Generator) -> Tensor:
    """Crop, then turn, shear, flip and two kinds of masks, each by chance."""
    n, shape = len(clips), method.encoder.shape

    def coin() -> Tensor:
        return augment.draw_coin(n, 0.5, generator)

    draws = (
        *augment.draw_window(clips.length, shape.frames, (method.min_crop, 1.0), generator),
        *(coin(), augment.draw_rotation(n, generator)),
        *(coin(), augment.draw_shear(n, method.shear, generator), coin()),
    )
    # Which joints and frames are masked is drawn before it is known whether they are.
    region, masked = augment.draw_region(n, method.walks, generator), coin()
    segments, hidden = augment.draw_segments(n, shape.frames, generator), coin()
    mirror = method.mirror.numpy()

    def transform(
        clip: Array,
        start: int,
        length: int,
        turned: bool,
        degrees: Array,
        sheared: bool,
        shear: Array,
        flipped: bool,
        joints: Array,
        frames: Array,
    ) -> Tensor:
        x = one.as_input(one.resize(clip, start, length, shape.frames), shape).permute(1, 3, 2, 0).numpy()
        if turned:
            x = one.linear(x, one.rotation(degrees))
        if flipped:
            x = x[:, :, mirror]
        if sheared:
            x = one.linear(x, one.shear(shear))
        x = np.where(joints[None, None, :, None], 0, x)
        x = np.where(frames[:, None, None, None], 0, x)
        return torch.from_numpy(x.transpose(3, 0, 2, 1).astype(np.float32))

    hiding = region & masked[:, None], segments & hidden[:, None]
    return torch.stack(one.by_clip(transform, whole, *draws, *hiding))


def loss(method: SCDNet, views: list[View]) -> dict[str, Tensor]:
    """Each of two clues against the instance's keys, and the instance against theirs."""
    query, key = (each.clips for each in views)
    with torch.no_grad():
        keys = embed(method, method.key_heads, disentangled(method.key_encoder, key))
    queries = embed(method, method.heads, disentangled(method.encoder, query))
    first = torch.zeros(len(query), dtype=torch.int64)
    total = torch.zeros(())
    for clue in ("temporal", "spatial"):
        for one_, other in ((clue, "instance"), ("instance", clue)):
            own = (queries[one_] * keys[other]).sum(1, keepdim=True)
            negatives = queries[one_] @ cast(KeyQueue, method.queues[other]).entries().T
            total = total + F.cross_entropy(torch.cat([own, negatives], 1) / method.temperature, first)
    return {"loss": total, "keys": torch.stack([keys[clue] for clue in ("temporal", "spatial", "instance")])}


def embed(method: SCDNet, heads: nn.ModuleDict, features: Features) -> dict[str, Tensor]:
    """Unit embeddings of the three clues."""
    temporal, spatial = features.clip.chunk(2, dim=1)
    clues = {"temporal": temporal, "spatial": spatial, "instance": features.clip}
    return {clue: F.normalize(heads[clue](feature)) for clue, feature in clues.items()}
