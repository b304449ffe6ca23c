"""Ragged clips → batches: crop and resize agree with the published programs; no clip leaks into another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from golden_fill import load_golden
from torch import Tensor

from kineme.augment import centre_window
from kineme.clips import batches
from kineme.clips.batches import Clips, resident
from kineme.clips.store import Clip, ClipStore, Manifest
from kineme.clips.writer import StoreWriter
from kineme.layouts import LAYOUTS
from kineme.preprocessing import get_preprocessing

GOLDEN = {name: torch.from_numpy(np.asarray(a)) for name, a in load_golden("augment_crop_resize.npz").items()}


def ragged(*clips: Tensor) -> Clips:
    """Clips (C, T, V, M) of any lengths, one after another as a store holds them."""
    length = torch.tensor([clip.shape[1] for clip in clips])
    frames = torch.cat([clip.permute(1, 3, 2, 0) for clip in clips])
    return Clips(frames, length.cumsum(0) - length, length)


def clip_of(frames: int, seed: int, joints: int = 25, bodies: int = 2) -> Tensor:
    return torch.randn(3, frames, joints, bodies, generator=torch.Generator().manual_seed(seed))


def close(result: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-5)


def golden_clip() -> Tensor:
    return GOLDEN["clip"][:, : int(GOLDEN["frames"])]


def test_windows_agree_with_the_published_program() -> None:
    start, length = GOLDEN["window_start_length"].unbind(1)
    clips = ragged(clip_of(40, 1), golden_clip(), clip_of(10, 2))[torch.tensor([1, 1, 1])]
    close(clips.resize(64, start, length), GOLDEN["resized"])


def test_a_short_clip_is_stretched_as_in_the_published_program() -> None:
    close(ragged(golden_clip()[:, :37]).resize(64)[0], GOLDEN["resized_37_frames"])


@pytest.mark.parametrize(("fraction", "name"), [(0.95, "centre_95"), (1.0, "centre_100")])
def test_centre_crops_agree_with_the_published_program(fraction: float, name: str) -> None:
    clips = ragged(golden_clip())
    close(clips.resize(64, *centre_window(clips.length, fraction))[0], GOLDEN[name])


@pytest.mark.parametrize("frames", [1, 2, 31, 64, 65, 300])
def test_every_length_agrees_with_bilinear_interpolation(frames: int) -> None:
    clip = clip_of(frames, 3, joints=17, bodies=1)
    image = clip.reshape(1, 3, frames, 17)
    expected = torch.nn.functional.interpolate(image, (64, 17), mode="bilinear", align_corners=False)
    close(ragged(clip).resize(64), expected[..., None])


def test_a_ragged_batch_is_its_clips_one_by_one() -> None:
    clips = [clip_of(frames, seed) for seed, frames in enumerate((5, 64, 1, 137))]
    together = ragged(*clips).resize(50)
    assert together.shape == (4, 3, 50, 25, 2)
    for result, clip in zip(together, clips, strict=True):
        assert torch.equal(result, ragged(clip).resize(50)[0])


def test_a_window_of_the_wanted_length_comes_out_as_it_is() -> None:
    clips = ragged(clip_of(9, 0), clip_of(50, 1), clip_of(80, 2))[1:]
    resized = clips.resize(50, torch.tensor([0, 30]), torch.tensor([50, 50]))
    assert torch.equal(resized[0], clip_of(50, 1))
    assert torch.equal(resized[1], clip_of(80, 2)[:, 30:])


def test_neighbouring_clips_do_not_leak_in() -> None:
    """Clips stand end to end in memory; a constant one between others stays constant when resized."""
    constant = torch.full((3, 11, 25, 2), 5.0)
    clips = ragged(torch.full((3, 7, 25, 2), 1e6), constant, torch.full((3, 7, 25, 2), -1e6))
    for frames in (3, 11, 64):
        assert (clips[1:2].resize(frames) == 5).all()


def test_an_index_repeats_and_reorders_clips_without_copying_frames() -> None:
    clips = ragged(clip_of(5, 0), clip_of(8, 1), clip_of(3, 2))
    picked = clips[torch.tensor([2, 0, 2])]
    assert len(picked) == 3
    assert picked.frames is clips.frames
    assert picked.length.tolist() == [3, 5, 3]
    resized = picked.resize(6)
    assert torch.equal(resized[0], resized[2])
    assert torch.equal(resized[1], clips.resize(6)[0])


def test_resident_clips_are_the_rows_of_the_store(tmp_path: Path) -> None:
    layout = LAYOUTS["ntu25"]
    manifest = Manifest(layout, get_preprocessing("plain"), source="test")
    clips = [clip_of(frames, seed) for seed, frames in enumerate((4, 6, 9))]
    with StoreWriter(tmp_path / "store", manifest, bodies=2) as writer:
        for i, clip in enumerate(clips):
            writer.add(Clip(f"clip{i}", clip.permute(1, 3, 2, 0).numpy()))
    store = ClipStore(tmp_path / "store")
    assert len(resident(store)) == 3
    chosen = resident(store, np.array([2, 0]))
    assert chosen.bodies == 2
    assert chosen.length.tolist() == [9, 4]
    assert torch.equal(chosen[:1].resize(9)[0], clips[2])
    assert torch.equal(chosen[1:].resize(4)[0], clips[0])


def test_recordings_are_cut_into_windows_half_over_one_another() -> None:
    windows = ragged(clip_of(10, 1), clip_of(3, 2), clip_of(11, 3), clip_of(4, 4)).windows(4)
    assert windows.start.tolist() == [0, 2, 4, 6, 10, 13, 15, 17, 19, 20, 24]
    assert windows.length.tolist() == [4, 4, 4, 4, 3, 4, 4, 4, 4, 4, 4]


def test_windows_share_the_frames_of_their_recordings() -> None:
    recording = clip_of(10, 1)
    clips = ragged(recording)
    windows = clips.windows(4)
    assert windows.frames is clips.frames
    close(windows.resize(4)[1], recording[:, 2:6])


def test_windows_of_one_frame_are_frames() -> None:
    assert ragged(clip_of(5, 1)).windows(1).start.tolist() == [0, 1, 2, 3, 4]


def test_clips_can_be_seen_at_any_time_and_stand_still_beyond_their_ends() -> None:
    first, second = clip_of(6, 1), clip_of(4, 2)
    at = torch.tensor([[-3.0, 0.0, 1.25], [2.5, 3.0, 99.0]])
    sampled = ragged(first, second).sample(at)
    close(sampled[0], torch.stack([first[:, 0], first[:, 0], 0.75 * first[:, 1] + 0.25 * first[:, 2]], dim=1))
    close(sampled[1], torch.stack([second[:, 2:].mean(1), second[:, 3], second[:, 3]], dim=1))


def test_frames_that_fill_half_of_the_free_memory_stay_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (800, 1000))
    fits = [batches._fits((frames, 1, 1, 1), torch.device("cuda")) for frames in (100, 101)]  # 4 bytes each
    assert fits == [True, False]
    assert not batches._fits((1, 1, 1, 1), torch.device("cpu"))
