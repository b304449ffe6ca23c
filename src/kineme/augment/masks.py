"""Transforms that mask or corrupt joints or frames.

Counts are the papers' for 25 joints (NTU RGB+D) and scale with the layout.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kineme.augment.draws import draw_coin, draw_subset, draw_uniform, mark, rand, randint, where
from kineme.augment.geometry import transform
from kineme.layouts import Layout

REGION_SEEDS, REGION_JOINTS = 5 / 25, 8 / 25  # SCD-Net: shares of joints that are seeds and that are masked
SEGMENTS, MASKED_SEGMENTS = 16, 6  # SCD-Net
CORRUPTED_JOINTS = 15 / 25  # USDRL


def _share(share: float, joints: int) -> int:
    return max(1, round(share * joints))


def two_hops(layout: Layout) -> Tensor:
    """Â² (V, V), Â = A + Aᵀ + I: the number of walks of at most two steps between two joints.

    >>> chain = Layout.from_names("chain", ["hip", "neck", "head"], [None, "hip", "neck"])
    >>> two_hops(chain).tolist()
    [[2.0, 2.0, 1.0], [2.0, 3.0, 2.0], [1.0, 2.0, 2.0]]
    """
    linked = torch.eye(layout.num_joints)
    for child, parent in layout.bones:
        linked[child, parent] = linked[parent, child] = 1
    return linked @ linked


def region_sums(seeds: Tensor, walks: Tensor) -> Tensor:
    """(N, K) seed joints and Â² (V, V) → (N, V): the seeds' rows of Â², summed.

    >>> walks = torch.tensor([[2, 2, 1], [2, 3, 2], [1, 2, 2]])
    >>> region_sums(torch.tensor([[0, 0], [0, 2]]), walks).tolist()
    [[4, 4, 2], [3, 4, 3]]
    """
    return walks[seeds].sum(1)


def draw_region(n: int, walks: Tensor, generator: torch.Generator) -> Tensor:
    """(n, V) bool: connected body regions, SCD-Net's structured mask (5 seeds, 8 of 25 joints).

    Seeds are drawn with replacement; the joints with the largest `region_sums` are masked, ties broken at
    random. `walks` is `two_hops` of the layout.

    >>> import kineme
    >>> layout = kineme.get_layout("coco17")
    >>> (region,) = draw_region(1, two_hops(layout), torch.Generator().manual_seed(0))
    >>> [layout.joints[joint] for joint in region.nonzero()]
    ['nose', 'right_shoulder', 'left_elbow', 'right_hip', 'right_knee']
    """
    joints = len(walks)
    seeds = randint(joints, (n, _share(REGION_SEEDS, joints)), generator)
    sums = region_sums(seeds, walks)
    # Sums are integers, so adding less than one only breaks ties.
    ties = rand(sums.shape, generator) / 2
    return mark((sums + ties).topk(_share(REGION_JOINTS, joints)).indices, joints)


def mask_joints(clips: Tensor, masked: Tensor) -> Tensor:
    """Zeroes joints (N, V) bool in every frame and body.

    >>> mask_joints(torch.ones(1, 3, 2, 4, 1), torch.tensor([[True, False, False, True]]))[0, 0, 0, :, 0]
    tensor([0., 1., 1., 0.])
    """
    return clips * ~masked[:, None, None, :, None]


def draw_segments(n: int, frames: int, generator: torch.Generator) -> Tensor:
    """(n, T) bool: the frames of 6 out of 16 equal segments of a clip (SCD-Net's cube mask).

    >>> draw_segments(1, 16, torch.Generator().manual_seed(0)).int().tolist()
    [[1, 1, 0, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1]]
    """
    segment = torch.arange(frames, device=generator.device) * SEGMENTS // frames
    return draw_subset(n, MASKED_SEGMENTS, SEGMENTS, generator)[:, segment]


def mask_frames(clips: Tensor, masked: Tensor) -> Tensor:
    """Zeroes frames (N, T) bool.

    >>> mask_frames(torch.ones(1, 3, 4, 2, 1), torch.tensor([[True, False, False, True]]))[0, 0, :, 0, 0]
    tensor([0., 1., 1., 0.])
    """
    return clips * ~masked[:, None, :, None, None]


def draw_corruption(n: int, joints: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """USDRL's joint corruption: joints (n, V) bool, 15 of 25, and a matrix (n, 3, 3) for `corrupt`.

    The matrix is zero with probability 1/2; else its entries are uniform in [-1, 1).

    >>> joints, matrix = draw_corruption(4, 25, torch.Generator().manual_seed(0))
    >>> joints.sum(1).tolist(), matrix.any(2).any(1).tolist()
    ([15, 15, 15, 15], [False, True, False, False])
    """
    chosen = draw_subset(n, _share(CORRUPTED_JOINTS, joints), joints, generator)
    matrix = draw_uniform((n, 3, 3), -1.0, 1.0, generator)
    return chosen, where(draw_coin(n, 0.5, generator), matrix, 0.0)


def corrupt(clips: Tensor, joints: Tensor, matrix: Tensor) -> Tensor:
    """x' = A x, A (N, 3, 3), for the joints (N, V) bool, in every frame and body.

    >>> clips, joints = torch.ones(1, 3, 1, 4, 1), torch.tensor([[True, False, False, True]])
    >>> corrupt(clips, joints, torch.zeros(1, 3, 3))[0, 0, 0, :, 0]
    tensor([0., 1., 1., 0.])
    """
    return torch.where(joints[:, None, None, :, None], transform(clips, matrix), clips)
