"""What encoders of tokens do with joints that a clip lacks: they are not attended to and not pooled."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from kineme.augment.missing import bones_present, filled, without
from kineme.layouts import Layout


def joints_of(present: Tensor, streams: Sequence[str], layout: Layout) -> Tensor:
    """Joints (N, V) that are there → those that are in any of some streams; a bone needs both of its ends.

    >>> import torch
    >>> arm = Layout.from_names("arm", ["shoulder", "elbow", "hand"], [None, "shoulder", "elbow"])
    >>> joints_of(torch.tensor([[True, False, True]]), ["bone"], arm).tolist()
    [[True, False, False]]
    """
    return bones_present(present, layout) if tuple(streams) == ("bone",) else present


def completed(clips: Tensor, present: Tensor, layout: Layout, stream: str) -> Tensor:
    """A stream (N, C, T, V, M) in which nothing is left of what it held for absent joints (N, V).

    Joints, and so their motion, are those of their neighbours; a bone with an absent end is zero.
    """
    if stream == "bone":
        return without(clips, bones_present(present, layout))
    return filled(clips, present, layout)


def patches_of(present: Tensor, segments: int, bodies: int, chosen: Tensor | None = None) -> Tensor:
    """Joints (N, V) that are present → patches (N, M, L), L = segments · V; or of those chosen (N, M, K)."""
    patches = present.repeat(1, segments)[:, None].expand(-1, bodies, -1)
    return patches if chosen is None else patches.gather(2, chosen)


def completed_patches(patches: Tensor, present: Tensor, segments: int) -> Tensor:
    """`mean_for_absent` of patches (N, M, L, D), each segment for itself; present (N, M, L)."""
    n, bodies, count = present.shape
    grid = n, bodies, segments, count // segments
    return mean_for_absent(patches.reshape(*grid, -1), present.reshape(grid)).flatten(2, 3)


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
