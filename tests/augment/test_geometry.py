"""Coordinates and joints: the published program's values, and what the draws give."""

from __future__ import annotations

import pytest
import torch
from golden_fill import load_golden

from kineme import augment
from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS

GOLDEN = {name: torch.from_numpy(array) for name, array in load_golden("augment_aimclr.npz").items()}
CLIP = GOLDEN["clip"][None]
MIRROR = torch.from_numpy(LAYOUTS["ntu25"].mirror)


def close(result: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-5)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_shear_agrees_with_the_published_program() -> None:
    close(augment.shear(CLIP, GOLDEN["shear_offdiagonal"].float()[None])[0], GOLDEN["sheared"])


def test_parameters_of_other_clips_and_single_clips_are_refused() -> None:
    """(C, T, V, M) would be taken for clips along another axis."""
    with pytest.raises(KinemeError, match=r"parameters of 3 clips; give \(N, 3, T, V, M\), and N"):
        augment.shear(CLIP.expand(2, -1, -1, -1, -1), torch.zeros(3, 6))
    with pytest.raises(KinemeError, match=r"clips \(3, \d+, 25, 2\)"):
        augment.shear(CLIP[0], torch.zeros(3, 6))


def test_rotate_agrees_with_the_published_program_whichever_axis_is_main() -> None:
    degrees = GOLDEN["rotate_degrees_xyz"].float()
    close(augment.rotate(CLIP.expand(3, -1, -1, -1, -1), degrees), GOLDEN["rotated"])


def test_flip_agrees_with_the_published_program() -> None:
    assert torch.equal(augment.flip(CLIP, torch.tensor([True]), MIRROR)[0], GOLDEN["flipped"])


def test_mask_axis_agrees_with_the_published_program() -> None:
    assert torch.equal(augment.mask_axis(CLIP, torch.tensor([1]))[0], GOLDEN["axis_masked_1"])


def test_a_quarter_turn_about_z_is_clockwise() -> None:
    """x' = Rz(-γ) x: the x axis turns to -y."""
    x_axis = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1, 1)
    turned = augment.rotate(x_axis, torch.tensor([[0.0, 0, 90]])).flatten()
    close(turned, torch.tensor([0.0, -1, 0]))


def test_a_rotation_keeps_lengths_and_handedness() -> None:
    matrix = augment.rotation_matrix(augment.draw_rotation(50, generator()))
    close(matrix @ matrix.mT, torch.eye(3).expand(50, 3, 3))
    close(torch.linalg.det(matrix), torch.ones(50))


def test_linear_maps_compose() -> None:
    clips = torch.randn(4, 3, 6, 17, 1, generator=generator())
    offdiagonal, degrees = augment.draw_shear(4, 1.0, generator(1)), augment.draw_rotation(4, generator(2))
    composed = augment.rotation_matrix(degrees) @ augment.shear_matrix(offdiagonal)
    close(augment.transform(clips, composed), augment.rotate(augment.shear(clips, offdiagonal), degrees))


def test_transform_keeps_float32_under_mixed_precision() -> None:
    """A matrix may be rounded, as it is the same for every joint and frame; coordinates may not."""
    clips = torch.randn(4, 3, 6, 17, 1, generator=generator())
    first, second = torch.rand(2, 4, 3, 3, generator=generator())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        composed = first @ second
        mixed = augment.transform(clips, composed)
    assert composed.dtype == torch.bfloat16
    assert mixed.dtype == torch.float32
    close(mixed, augment.transform(clips, composed.float()))


def test_flip_swaps_hands_and_keeps_coordinates() -> None:
    layout = LAYOUTS["kinect20"]
    left, right = layout.joints.index("left_hand"), layout.joints.index("right_hand")
    clips = torch.randn(2, 3, 4, 20, 2, generator=generator())
    flipped = augment.flip(clips, torch.tensor([True, False]), torch.from_numpy(layout.mirror))
    assert torch.equal(flipped[0, :, :, left], clips[0, :, :, right])
    assert torch.equal(flipped[0, :, :, layout.root], clips[0, :, :, layout.root])
    assert torch.equal(flipped[1], clips[1])


def test_noise_has_the_standard_deviation_of_its_clip() -> None:
    clips = torch.ones(3, 3, 50, 25, 2)
    noisy = augment.noise(clips, torch.tensor([0.0, 0.01, 0.5]), generator())
    assert torch.equal(noisy[0], clips[0])
    std = (noisy - clips).flatten(1).std(1)
    torch.testing.assert_close(std[1:], torch.tensor([0.01, 0.5]), rtol=0.03, atol=0)
    assert (noisy - clips).mean().abs() < 0.01


def test_shear_is_drawn_within_its_amplitude() -> None:
    drawn = augment.draw_shear(20_000, 0.5, generator())
    assert drawn.shape == (20_000, 6)
    assert -0.5 <= drawn.min() < -0.499
    assert 0.499 < drawn.max() <= 0.5
    torch.testing.assert_close(drawn.std(0), torch.full((6,), 1 / 12**0.5), rtol=0.02, atol=0)


def test_rotation_has_one_main_axis() -> None:
    drawn = augment.draw_rotation(20_000, generator())
    assert drawn.min() >= 0
    assert 29.9 < drawn.max() <= 30
    assert (drawn.median(1).values <= 1).all(), "two of three axes turn by a degree at most"
    mains = (drawn > 1).sum(0) / (drawn > 1).sum()
    torch.testing.assert_close(mains, torch.full((3,), 1 / 3), rtol=0.05, atol=0)
    torch.testing.assert_close(drawn[drawn > 1].mean(), torch.tensor(15.5), rtol=0.02, atol=0)


def test_every_axis_is_masked_equally_often() -> None:
    counts = augment.draw_axis(30_000, generator()).bincount()
    torch.testing.assert_close(counts / 30_000, torch.full((3,), 1 / 3), rtol=0.05, atol=0)


def test_a_mirror_keeps_the_body_whole() -> None:
    """Mirrored twice it is itself; once, left is right and x is reversed."""
    clips = torch.randn(3, 3, 4, 25, 2, generator=generator())
    apply = torch.tensor([True, False, True])
    once = augment.reflect(clips, apply, MIRROR)
    assert torch.equal(augment.reflect(once, apply, MIRROR), clips)
    assert torch.equal(once[1], clips[1])
    left, right = LAYOUTS["ntu25"].mirrored[0]
    assert torch.equal(once[0, 0, :, left], -clips[0, 0, :, right])
    assert torch.equal(once[0, 1:, :, left], clips[0, 1:, :, right])


def test_bones_are_scaled_by_part_and_joints_hang_together() -> None:
    layout = LAYOUTS["ntu25"]
    clips = torch.randn(2, 3, 4, 25, 2, generator=generator())
    factors = torch.tensor([[0.9, 1.1, 1.2], [1.0, 0.85, 1.0]])[..., None] * torch.tensor([1.0, 0.5])
    scaled = augment.scale_bones(clips, factors, layout)
    assert torch.equal(scaled[:, :, :, 0], clips[:, :, :, 0])  # the base of the spine stays
    for child, parent, part in (
        (1, 0, 0),
        (20, 1, 0),
        (2, 20, 0),
        (4, 20, 1),
        (6, 5, 1),
        (12, 0, 2),
        (19, 18, 2),
    ):
        bone, before = (each[:, :, :, child] - each[:, :, :, parent] for each in (scaled, clips))
        close(bone, before * factors[:, part, None, None])
