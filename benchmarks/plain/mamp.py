"""MAMP's step, plainly: masks clip by clip and body by body, and a decoder that puts tokens back in order."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.plain import clips as one
from kineme import augment
from kineme.clips.batches import Clips
from kineme.encoders import View
from kineme.encoders.base import Kept
from kineme.methods.mamp import MAMP
from kineme.typing import Array

TINY = 1e-10


def views(method: MAMP, clips: Clips, generator: torch.Generator) -> list[View]:
    """Crop and turn; of each body the patches that are seen."""
    n, shape = len(clips), method.encoder.shape
    draws = (
        *augment.draw_window(clips.length, method.min_frames, (method.min_crop, 1.0), generator),
        augment.draw_uniform((n, 3), -method.rotation, method.rotation, generator).rad2deg(),
    )

    def transform(clip: Array, start: int, length: int, degrees: Array) -> Array:
        return one.linear(one.resize(clip, start, length, shape.frames), one.rotation(degrees))

    x = one.view(one.by_clip(transform, one.padded(clips), *draws), shape)
    noise = augment.draw_uniform((n, shape.bodies, method.patches), 0.0, 1.0, generator)
    kept = [
        [seen(method, clip[..., m], noise[i, m]) for m in range(shape.bodies)] for i, clip in enumerate(x)
    ]
    return [View(x, kept=Kept(tokens=torch.stack([torch.stack(bodies) for bodies in kept])))]


def seen(method: MAMP, body: Tensor, noise: Tensor) -> Tensor:
    """The patches of (C, T, V) that are not hidden: those that move are hidden more often."""
    if not method.motion_aware:
        return noise.argsort()[: method.num_kept]
    cut = patches(body, method.encoder.patch)
    moved = (cut[1:] - cut[:-1]).abs().mean(-1)
    intensity = torch.cat([moved[:1], moved]).flatten()
    logits = intensity / (method.temperature * intensity.max() + TINY)
    gumbel = -torch.log(-torch.log(noise + TINY) + TINY)
    return (logits.log_softmax(0) + gumbel).argsort()[: method.num_kept]


def patches(body: Tensor, frames: int) -> Tensor:
    """(C, T, V) → (S, V, frames · C)."""
    return torch.stack([part.permute(2, 1, 0).flatten(1) for part in torch.split(body, frames, dim=1)])


def loss(method: MAMP, views: list[View]) -> dict[str, Tensor]:
    """The mean squared error of hidden patches of what comes next."""
    (view,) = views
    assert view.kept is not None
    kept = view.kept.tokens
    tokens = method.encoder(view.clips, view.kept).tokens
    assert kept is not None
    assert tokens is not None
    decoder = method.decoder
    errors = []
    for m in range(kept.shape[1]):
        shown = decoder.embedding(tokens[:, m])
        masked = decoder.mask_token.expand(len(shown), method.patches - method.num_kept, -1)
        hidden = [[i for i in range(method.patches) if i not in set(each)] for each in kept[:, m].tolist()]
        order = torch.cat([kept[:, m], torch.tensor(hidden)], dim=1).argsort(1)
        x = torch.cat([shown, masked], dim=1).gather(1, order[..., None].expand(-1, -1, shown.shape[2]))
        x = x + (decoder.segment_position[:, None] + decoder.joint_position).flatten(0, 1)
        for block in decoder.blocks:
            x = block(x, None)
        predicted = decoder.head(decoder.norm(x))
        for clip, prediction, places in zip(view.clips, predicted, hidden, strict=True):
            wanted = target(method, clip[..., m])
            errors.append((prediction - wanted).square().mean(1)[places])
    return {"loss": torch.cat(errors).mean()}


def target(method: MAMP, body: Tensor) -> Tensor:
    """(C, T, V) → (L, P): each patch of the motion, or of the joints, relative to itself."""
    if method.target_motion:
        later = body[:, method.stride :] - body[:, : -method.stride]
        body = torch.cat([later, torch.zeros_like(body[:, : method.stride])], dim=1)
    cut = patches(body, method.encoder.patch).flatten(0, 1)
    if method.standardise:
        cut = (cut - cut.mean(1, keepdim=True)) / torch.sqrt(cut.var(1, keepdim=True) + 1e-6)
    return cut
