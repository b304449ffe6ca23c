"""How token encoders handle absent joints: they are neither attended to nor pooled."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache

from torch import Tensor

from kineme.augment.missing import bones_present, filled, without
from kineme.encoders.base import Encoder, Features
from kineme.layouts import Layout

logger = logging.getLogger(__name__)


def joints_of(present: Tensor, streams: Sequence[str], layout: Layout) -> Tensor:
    """Present joints (N, V) → joints present in any of the given streams; a bone needs both of its ends.

    >>> import torch
    >>> arm = Layout.from_names("arm", ["shoulder", "elbow", "hand"], [None, "shoulder", "elbow"])
    >>> joints_of(torch.tensor([[True, False, True]]), ["bone"], arm).tolist()
    [[True, False, False]]
    """
    return bones_present(present, layout) if tuple(streams) == ("bone",) else present


def completed(clips: Tensor, present: Tensor, layout: Layout, stream: str, place: bool = True) -> Tensor:
    """A stream (N, C, T, V, M) without the values of absent joints (N, V).

    Joints, and so their motion, are those of their neighbours, which they are already unless they are to be
    placed; a bone with an absent end is zero.
    """
    if stream == "bone":
        return without(clips, bones_present(present, layout))
    return filled(clips, present, layout) if place else clips


def patches_of(present: Tensor, segments: int, bodies: int, chosen: Tensor | None = None) -> Tensor:
    """Joints (N, V) that are present → patches (N, M, L), L = segments · V; or of those chosen (N, M, K)."""
    patches = present.repeat(1, segments)[:, None].expand(-1, bodies, -1)
    return patches if chosen is None else patches.gather(2, chosen)


def completed_patches(patches: Tensor, present: Tensor, segments: int) -> Tensor:
    """`mean_for_absent` of patches (N, M, L, D), each segment for itself; present (N, M, L) or (1, M, L)."""
    grid = segments, patches.shape[2] // segments
    tokens = patches.reshape(*patches.shape[:2], *grid, patches.shape[3])  # no -1: there may be no clips
    return mean_for_absent(tokens, present.reshape(*present.shape[:2], *grid)).flatten(2, 3)


def in_some_clip(present: Tensor) -> Tensor:
    """(K,) which of L tokens (N, ..., L) are present in any clip; the others need not be computed."""
    return present.flatten(0, -2).any(0).nonzero()[:, 0]


def spread(tokens: Tensor, at: Tensor, count: int) -> Tensor:
    """Tokens (N, ..., K, D) in their places (K,) among `count`, (N, ..., L, D); the others are zero.

    >>> import torch
    >>> spread(torch.tensor([[1.0], [2.0]]), torch.tensor([0, 2]), 3).flatten()
    tensor([1., 0., 2.])
    """
    every = tokens.new_zeros(*tokens.shape[:-2], count, tokens.shape[-1])
    return every.index_copy(-2, at, tokens)


def some(present: Tensor) -> Tensor:
    """(N, L) bool, all true in rows where nothing is present: attention needs something to attend to.

    >>> import torch
    >>> some(torch.tensor([[True, False], [False, False]])).tolist()
    [[True, False], [True, True]]
    """
    return present | ~present.any(1, keepdim=True)


def mean_for_absent(tokens: Tensor, present: Tensor) -> Tensor:
    """(N, ..., L, D) with the mean of the present tokens in place of those that are not (N, ..., L).

    A mean or a maximum over all tokens is then one over those that are present.

    >>> import torch
    >>> tokens = torch.tensor([[1.0], [3.0], [9.0]])[None]
    >>> mean_for_absent(tokens, torch.tensor([[True, True, False]])).flatten()
    tensor([1., 3., 2.])
    """
    kept = tokens.masked_fill(~present[..., None], 0)
    count = present.sum(-1)[..., None, None].clamp_min(1).to(tokens.dtype)
    return tokens.where(present[..., None], kept.sum(-2, keepdim=True) / count)


def encoded(encoder: Encoder, joints: Tensor, present: Tensor | None = None) -> Features:
    """Features of joint positions (N, C, T, V, M'), in the encoder's stream.

    Joints that are not `present` (N, V) take no part. Encoders that cannot leave joints out are shown them
    where their neighbours are, and a warning says so, once for each kind of encoder.

    >>> import kineme, torch
    >>> encoder = kineme.STTR(kineme.ClipShape(kineme.get_layout("coco17"), 16, 2), hidden=8)
    >>> clips, present = torch.randn(1, 3, 16, 17, 1), torch.arange(17)[None] != 4
    >>> clips[:, :, :, 4] = float("nan")
    >>> encoded(encoder, clips, present).clip.isfinite().all()
    tensor(True)
    """
    if present is not None and not encoder.takes_missing:
        warn_if_shown(encoder)
        joints, present = filled(joints, present, encoder.shape.layout), None
    clips = encoder.shape.take(joints)
    found: Features = encoder(clips) if present is None else encoder(clips, present=present)
    return found


def warn_if_shown(encoder: Encoder) -> None:
    """Warns, once for each kind of encoder, of one that cannot leave out joints and is shown neighbours."""
    if not encoder.takes_missing:
        _warn(type(encoder).__name__)


@cache
def _warn(encoder: str) -> None:
    logger.warning(
        "%s cannot leave out joints that a clip lacks; they are placed where their neighbours are", encoder
    )
