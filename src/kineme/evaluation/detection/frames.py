"""A feature for every frame of an untrimmed recording, from windows that an encoder reads, in bounded memory.

Two ways. `tokens`: an encoder with temporal and spatial tokens reads windows that overlap, and gives each
frame the tokens of its time. `centred`: any encoder reads a window centred on a frame, and its clip feature
is that frame's. One batch of windows is in memory at a time; features come out block by block.

USDRL publishes the first way, with windows of 64 frames. The second does better on recordings that were set
aside for choosing (docs/results.md), so it is the default.

Deviation: where windows overlap their tokens are averaged, so that no frame is read at a window's edge alone.
Deviation: a centred window is resized to the frames that its encoder was trained on, all of them read; the
reference evaluation reads every fourth.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from kineme.clips.batches import Clips
from kineme.encoders.absent import encoded as encoded_joints
from kineme.encoders.base import DenseEncoder, Encoder, Features
from kineme.errors import KinemeError, check_between
from kineme.evaluation.options import Kind

STEPS: dict[Kind, int] = {"tokens": 4, "centred": 16}  # to a window, by default


@dataclass(frozen=True)
class Windows:
    """How recordings are cut.

    Attributes:
        kind: `tokens` or `centred`.
        frames: of the recording that a window spans; they are resized to the encoder's.
        step: frames from one window to the next. Tokens of windows that overlap are averaged, those near a
            window's middle weighing most; between two centres features are interpolated.
    """

    kind: Kind
    frames: int
    step: int


def windows_for(encoder: Encoder, kind: Kind, frames: int, step: int | None = None) -> Windows:
    """Windows of so many frames; by default a step is a quarter (tokens) or a sixteenth (centred) of them.

    Raises:
        KinemeError: the encoder has no tokens, or a setting is out of range.
    """
    if kind == "tokens" and not isinstance(encoder, DenseEncoder):
        raise KinemeError(f"{type(encoder).__name__} has no features of frames; set `kind` to centred")
    check_between("`window`", frames, 2)
    step = max(frames // STEPS[kind], 1) if step is None else step
    check_between("`step`", step, 1, frames)
    return Windows(kind, frames, step)


def times(start: Tensor, span: Tensor, frames: int) -> Tensor:
    """(N,) first frames and lengths of windows → (N, T) times of the T frames that they are resized to."""
    return start[:, None] + (torch.arange(frames, device=start.device) + 0.5) * (span[:, None] / frames) - 0.5


def tokens(features: Features) -> Tensor:
    """(N, T', 2·D'): temporal tokens beside the spatial ones, pooled to their number (USDRL)."""
    assert features.temporal is not None
    assert features.spatial is not None
    spatial = F.adaptive_avg_pool1d(features.spatial.mT.float(), features.temporal.shape[1]).mT
    return torch.cat((features.temporal.float(), spatial), dim=2)


def played_frames(frames: int, speed: float) -> int:
    """How many frames a recording has at the same rate when it is played faster, or slower (below 1)."""
    return max(round(frames / speed), 1)


def shown(at: Tensor, speed: float) -> Tensor:
    """Times in a recording that is played at a speed, in frames → times in the recording itself."""
    return (at + 0.5) * speed - 0.5


def frame_features(
    encoder: Encoder, recording: Clips, windows: Windows, *, speed: float = 1.0, batch_size: int = 64
) -> Iterator[Tensor]:
    """Blocks (n, D) that make up the features of all frames of one recording, in order.

    The encoder is in evaluation mode; the blocks are float32, on the CPU. Played at another speed, a
    recording has as many features as it then has frames.
    """
    total = played_frames(int(recording.length), speed)
    last = max(total - windows.frames, 0) if windows.kind == "tokens" else total - 1
    places = torch.arange(0, last + windows.step, windows.step).clamp_max(last)
    before = (windows.frames - 1) / 2 if windows.kind == "centred" else 0.0

    def encoded() -> Iterator[tuple[Tensor, Tensor]]:
        for batch in torch.split(places, batch_size):
            span = torch.full((len(batch),), windows.frames, dtype=torch.float64)
            at = times(batch - before, span, encoder.shape.frames).to(recording.start.device)
            clips = recording[torch.zeros_like(batch)]
            features = encoded_joints(encoder, clips.sample(shown(at, speed)), clips.present)
            yield batch, (tokens(features) if windows.kind == "tokens" else features.clip).float().cpu()

    join = _average if windows.kind == "tokens" else _interpolate
    with torch.inference_mode():
        yield from join(encoded(), total, windows.frames)


def _average(encoded: Iterator[tuple[Tensor, Tensor]], total: int, frames: int) -> Iterator[Tensor]:
    """Tokens (N, T', D) of windows that overlap → blocks of frames, averaged with triangular weights."""
    weight = 1 - (torch.arange(frames) + 0.5 - frames / 2).abs() / (frames / 2 + 0.5)
    pending: Tensor | None = None  # sums of frames that later windows may still add to, weights last
    done = 0
    for starts, batch in encoded:
        spread = F.interpolate(batch.mT, frames, mode="linear").mT if batch.shape[1] != frames else batch
        weighted = torch.cat((spread, torch.ones_like(spread[..., :1])), dim=2) * weight[:, None]
        if pending is None:
            pending = weighted.new_zeros(0, weighted.shape[2])
        reach = int(starts[-1]) + frames - done
        pending = F.pad(pending, (0, 0, 0, reach - len(pending)))
        for start, window in zip(starts.tolist(), weighted, strict=True):
            pending[start - done : start - done + frames] += window
        ready = int(starts[-1]) - done
        yield pending[:ready, :-1] / pending[:ready, -1:]
        pending, done = pending[ready:], done + ready
    assert pending is not None
    yield pending[: total - done, :-1] / pending[: total - done, -1:]


def _interpolate(encoded: Iterator[tuple[Tensor, Tensor]], total: int, frames: int) -> Iterator[Tensor]:
    """Features (N, D) of centres → blocks of frames, linear in between."""
    places = feature = None
    for centres, batch in encoded:
        known = centres if places is None else torch.cat((places, centres))
        values = batch if feature is None else torch.cat((feature, batch))
        at = torch.arange(int(known[0]) + (places is not None), int(known[-1]) + 1)
        right = torch.searchsorted(known, at)
        left = (right - 1).clamp_min(0)
        share = (at - known[left]) / (known[right] - known[left]).clamp_min(1)
        yield torch.lerp(values[left], values[right], share[:, None])
        places, feature = known[-1:], values[-1:]
