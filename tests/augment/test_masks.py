"""Hidden and corrupted joints and frames: the published sums, counts, and what stays untouched."""

from __future__ import annotations

import pytest
import torch
from golden_fill import load_golden

from kineme import augment
from kineme.layouts import LAYOUTS, Layout

NTU = LAYOUTS["ntu25"]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def chain(joints: int) -> Layout:
    names = [f"joint{i}" for i in range(joints)]
    return Layout.from_names("chain", names, [None, *names[:-1]])


def test_region_sums_agree_with_the_published_program() -> None:
    golden = load_golden("augment_scdnet.npz")
    sums = augment.region_sums(torch.from_numpy(golden["seeds"]), augment.two_hops(NTU))
    assert torch.equal(sums, torch.from_numpy(golden["sums"]).float())


def test_two_hops_counts_walks() -> None:
    assert augment.two_hops(chain(4)).tolist() == [[2, 2, 1, 0], [2, 3, 2, 1], [1, 2, 3, 2], [0, 1, 2, 2]]


def test_a_region_is_the_joints_of_largest_sum_about_its_seeds() -> None:
    """The draw repeated by hand: its seeds come first from the same generator."""
    walks = augment.two_hops(NTU)
    masked = augment.draw_region(500, walks, generator())
    seeds = torch.randint(25, (500, 5), generator=generator())
    sums = augment.region_sums(seeds, walks)
    assert (masked.sum(1) == 8).all()
    least_masked = sums.masked_fill(~masked, torch.inf).amin(1)
    greatest_left = sums.masked_fill(masked, -1).amax(1)
    assert (least_masked >= greatest_left).all()


def test_ties_favour_no_joint() -> None:
    """Joints that cannot be told apart by the tree, the leaves of a star, are masked equally often."""
    star = Layout.from_names("star", [f"joint{i}" for i in range(9)], [None, *["joint0"] * 8])
    masked = augment.draw_region(20_000, augment.two_hops(star), generator()).float().mean(0)
    torch.testing.assert_close(masked[1:], masked[1:].mean().expand(8), rtol=0.05, atol=0)


@pytest.mark.parametrize(
    ("joints", "region", "corrupted"), [(17, 5, 10), (20, 6, 12), (25, 8, 15), (31, 10, 19)]
)
def test_counts_scale_with_the_layout(joints: int, region: int, corrupted: int) -> None:
    masked = augment.draw_region(50, augment.two_hops(chain(joints)), generator())
    assert masked.shape == (50, joints)
    assert (masked.sum(1) == region).all()
    chosen, _ = augment.draw_corruption(50, joints, generator())
    assert chosen.shape == (50, joints)
    assert (chosen.sum(1) == corrupted).all()


def test_masked_joints_are_zero_in_every_frame_and_body() -> None:
    clips = torch.randn(3, 3, 8, 25, 2, generator=generator())
    masked = augment.draw_region(3, augment.two_hops(NTU), generator())
    hidden = augment.mask_joints(clips, masked)
    for clip, result, joints in zip(clips, hidden, masked, strict=True):
        assert (result[:, :, joints] == 0).all()
        assert torch.equal(result[:, :, ~joints], clip[:, :, ~joints])


def test_the_temporal_mask_agrees_with_the_published_program() -> None:
    golden = {name: torch.from_numpy(array) for name, array in load_golden("augment_crop_resize.npz").items()}
    frames = torch.isin(torch.arange(64) // 4, golden["temporal_mask_segments"])
    masked = augment.mask_frames(golden["resized"][1][None], frames[None])[0]
    assert torch.equal(masked, golden["temporal_masked_of_resized_1"])


def test_six_distinct_segments_of_sixteen_are_masked() -> None:
    masked = augment.draw_segments(4000, 64, generator()).view(4000, 16, 4)
    assert (masked.any(2) == masked.all(2)).all(), "a segment is masked whole"
    assert (masked.all(2).sum(1) == 6).all()
    rate = masked.all(2).float().mean(0)
    torch.testing.assert_close(rate, torch.full((16,), 6 / 16), rtol=0.1, atol=0)


@pytest.mark.parametrize("frames", [16, 50, 100])
def test_segments_stretch_with_the_clip(frames: int) -> None:
    masked = augment.draw_segments(500, frames, generator())
    assert masked.shape == (500, frames)
    least, most = 6 * (frames // 16), 6 * -(-frames // 16)
    assert masked.sum(1).min() >= least
    assert masked.sum(1).max() <= most


def test_corruption_maps_its_joints_and_leaves_the_others() -> None:
    clips = torch.randn(40, 3, 8, 25, 2, generator=generator())
    joints, matrix = augment.draw_corruption(40, 25, generator())
    corrupted = augment.corrupt(clips, joints, matrix)
    expected = torch.einsum("nij,njtvm->nitvm", matrix, clips)
    chosen = joints[:, None, None, :, None].expand(clips.shape)
    torch.testing.assert_close(corrupted[chosen], expected[chosen], rtol=1e-5, atol=1e-5)
    assert torch.equal(corrupted[~chosen], clips[~chosen])


def test_half_of_the_corruptions_are_zero_and_half_a_random_matrix() -> None:
    _, matrix = augment.draw_corruption(10_000, 25, generator())
    zero = (matrix == 0).flatten(1).all(1)
    torch.testing.assert_close(zero.float().mean(), torch.tensor(0.5), rtol=0.03, atol=0)
    entries = matrix[~zero]
    assert (entries != 0).flatten(1).any(1).all()
    assert -1 <= entries.min() < -0.999
    assert 0.999 < entries.max() <= 1
    torch.testing.assert_close(entries.std(0), torch.full((3, 3), 1 / 3**0.5), rtol=0.03, atol=0)


def test_every_joint_is_corrupted_equally_often() -> None:
    joints, _ = augment.draw_corruption(10_000, 25, generator())
    torch.testing.assert_close(joints.float().mean(0), torch.full((25,), 0.6), rtol=0.05, atol=0)
