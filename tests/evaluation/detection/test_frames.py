"""Features of frames: each frame's come from windows about it, in any blocks, at the ends too."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from kineme.clips.batches import Clips
from kineme.encoders import STTR, ClipShape, DenseEncoder, Disentangled, Encoder, Features
from kineme.evaluation.detection.frames import Windows, frame_features, played_frames, tokens
from kineme.layouts import Layout

STICK = Layout.from_names("stick", ["hip", "neck", "hand"], [None, "hip", "neck"])
SHAPE = ClipShape(STICK, 8, 1)


class Clock(DenseEncoder):
    """Tells the time: joint 0's x is the number of the frame, and so is every feature."""

    def __init__(self) -> None:
        super().__init__()
        self.shape, self.dim, self.hidden = SHAPE, 2, 1
        self.seen: list[int] = []

    def forward(self, clips: Tensor) -> Features:
        self.seen.append(len(clips))
        time = clips[:, 0, :, 0, 0]
        middle = time.mean(dim=1, keepdim=True).expand(-1, 2)
        return Features(middle, time[..., None], time[..., None])


def recording(frames: int) -> Clips:
    """One recording, second of two, in which joint 0 moves one unit per frame."""
    xyz = torch.zeros(5 + frames, 1, 3, 3)
    xyz[:5] = 1000.0
    xyz[5:, 0, 0, 0] = torch.arange(frames)
    return Clips(xyz, torch.tensor([5]), torch.tensor([frames]))


def features(encoder: Encoder, frames: int, windows: Windows, batch_size: int = 64) -> Tensor:
    return torch.cat(list(frame_features(encoder, recording(frames), windows, batch_size=batch_size)))


@pytest.mark.parametrize("frames", [8, 9, 15, 16, 17, 40])
@pytest.mark.parametrize("step", [1, 3, 8])
def test_each_frame_has_the_token_of_its_time(frames: int, step: int) -> None:
    found = features(Clock(), frames, Windows("tokens", 8, step))[:, 0]
    torch.testing.assert_close(found, torch.arange(float(frames)))


def test_tokens_are_spread_where_a_window_has_more_frames_than_the_encoder() -> None:
    found = features(Clock(), 64, Windows("tokens", 16, 4))[:, 0]
    inside = slice(1, -1)
    # A window's first token stands for two frames and is their mean: its weight is small, but not nothing.
    torch.testing.assert_close(found[inside], torch.arange(64.0)[inside], atol=0.1, rtol=0)


@pytest.mark.parametrize("step", [1, 3, 4])
def test_a_centred_window_has_its_frame_in_the_middle(step: int) -> None:
    found = features(Clock(), 40, Windows("centred", 8, step))[:, 0]
    inside = slice(6, -8)  # from the first to the last centre whose window lies inside
    torch.testing.assert_close(found[inside], torch.arange(40.0)[inside])
    # At the start half the window stands still: frames 0, 0, 0, 0, 1, 2, 3, 4 without the half frame shared.
    assert found[0] == pytest.approx(np.mean([0, 0, 0, 0, 0.5, 1.5, 2.5, 3.5]))


@pytest.mark.parametrize("kind", ["tokens", "centred"])
@pytest.mark.parametrize("frames", [1, 2, 7, 8, 9, 50])
def test_blocks_of_any_size_make_the_same_features(kind, frames: int) -> None:
    torch.manual_seed(0)
    encoder = STTR(SHAPE, hidden=8).eval()
    whole = features(encoder, frames, Windows(kind, 8, 2))
    assert whole.shape == (frames, 16)
    torch.testing.assert_close(features(encoder, frames, Windows(kind, 8, 2), batch_size=3), whole)


@pytest.mark.parametrize("speed", [0.5, 0.7, 1.4, 2.0])
def test_a_recording_can_be_played_at_another_speed(speed: float) -> None:
    windows = Windows("tokens", 8, 4)
    found = torch.cat(list(frame_features(Clock(), recording(42), windows, speed=speed)))[:, 0]
    assert len(found) == played_frames(42, speed) == round(42 / speed)
    inside = slice(2, -2)
    # The first frame shows the first `speed` frames of the recording, and stands for the middle of them.
    expected = (torch.arange(len(found)) + 0.5) * speed - 0.5
    torch.testing.assert_close(found[inside], expected[inside])


def test_no_more_windows_than_a_batch_are_read_at_once() -> None:
    clock = Clock()
    features(clock, 100, Windows("centred", 8, 1), batch_size=16)
    assert clock.seen == [16] * 6 + [4]


def test_where_windows_overlap_the_one_nearer_its_middle_weighs_more() -> None:
    class Window(Clock):
        """Every token is its window's first frame."""

        def forward(self, clips: Tensor) -> Features:
            first = clips[:, 0, :1, 0, 0, None].expand(-1, 8, 1)
            return Features(first[:, 0], first, first)

    found = features(Window(), 12, Windows("tokens", 8, 4))[:, 0]
    assert found[:4].tolist() == [0.0] * 4
    assert found[8:].tolist() == [4.0] * 4
    # Frames 4 to 7 fall from weight 4 to 1 (of 4.5) in the first window and rise from 1 to 4 in the second.
    torch.testing.assert_close(found[4:8], 4 * torch.tensor([1.0, 2.0, 3.0, 4.0]) / 5)


def test_dense_features_are_temporal_tokens_beside_pooled_spatial_ones() -> None:
    temporal, spatial = torch.randn(2, 4, 3), torch.randn(2, 6, 3)
    dense = tokens(Features(torch.zeros(2, 6), temporal, spatial))
    torch.testing.assert_close(dense[..., :3], temporal)
    # Adaptively: 6 tokens to 4, of 0..1, 1..2, 3..4, 4..5.
    expected = torch.stack([spatial[:, a : a + 2].mean(dim=1) for a in (0, 1, 3, 4)], dim=1)
    torch.testing.assert_close(dense[..., 3:], expected)


@pytest.mark.parametrize("build", [STTR, Disentangled])
def test_every_dense_encoder_gives_a_feature_of_its_width_a_frame(build) -> None:
    options = {"hidden": 16} if build is STTR else {"hidden": 16, "heads": 2, "stem": (8,)}
    encoder = build(SHAPE, **options).eval()
    for kind in ("tokens", "centred"):
        found = features(encoder, 20, Windows(kind, 16, 4))
        assert found.shape == (20, encoder.dim)
        assert len(found.unique(dim=0)) == 20  # no two frames have the same
