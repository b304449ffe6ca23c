"""One clip at a time, (T, M, V, C) in NumPy: what `kineme.augment` does to whole batches.

Draws are the batch's: a plain form draws what the fast one draws, in the same order, and takes one row for
each clip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from kineme.augment.temporal import BLUR_REACH
from kineme.clips.batches import Clips
from kineme.encoders import ClipShape
from kineme.typing import Array

Out = TypeVar("Out")


def padded(clips: Clips) -> Array:
    """(N, longest, M, V, C): every clip, with zeros after its end."""
    frames = clips.held.numpy()
    result = np.zeros((len(clips), int(clips.length.max()), *frames.shape[1:]), dtype=np.float32)
    for n, (start, length) in enumerate(zip(clips.start.tolist(), clips.length.tolist(), strict=True)):
        result[n, :length] = frames[start : start + length]
    return result


def each(*draws: Tensor) -> Iterator[tuple[Any, ...]]:
    """The draws of one clip after the other."""
    return zip(*(draw.numpy() for draw in draws), strict=True)


def view(augmented: list[Array], shape: ClipShape) -> Tensor:
    """Clips (T, M, V, C) → one view (N, C, T, V, M) in the encoder's stream."""
    return torch.stack([as_input(clip, shape) for clip in augmented])


def as_input(clip: Array, shape: ClipShape) -> Tensor:
    """(T, M', V, C) → (C, T, V, M) in the stream, absent bodies zero."""
    full = np.zeros((len(clip), shape.bodies, *clip.shape[2:]), dtype=np.float32)
    full[:, : clip.shape[1]] = clip
    return torch.from_numpy(stream(full, shape).transpose(3, 0, 2, 1).copy())


def stream(clip: Array, shape: ClipShape) -> Array:
    """Joints, bones or motion; of several streams the joints."""
    result = clip.copy()
    if shape.stream == "bone":
        for joint, parent in enumerate(shape.layout.parents):
            result[:, :, joint] = clip[:, :, joint] - clip[:, :, parent if parent >= 0 else joint]
    if shape.stream == "motion":
        result[:-1] = clip[1:] - clip[:-1]
        result[-1] = 0
    return result


def sample(clip: Array, at: Array, length: int) -> Array:
    """The clip's frames at times between 0 and its length, linearly interpolated."""
    result = []
    for time in np.clip(at, 0, length - 1).astype(np.float32):
        low = int(time)
        high = min(low + 1, length - 1)
        result.append(clip[low] + (time - low) * (clip[high] - clip[low]))
    return np.stack(result)


def resize(clip: Array, start: int, length: int, frames: int) -> Array:
    """A window of the clip, resampled to so many frames."""
    at = (np.arange(frames, dtype=np.float32) + 0.5) * np.float32(length / frames) - 0.5
    return sample(clip[start:], at, int(length))


def pad_crop(clip: Array, start: int) -> Array:
    """A window of the clip's length, of the clip with a sixth of it mirrored at each end."""
    frames, pad = len(clip), len(clip) // 6
    longer = np.concatenate([clip[:pad][::-1], clip, clip[frames - pad :][::-1]])
    return longer[start : start + frames]


def linear(clip: Array, matrix: Array) -> Array:
    """x' = A x."""
    moved: Array = clip @ matrix.T
    return moved


def shear(entries: Array) -> Array:
    """(3, 3) from S01, S10, S20, S02, S12, S21."""
    s01, s10, s20, s02, s12, s21 = entries
    return np.array([[1, s01, s02], [s10, 1, s12], [s20, s21, 1]], dtype=np.float32)


def rotation(degrees: Array) -> Array:
    """(3, 3): about x, then y, then z, clockwise."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(np.deg2rad(-degrees)), np.sin(np.deg2rad(-degrees))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    turned: Array = (about_z @ about_y @ about_x).astype(np.float32)
    return turned


def blur(clip: Array, sigma: float) -> Array:
    """The sum of neighbouring frames with Gaussian weights."""
    result = np.zeros_like(clip)
    for t in range(len(clip)):
        for other in range(max(0, t - BLUR_REACH), min(len(clip), t + BLUR_REACH + 1)):
            result[t] += np.float32(np.exp(-((other - t) ** 2) / (2 * sigma**2))) * clip[other]
    return result


def without_axis(clip: Array, axis: int) -> Array:
    """One coordinate zero."""
    result = clip.copy()
    result[..., axis] = 0
    return result


def by_clip(transform: Callable[..., Out], clips: Array, *draws: Tensor) -> list[Out]:
    """The transform of each clip with its own draws."""
    return [transform(clip, *drawn) for clip, drawn in zip(clips, each(*draws), strict=True)]
