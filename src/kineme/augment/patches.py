"""Patches for masked modelling: a joint of one body over a few frames; which of them an encoder gets to see.

Motion-aware masking is MAMP's (Mao et al., ICCV 2023): patches that move more are hidden more often.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from kineme.errors import KinemeError

EPSILON = 1e-10


def to_patches(clips: Tensor, frames: int) -> Tensor:
    """(N, C, T, V, M) → (N, M, L, frames·C): L = T / frames · V patches, joints of a segment together.

    The numbers of a patch are its coordinates frame by frame. T is a multiple of `frames`.

    >>> clips = torch.arange(8.0).view(1, 1, 4, 2, 1)  # two joints, at 0, 2, 4, 6 and 1, 3, 5, 7
    >>> to_patches(clips, 2)[0, 0].tolist()
    [[0.0, 2.0], [1.0, 3.0], [4.0, 6.0], [5.0, 7.0]]
    """
    n, coordinates, length, joints, bodies = clips.shape
    cut = clips.reshape(n, coordinates, length // frames, frames, joints, bodies)
    return cut.permute(0, 5, 2, 4, 3, 1).flatten(4).flatten(2, 3)


def motion_intensity(patches: Tensor, joints: int) -> Tensor:
    """(..., L, P) patches of `joints` joints → (..., L): how far each moved since the segment before.

    The mean absolute difference to the same joint's patch one segment earlier; the first segment has the
    intensity of the second.

    Raises:
        KinemeError: there is only one segment.

    >>> clips = torch.tensor([0.0, 0, 0, 1, 0, 4]).view(1, 1, 3, 2, 1)  # the second joint moves by 1 and 3
    >>> motion_intensity(to_patches(clips, 1), joints=2)[0, 0]
    tensor([0., 1., 0., 1., 0., 3.])
    """
    grid = patches.reshape(*patches.shape[:-2], -1, joints, patches.shape[-1])  # (..., S, V, P)
    if grid.shape[-3] < 2:
        raise KinemeError("motion between segments needs at least two of them; raise data.frames")
    moved = (grid[..., 1:, :, :] - grid[..., :-1, :, :]).abs().mean(-1)
    return torch.cat((moved[..., :1, :], moved), dim=-2).flatten(-2)


def masking_logits(intensity: Tensor, temperature: float) -> Tensor:
    """Motion intensities (..., L) → logits of the patch that is hidden first: I / (τ · max I).

    A body that does not move, or is absent, has equal logits.

    >>> masking_logits(torch.tensor([[0.0, 1.0, 4.0], [0.0, 0.0, 0.0]]), temperature=0.5)
    tensor([[0.0000, 0.5000, 2.0000],
            [0.0000, 0.0000, 0.0000]])
    """
    return intensity / (temperature * intensity.amax(-1, keepdim=True) + EPSILON)


def hiding_order(noise: Tensor, logits: Tensor | None = None) -> Tensor:
    """Scores (..., L); the patches of the greatest are hidden.

    Args:
        noise: (..., L), uniform in [0, 1).
        logits: (..., L), see `masking_logits`; the scores are log-softmax plus Gumbel noise then, so that
            hiding the greatest draws patches without replacement. None: all are hidden alike.

    >>> noise = torch.rand(1000, 3, generator=torch.Generator().manual_seed(0))
    >>> first = hiding_order(noise, torch.tensor([0.5, 0.3, 0.2]).log()).argmax(1)
    >>> first.bincount() / 1000  # hidden first, in proportion to the probabilities
    tensor([0.5090, 0.2950, 0.1960])
    """
    if logits is None:
        return noise
    gumbel = -(-(noise + EPSILON).log() + EPSILON).log()
    return F.log_softmax(logits, dim=-1) + gumbel


def num_kept(patches: int, mask_ratio: float) -> int:
    """How many of L patches are kept: int(L · (1 - r)) in double precision.

    Raises:
        KinemeError: none is kept, or none is hidden.

    >>> num_kept(750, 0.9), num_kept(750, 0.8)
    (74, 149)
    """
    kept = int(patches * (1 - mask_ratio))
    if not 0 < kept < patches:
        raise KinemeError(
            f"mask_ratio: {mask_ratio} keeps {kept} of {patches} patches; it must keep some and hide some"
        )
    return kept


def kept_patches(order: Tensor, kept: int) -> Tensor:
    """(..., L) scores → (..., kept) indices of the least, see `hiding_order`.

    >>> kept_patches(torch.tensor([[0.3, 0.1, 0.9, 0.2]]), 2).tolist()
    [[1, 3]]
    """
    return order.topk(kept, dim=-1, largest=False).indices


def hidden_patches(kept: Tensor, patches: int) -> Tensor:
    """(..., K) indices of those kept → (..., L) bool, true where a patch is hidden.

    >>> hidden_patches(torch.tensor([[1, 3]]), 4).tolist()
    [[True, False, True, False]]
    """
    hidden = torch.ones(*kept.shape[:-1], patches, dtype=torch.bool, device=kept.device)
    return hidden.scatter_(-1, kept, False)
