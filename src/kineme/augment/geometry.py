"""Transforms of coordinates and joints. Linear maps compose: multiply matrices, then `transform` once."""

from __future__ import annotations

import torch
from torch import Tensor

from kineme.augment.draws import draw_uniform
from kineme.streams import take_joints

MAIN_DEGREES, OTHER_DEGREES = 30.0, 1.0  # largest turn about the main axis and about the two others


def transform(clips: Tensor, matrix: Tensor) -> Tensor:
    """x' = A x for every joint: clips (N, 3, T, V, M), one matrix (N, 3, 3) a clip.

    Sums of products and no matrix product, which mixed precision would round to 8 bits: motion is a
    difference of neighbouring frames and would drown.
    """
    clips = clips.contiguous()  # coordinates apart in memory: what `Clips.resize` gives is interleaved
    column = matrix[..., None, None, None].unbind(2)
    moved = column[0] * clips[:, 0:1]
    moved.addcmul_(column[1], clips[:, 1:2])
    return moved.addcmul_(column[2], clips[:, 2:3])


def draw_shear(n: int, amplitude: float, generator: torch.Generator) -> Tensor:
    """(n, 6) off-diagonal entries, uniform in [-amplitude, amplitude)."""
    return draw_uniform((n, 6), -amplitude, amplitude, generator)


def shear_matrix(offdiagonal: Tensor) -> Tensor:
    """(N, 6) entries S01, S10, S20, S02, S12, S21 → (N, 3, 3) with ones on the diagonal."""
    s01, s10, s20, s02, s12, s21 = offdiagonal.unbind(1)
    one = torch.ones_like(s01)
    return torch.stack([one, s01, s02, s10, one, s12, s20, s21, one], dim=1).view(-1, 3, 3)


def shear(clips: Tensor, offdiagonal: Tensor) -> Tensor:
    """Shears each clip by its six off-diagonal entries (N, 6). Neutral: zeros."""
    return transform(clips, shear_matrix(offdiagonal))


def draw_rotation(n: int, generator: torch.Generator) -> Tensor:
    """(n, 3) degrees about x, y, z: uniform in 0..30 about a main axis drawn for each clip, else in 0..1."""
    main = draw_axis(n, generator)[:, None] == torch.arange(3, device=generator.device)
    return draw_uniform((n, 3), 0.0, 1.0, generator) * torch.where(main, MAIN_DEGREES, OTHER_DEGREES)


def rotation_matrix(degrees: Tensor) -> Tensor:
    """(N, 3) degrees α, β, γ about x, y, z → Rz(-γ) Ry(-β) Rx(-α), (N, 3, 3), multiplied out."""
    radians = -degrees.deg2rad()
    (cx, cy, cz), (sx, sy, sz) = radians.cos().unbind(1), radians.sin().unbind(1)
    rows = [
        *(cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx),
        *(sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx),
        *(-sy, cy * sx, cy * cx),
    ]
    return torch.stack(rows, dim=1).view(-1, 3, 3)


def rotate(clips: Tensor, degrees: Tensor) -> Tensor:
    """Turns each clip by its (N, 3) degrees about x, then y, then z. Neutral: zeros."""
    return transform(clips, rotation_matrix(degrees))


def flip(clips: Tensor, apply: Tensor, mirror: Tensor) -> Tensor:
    """Swaps left and right joints, not coordinates, of the clips where `apply` (N,) is true.

    `mirror` (V,) is the layout's permutation `Layout.mirror`, as a tensor on the clips' device.
    """
    return take_joints(
        clips, torch.where(apply[:, None], mirror, torch.arange(len(mirror), device=mirror.device))
    )


def noise(clips: Tensor, std: Tensor, generator: torch.Generator) -> Tensor:
    """Adds Gaussian noise of one standard deviation a clip (N,), in the clips' units. Neutral: zero."""
    drawn = torch.randn(clips.shape, generator=generator, device=clips.device, dtype=clips.dtype)
    return drawn.mul_(std.view(-1, 1, 1, 1, 1)).add_(clips)


def draw_axis(n: int, generator: torch.Generator) -> Tensor:
    """(n,) int64 coordinate axes, each of three equally likely."""
    return torch.randint(3, (n,), generator=generator, device=generator.device)


def mask_axis(clips: Tensor, axis: Tensor) -> Tensor:
    """Sets one coordinate axis (N,) of each clip to zero. Neutral: -1."""
    kept = axis[:, None] != torch.arange(clips.shape[1], device=axis.device)
    return clips * kept[:, :, None, None, None]
