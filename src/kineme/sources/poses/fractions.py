"""Places that are fractions of an image's width and height: different lengths, so bodies are distorted."""

from __future__ import annotations

import numpy as np

from kineme.typing import Array

# Shares of coordinates, at least, if they are fractions: between 0 and 1, not negative, and no pixels. Legs
# below a camera's picture are guessed, beyond 1; what is measured from the middle of a body is half negative.
_INSIDE, _POSITIVE, _SMALL = 0.5, 0.8, 0.99
_PIXELS = 4
DISTORTED = (
    "x and y are fractions of the image's width and height, which have different lengths: bodies would be "
    "distorted"
)
REMEDY = "set `image` to the size of the video, such as 1920x1080 (1x1 if x and y have one length)"


def are_fractions(points: Array) -> bool:
    """Whether places in an image (..., 2 or 3) are fractions of its width and height, and not pixels."""
    seen = points[np.isfinite(points[..., 0])][:, :2]
    if not len(seen):
        return False
    positive = seen >= 0
    inside = (positive & (seen <= 1)).mean() >= _INSIDE
    return bool(inside and positive.mean() >= _POSITIVE and (np.abs(seen) < _PIXELS).mean() >= _SMALL)


def in_pixels(points: Array, size: tuple[float, float]) -> Array:
    """Places (..., 2 or 3), from fractions of an image of (width, height) pixels; others stay."""
    if not are_fractions(points):
        return points
    lengths = np.array([*size, size[0]], dtype=np.float32)[: points.shape[-1]]
    return np.asarray(points * lengths)
