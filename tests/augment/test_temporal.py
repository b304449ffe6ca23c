"""Transforms along time: the published programs' values, windows, and what the draws give."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from golden_fill import load_golden

from kineme import augment

GOLDEN = {name: torch.from_numpy(array) for name, array in load_golden("augment_aimclr.npz").items()}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ramp(frames: int) -> torch.Tensor:
    """A clip whose every number is that of its frame."""
    return torch.arange(float(frames)).view(1, 1, frames, 1, 1).expand(1, 3, frames, 5, 1)


def test_pad_crop_agrees_with_the_published_program() -> None:
    clips = GOLDEN["clip"].expand(4, -1, -1, -1, -1)
    assert torch.equal(augment.pad_crop(clips, GOLDEN["crop_start"]), GOLDEN["cropped"])


def test_blur_agrees_with_the_published_program() -> None:
    clips = GOLDEN["clip"].expand(3, -1, -1, -1, -1)
    blurred = augment.blur(clips, GOLDEN["blur_sigma"].float())
    torch.testing.assert_close(blurred, GOLDEN["blurred"], rtol=1e-5, atol=1e-5)


def test_pad_crop_mirrors_the_ends() -> None:
    cropped = augment.pad_crop(ramp(12).expand(3, -1, -1, -1, -1), torch.tensor([0, 2, 4]))[:, 0, :, 0, 0]
    assert cropped[0].tolist() == [1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert cropped[1].tolist() == list(range(12))
    assert cropped[2].tolist() == [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 11, 10]


def test_a_clip_too_short_to_be_padded_stays() -> None:
    start = augment.draw_pad_crop(4, 5, generator())
    assert start.tolist() == [0] * 4
    clips = torch.randn(4, 3, 5, 17, 1, generator=generator())
    assert torch.equal(augment.pad_crop(clips, start), clips)


def test_pad_crop_starts_everywhere_alike() -> None:
    counts = augment.draw_pad_crop(34_000, 50, generator()).bincount()
    assert len(counts) == 17, "0..2p with p = 50 // 6"
    torch.testing.assert_close(counts / 2000, torch.ones(17), rtol=0.1, atol=0)


def test_an_impulse_is_blurred_to_its_kernel() -> None:
    clips = torch.zeros(1, 1, 40, 1, 1)
    clips[:, :, 20] = 1
    blurred = augment.blur(clips, torch.tensor([2.0])).flatten()
    distance = torch.arange(40) - 20
    kernel = torch.exp(-(distance**2) / 8) * (distance.abs() <= 7)
    torch.testing.assert_close(blurred, kernel)


def test_a_clip_shorter_than_the_kernel_is_blurred() -> None:
    blurred = augment.blur(torch.ones(1, 1, 2, 1, 1), torch.tensor([1.0])).flatten()
    torch.testing.assert_close(blurred, torch.full((2,), 1 + torch.tensor(-0.5).exp().item()))


def test_blur_widths_are_uniform() -> None:
    drawn = augment.draw_blur(20_000, generator())
    assert 0.1 <= drawn.min() < 0.101
    assert 1.999 < drawn.max() <= 2
    torch.testing.assert_close(drawn.mean(), torch.tensor(1.05), rtol=0.02, atol=0)


def test_reverse_time_plays_some_clips_backwards() -> None:
    clips = torch.randn(2, 3, 9, 20, 2, generator=generator())
    played = augment.reverse_time(clips, torch.tensor([True, False]))
    assert torch.equal(played[0], clips[0].flip(1))
    assert torch.equal(played[1], clips[1])


@pytest.mark.parametrize("count", [1, 20, 64, 65, 137, 300, 5000])
def test_windows_lie_within_their_clip(count: int) -> None:
    start, length = augment.draw_window(torch.full((20_000,), count), 64, (0.1, 1.0), generator())
    shortest = min(max(int(0.1 * count), 64), count)
    assert length.min() >= shortest
    assert length.max() <= count
    assert start.min() == 0, "every start is possible, the first too"
    assert (start + length).max() == count, "and the last"
    assert (start + length <= count).all()


def test_window_lengths_and_starts_are_uniform() -> None:
    start, length = augment.draw_window(torch.full((50_000,), 1000), 64, (0.1, 1.0), generator())
    torch.testing.assert_close(length.float().mean(), torch.tensor(549.5), rtol=0.01, atol=0)
    assert 100 <= length.min() <= 101
    share = start / (1000 - length).clamp_min(1)
    torch.testing.assert_close(share.mean(), torch.tensor(0.5), rtol=0.01, atol=0)
    # Of windows one frame short of their clip, about half start at each of the two places.
    start, _ = augment.draw_window(torch.full((10_000,), 65), 64, (0.1, 0.2), generator())
    torch.testing.assert_close(start.bincount() / 10_000, torch.full((2,), 0.5), rtol=0.05, atol=0)


def test_windows_are_drawn_for_each_clip_by_its_own_length() -> None:
    clip_frames = torch.tensor([10, 64, 300]).repeat(100)
    start, length = augment.draw_window(clip_frames, 64, (0.1, 1.0), generator())
    assert (length.view(100, 3)[:, :2] == torch.tensor([10, 64])).all()
    assert (start.view(100, 3)[:, :2] == 0).all()
    assert len(length.view(100, 3)[:, 2].unique()) > 50


def test_centre_window_is_the_published_one_at_every_length() -> None:
    frames = torch.arange(1, 20_001)
    start, length = augment.centre_window(frames, 0.95)
    cut = [int(0.05 * count / 2) for count in frames.tolist()]
    assert start.tolist() == cut
    assert torch.equal(length, frames - 2 * start)
    assert (start[136], length[136]) == (3, 131)


def test_centre_window_of_the_whole_is_the_whole() -> None:
    start, length = augment.centre_window(torch.tensor([1, 50, 137]), 1.0)
    assert start.tolist() == [0, 0, 0]
    assert length.tolist() == [1, 50, 137]


def test_few_frames_are_interpolated_as_a_resize_does() -> None:
    times = augment.draw_frames(torch.tensor([3, 5]), 8, generator())
    for length, found in zip((3, 5), times, strict=True):
        expected = [(number + 0.5) * length / 8 - 0.5 for number in range(8)]
        torch.testing.assert_close(found, torch.tensor(expected))


def test_up_to_twice_as_many_frames_lose_single_ones_anywhere() -> None:
    """Of 11 frames 8 are kept: steps of 1 or 2, any frame may be left out, and two never in a row."""
    times = augment.draw_frames(torch.full((4000,), 11), 8, generator())
    assert torch.equal(times, times.round())
    assert set(times.diff(dim=1).unique().tolist()) == {1.0, 2.0}
    assert times.min() == 0
    assert times.max() == 10
    used = torch.stack([(times == frame).any(1).float().mean() for frame in range(11)])
    assert used.min() > 0.6
    assert used.max() < 0.85
    same = augment.draw_frames(torch.tensor([8]), 8, generator())
    assert same[0].tolist() == list(range(8))


def test_many_frames_give_one_of_each_equal_part() -> None:
    """Of 20 frames to 8: parts [i · 20 // 8, (i + 1) · 20 // 8)."""
    times = augment.draw_frames(torch.full((4000,), 20), 8, generator())
    bounds = [number * 20 // 8 for number in range(9)]
    for number, (low, high) in enumerate(pairwise(bounds)):
        frames, counts = times[:, number].unique(return_counts=True)
        assert frames.tolist() == list(range(low, high))
        assert (counts / 4000).tolist() == pytest.approx([1 / (high - low)] * (high - low), abs=0.03)
