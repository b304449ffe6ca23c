"""Transforms of coordinates and joints. Linear maps compose: multiply matrices, then `transform` once."""

from __future__ import annotations

import torch
from torch import Tensor

from kineme.augment.draws import draw_uniform

MAIN_DEGREES, OTHER_DEGREES = 30.0, 1.0  # largest turn about the main axis and about the two others


def transform(clips: Tensor, matrix: Tensor) -> Tensor:
    """x' = A x for every joint: clips (N, 3, T, V, M), one matrix (N, 3, 3) a clip."""
    return torch.bmm(matrix, clips.flatten(2)).view(clips.shape)


def draw_shear(n: int, amplitude: float, generator: torch.Generator) -> Tensor:
    """(n, 6) off-diagonal entries, uniform in [-amplitude, amplitude)."""
    return draw_uniform((n, 6), -amplitude, amplitude, generator)


def shear_matrix(offdiagonal: Tensor) -> Tensor:
    """(N, 6) entries S01, S10, S20, S02, S12, S21 → (N, 3, 3) with ones on the diagonal."""
    s01, s10, s20, s02, s12, s21 = offdiagonal.unbind(1)
    one = torch.ones_like(s01)
    return torch.stack([one, s01, s02, s10, one, s12, s20, s21, one], dim=1).view(-1, 3, 3)


def shear(clips: Tensor, offdiagonal: Tensor) -> Tensor:
    """Shears each clip by its six off-diagonal entries (N, 6); all zero leaves it as it is."""
    return transform(clips, shear_matrix(offdiagonal))


def draw_rotation(n: int, generator: torch.Generator) -> Tensor:
    """(n, 3) degrees about x, y, z: uniform in 0..30 about a main axis drawn for each clip, else in 0..1."""
    axes = torch.arange(3, device=generator.device)
    main = torch.randint(3, (n, 1), generator=generator, device=generator.device) == axes
    return draw_uniform((n, 3), 0.0, 1.0, generator) * torch.where(main, MAIN_DEGREES, OTHER_DEGREES)


def rotation_matrix(degrees: Tensor) -> Tensor:
    """(N, 3) degrees α, β, γ about x, y, z → Rz(-γ) Ry(-β) Rx(-α), (N, 3, 3), Rx turned first."""
    cosine, sine = degrees.deg2rad().cos(), degrees.deg2rad().neg().sin()
    (cx, cy, cz), (sx, sy, sz) = cosine.unbind(1), sine.unbind(1)
    one, zero = torch.ones_like(cx), torch.zeros_like(cx)
    about_x = torch.stack([one, zero, zero, zero, cx, -sx, zero, sx, cx], dim=1).view(-1, 3, 3)
    about_y = torch.stack([cy, zero, sy, zero, one, zero, -sy, zero, cy], dim=1).view(-1, 3, 3)
    about_z = torch.stack([cz, -sz, zero, sz, cz, zero, zero, zero, one], dim=1).view(-1, 3, 3)
    return about_z @ about_y @ about_x


def rotate(clips: Tensor, degrees: Tensor) -> Tensor:
    """Turns each clip by its (N, 3) degrees about x, then y, then z; all zero leaves it as it is."""
    return transform(clips, rotation_matrix(degrees))


def flip(clips: Tensor, apply: Tensor, mirror: Tensor) -> Tensor:
    """Swaps left and right joints, not coordinates, of the clips where `apply` (N,) is true.

    `mirror` (V,) is the layout's permutation `Layout.mirror`, as a tensor on the clips' device.
    """
    joints = torch.where(apply[:, None], mirror, torch.arange(len(mirror), device=mirror.device))
    return clips.gather(3, joints[:, None, None, :, None].expand(clips.shape))


def noise(clips: Tensor, std: Tensor, generator: torch.Generator) -> Tensor:
    """Adds Gaussian noise of one standard deviation a clip (N,), in the clips' units; 0 adds none."""
    drawn = torch.randn(clips.shape, generator=generator, device=clips.device, dtype=clips.dtype)
    return torch.addcmul(clips, drawn, std.view(-1, 1, 1, 1, 1))


def draw_axis(n: int, generator: torch.Generator) -> Tensor:
    """(n,) coordinate axes, each of three equally likely."""
    return torch.randint(3, (n,), generator=generator, device=generator.device)


def mask_axis(clips: Tensor, axis: Tensor) -> Tensor:
    """Sets one coordinate axis (N,) of each clip to zero; -1 leaves the clip as it is."""
    kept = axis[:, None] != torch.arange(clips.shape[1], device=axis.device)
    return clips * kept[:, :, None, None, None]
