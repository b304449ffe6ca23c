"""Transforms that hide or corrupt some joints or some frames of a clip.

Counts are the papers' for 25 joints (NTU RGB+D) and scale with the layout.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kineme.augment.draws import draw_coin, draw_subset, draw_uniform, mark, where
from kineme.augment.geometry import transform
from kineme.layouts import Layout

REGION_SEEDS, REGION_JOINTS = 5 / 25, 8 / 25  # SCD-Net: seeds drawn and joints masked
SEGMENTS, MASKED_SEGMENTS = 16, 6  # SCD-Net
CORRUPTED_JOINTS = 15 / 25  # USDRL


def _share(share: float, joints: int) -> int:
    return max(1, round(share * joints))


def two_hops(layout: Layout) -> Tensor:
    """Â² (V, V) of Â = A + Aᵀ + I: the number of walks of two steps, or stays, between two joints."""
    linked = torch.eye(layout.num_joints)
    for child, parent in layout.bones:
        linked[child, parent] = linked[parent, child] = 1
    return linked @ linked


def region_sums(seeds: Tensor, walks: Tensor) -> Tensor:
    """(N, K) seed joints and Â² (V, V) → (N, V): the seeds' rows of Â², summed."""
    return walks[seeds].sum(1)


def draw_region(n: int, walks: Tensor, generator: torch.Generator) -> Tensor:
    """(n, V) bool: joints of connected body regions, SCD-Net's structured mask (5 seeds, 8 of 25 joints).

    Seeds are drawn with replacement; the joints of largest `region_sums` are masked. Ties fall at random.
    """
    joints = len(walks)
    seeds = torch.randint(
        joints, (n, _share(REGION_SEEDS, joints)), generator=generator, device=generator.device
    )
    sums = region_sums(seeds, walks)
    # Sums are whole numbers, so less than one added decides between equal ones only.
    ties = torch.rand(sums.shape, generator=generator, device=generator.device) / 2
    return mark((sums + ties).topk(_share(REGION_JOINTS, joints)).indices, joints)


def mask_joints(clips: Tensor, masked: Tensor) -> Tensor:
    """Sets joints (N, V) bool to zero in every frame and body."""
    return clips * ~masked[:, None, None, :, None]


def draw_segments(n: int, frames: int, generator: torch.Generator) -> Tensor:
    """(n, T) bool: frames of 6 distinct segments of the 16 that a clip is cut into (SCD-Net's cube mask)."""
    segment = torch.arange(frames, device=generator.device) * SEGMENTS // frames
    return draw_subset(n, MASKED_SEGMENTS, SEGMENTS, generator)[:, segment]


def mask_frames(clips: Tensor, masked: Tensor) -> Tensor:
    """Sets frames (N, T) bool to zero."""
    return clips * ~masked[:, None, :, None, None]


def draw_corruption(n: int, joints: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """USDRL's joint corruption: joints (n, V) bool, 15 of 25, and a matrix (n, 3, 3) for `corrupt`.

    The matrix is zero for half of the clips, and has entries uniform in [-1, 1) for the others.
    """
    chosen = draw_subset(n, _share(CORRUPTED_JOINTS, joints), joints, generator)
    matrix = draw_uniform((n, 3, 3), -1.0, 1.0, generator)
    return chosen, where(draw_coin(n, 0.5, generator), matrix, 0.0)


def corrupt(clips: Tensor, joints: Tensor, matrix: Tensor) -> Tensor:
    """x' = A x, A (N, 3, 3), of the chosen joints (N, V) bool in every frame and body; the others stay."""
    return torch.where(joints[:, None, None, :, None], transform(clips, matrix), clips)
