"""Transforms of coordinates and joints. Linear maps compose: multiply the matrices, `transform` once."""

from __future__ import annotations

import torch
from torch import Tensor

from kineme.augment.draws import draw_coin, draw_uniform, randint, randn, where
from kineme.errors import KinemeError
from kineme.layouts import Layout
from kineme.layouts.parts import joint_kinds, start, walk
from kineme.streams import take_joints

MAIN_DEGREES, OTHER_DEGREES = 30.0, 1.0  # largest angle about the main axis and about the two others


def transform(clips: Tensor, matrix: Tensor) -> Tensor:
    """x' = A x for every joint: clips (N, 3, T, V, M), one matrix (N, 3, 3) per clip.

    Written as sums of products: mixed precision would round a matrix product to 8 bits, and motion, the
    difference of neighbouring frames, would be lost in that.

    Raises:
        KinemeError: there is not one matrix per clip, or clips have other axes.

    >>> point = torch.tensor([1.0, 2.0, 3.0]).view(1, 3, 1, 1, 1)
    >>> transform(point, 2 * torch.eye(3)[None]).flatten()
    tensor([2., 4., 6.])
    """
    if clips.dim() != 5 or len(matrix) not in (1, len(clips)):
        raise KinemeError(
            f"clips {tuple(clips.shape)} and parameters of {len(matrix)} clips; give (N, 3, T, V, M), and N"
        )
    clips = clips.contiguous()  # `Clips.resize` interleaves the coordinates
    column = matrix[..., None, None, None].unbind(2)
    moved = column[0] * clips[:, 0:1]
    moved.addcmul_(column[1], clips[:, 1:2])
    return moved.addcmul_(column[2], clips[:, 2:3])


def draw_shear(n: int, amplitude: float, generator: torch.Generator) -> Tensor:
    """(n, 6) off-diagonal entries for `shear`, uniform in [-amplitude, amplitude).

    >>> draw_shear(1, 0.5, torch.Generator().manual_seed(0))
    tensor([[-0.0037,  0.2682, -0.4115, -0.3680, -0.1926,  0.1341]])
    """
    return draw_uniform((n, 6), -amplitude, amplitude, generator)


def shear_matrix(offdiagonal: Tensor) -> Tensor:
    """(N, 6) entries S01, S10, S20, S02, S12, S21 → (N, 3, 3) with ones on the diagonal.

    >>> shear_matrix(torch.tensor([[1, 2, 3, 4, 5, 6]])).tolist()
    [[[1, 1, 4], [2, 1, 5], [3, 6, 1]]]
    """
    s01, s10, s20, s02, s12, s21 = offdiagonal.unbind(1)
    one = torch.ones_like(s01)
    return torch.stack([one, s01, s02, s10, one, s12, s20, s21, one], dim=1).view(-1, 3, 3)


def shear(clips: Tensor, offdiagonal: Tensor) -> Tensor:
    """Shears each clip by its off-diagonal entries (N, 6), see `shear_matrix`. Neutral: zeros.

    >>> point = torch.tensor([1.0, 2.0, 3.0]).view(1, 3, 1, 1, 1)
    >>> shear(point, torch.tensor([[0.5, 0, 0, 0, 0, 0]])).flatten()  # x' = x + y/2
    tensor([2., 2., 3.])
    """
    return transform(clips, shear_matrix(offdiagonal))


def draw_rotation(n: int, generator: torch.Generator) -> Tensor:
    """(n, 3) degrees about x, y, z: uniform in 0..30 about each clip's main axis, in 0..1 about the others.

    >>> draw_rotation(2, torch.Generator().manual_seed(0))
    tensor([[ 0.0885,  0.1320,  9.2227],
            [19.0224,  0.4901,  0.8964]])
    """
    main = draw_axis(n, generator)[:, None] == torch.arange(3, device=generator.device)
    return draw_uniform((n, 3), 0.0, 1.0, generator) * torch.where(main, MAIN_DEGREES, OTHER_DEGREES)


def rotation_matrix(degrees: Tensor) -> Tensor:
    """(N, 3) degrees α, β, γ about x, y, z → Rz(-γ) Ry(-β) Rx(-α), (N, 3, 3).

    >>> rotation_matrix(torch.tensor([[0.0, 0.0, 30.0]]))[0]
    tensor([[ 0.8660,  0.5000,  0.0000],
            [-0.5000,  0.8660,  0.0000],
            [ 0.0000, -0.0000,  1.0000]])
    """
    radians = -degrees.deg2rad()
    (cx, cy, cz), (sx, sy, sz) = radians.cos().unbind(1), radians.sin().unbind(1)
    rows = [
        *(cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx),
        *(sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx),
        *(-sy, cy * sx, cy * cx),
    ]
    return torch.stack(rows, dim=1).view(-1, 3, 3)


def rotate(clips: Tensor, degrees: Tensor) -> Tensor:
    """Rotates each clip by its (N, 3) degrees about x, then y, then z. Neutral: zeros.

    >>> point = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1, 1)
    >>> rotate(point, torch.tensor([[0.0, 0.0, 60.0]])).flatten()
    tensor([ 0.5000, -0.8660,  0.0000])
    """
    return transform(clips, rotation_matrix(degrees))


def flip(clips: Tensor, apply: Tensor, mirror: Tensor) -> Tensor:
    """Swaps left and right joints, not coordinates, of the clips where `apply` (N,) is true.

    `mirror` (V,) is `Layout.mirror` as a tensor on the clips' device.

    >>> clips = torch.tensor([1.0, 2.0, 3.0]).view(1, 1, 1, 3, 1).expand(2, 3, 1, 3, 1)
    >>> flip(clips, torch.tensor([True, False]), torch.tensor([0, 2, 1]))[:, 0, 0, :, 0].tolist()
    [[1.0, 3.0, 2.0], [1.0, 2.0, 3.0]]
    """
    return take_joints(
        clips, torch.where(apply[:, None], mirror, torch.arange(len(mirror), device=mirror.device))
    )


def reflect(clips: Tensor, apply: Tensor, mirror: Tensor) -> Tensor:
    """As seen in a mirror: swaps left and right joints and negates x, where `apply` (N,) is true.

    >>> clips = torch.tensor([[1.0, 2.0], [5.0, 6.0], [7.0, 8.0]]).view(1, 3, 1, 2, 1)
    >>> reflect(clips, torch.tensor([True]), torch.tensor([1, 0])).view(3, 2).tolist()
    [[-2.0, -1.0], [6.0, 5.0], [8.0, 7.0]]
    """
    flipped = flip(clips, apply, mirror)
    x = torch.arange(clips.shape[1], device=apply.device) == 0
    return flipped * torch.where(apply[:, None] & x, -1.0, 1.0)[:, :, None, None, None]


def scale_bones(clips: Tensor, factors: Tensor, layout: Layout) -> Tensor:
    """Makes the bones of trunk, arms and legs longer or shorter; the body's origin stays. Neutral: ones.

    A bone belongs to the part of its farther joint. Joints are placed from the origin outwards, so that each
    hangs on its parent's new place.

    Args:
        clips: (N, C, T, V, M).
        factors: (N, 3, M), of trunk and head, arms, legs.
        layout: of the joints.

    >>> arm = Layout.from_names("arm", ["neck", "left_hand", "right_hand"], [None, "neck", "neck"])
    >>> clips = torch.tensor([1.0, 3.0, 0.0]).view(1, 1, 1, 3, 1)
    >>> scale_bones(clips, torch.tensor([1.0, 0.5, 1.0]).view(1, 3, 1), arm).flatten()
    tensor([1.0000, 2.0000, 0.5000])
    """
    kinds = joint_kinds(layout)
    joints = list(clips.unbind(3))
    for joint, parent in walk(layout, start(layout)):
        bone = clips[:, :, :, joint] - clips[:, :, :, parent]
        joints[joint] = joints[parent] + bone * factors[:, kinds[joint], None, None]
    return torch.stack(joints, dim=3)


def draw_bone_scales(clips: Tensor, most: float, generator: torch.Generator) -> Tensor:
    """Factors (N, 3, M) for `scale_bones`, uniform in [1 - most, 1 + most), in half of (N, C, T, V, M) clips.

    >>> draw_bone_scales(torch.zeros(2, 3, 4, 5, 1), 0.2, torch.Generator().manual_seed(0))[..., 0]
    tensor([[0.8354, 0.8528, 0.9230],
            [1.0000, 1.0000, 1.0000]])
    """
    n, bodies = len(clips), clips.shape[4]
    apply = draw_coin(n, 0.5, generator)
    return where(apply, draw_uniform((n, 3, bodies), 1 - most, 1 + most, generator), 1.0)


def draw_turn(n: int, tilt: float, turn: float, generator: torch.Generator) -> Tensor:
    """(n, 3) degrees for `rotate`, in half of the clips: within ±`turn` about y, ±`tilt` (rad) about x and z.

    >>> draw_turn(2, 0.1, 3.0, torch.Generator().manual_seed(0)).round()
    tensor([[  -5., -126.,   -2.],
            [   0.,    0.,    0.]])
    """
    apply = draw_coin(n, 0.5, generator)
    x, y, z = draw_uniform((n, 3), -1.0, 1.0, generator).rad2deg().unbind(1)
    return where(apply, torch.stack([x * tilt, y * turn, z * tilt], dim=1), 0.0)


def noise(clips: Tensor, std: Tensor, generator: torch.Generator) -> Tensor:
    """Adds Gaussian noise, one standard deviation (N,) per clip, in the clips' units. Neutral: zero.

    >>> noise(torch.zeros(1, 3, 1, 1, 1), torch.tensor([0.1]), torch.Generator().manual_seed(0)).flatten()
    tensor([ 0.1541, -0.0293, -0.2179])
    """
    return randn(clips.shape, generator).mul_(std.view(-1, 1, 1, 1, 1)).add_(clips)


def draw_axis(n: int, generator: torch.Generator) -> Tensor:
    """(n,) int64, coordinate axes 0, 1 and 2 with equal probability.

    >>> draw_axis(6, torch.Generator().manual_seed(0)).tolist()
    [2, 0, 2, 0, 1, 0]
    """
    return randint(3, (n,), generator)


def mask_axis(clips: Tensor, axis: Tensor) -> Tensor:
    """Zeroes one coordinate axis (N,) of each clip. Neutral: -1.

    >>> mask_axis(torch.ones(2, 3, 1, 1, 1), torch.tensor([1, -1])).flatten(1).tolist()
    [[1.0, 0.0, 1.0], [1.0, 1.0, 1.0]]
    """
    kept = axis[:, None] != torch.arange(clips.shape[1], device=axis.device)
    return clips * kept[:, :, None, None, None]
