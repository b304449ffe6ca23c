"""Coordinates of any origin → x, y, z with y up, in units that can be compared from clip to clip.

In three dimensions they are metres. In two they are brought to image heights about the middle of the image,
where its size is told; otherwise to body sizes (the longest side of the box about a body's joints, median
over bodies and frames) about the middle of all that the clip shows. z is 0. MediaPipe's landmarks in the
image are treated alike, keeping their z; its world landmarks, which have the hips at the origin, are metres.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from kineme.errors import KinemeError
from kineme.layouts import Layout
from kineme.sources.poses.recorded import Poses
from kineme.sources.poses.tracking import sizes
from kineme.typing import Array

METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001}
AXES = ("y-up", "y-down", "z-up")
_TALL = 10.0  # metres: nobody is
_FRACTIONS = 4.0  # of the image; places in pixels go beyond
_AT_ORIGIN = 0.1  # metres from the origin: world landmarks' hips


@dataclass(frozen=True)
class Coordinates:
    """How a source's coordinates are to be read.

    Attributes:
        axes: one of `AXES`.
        metric: metres times `scale` in three dimensions; otherwise places in an image.
        scale: metres in one of its units.
        image: (width, height) in pixels; None where it is not told.
    """

    axes: str
    metric: bool
    scale: float = 1.0
    image: tuple[int, int] | None = None

    @property
    def units(self) -> str:
        """Of what `__call__` gives."""
        return "metres" if self.metric else "image heights" if self.image else "body sizes"

    def __call__(self, poses: Poses) -> Poses:
        """(T, M, V, 2 or 3) as in the file → (T, M, V, 3) in `units`, y up; joints not found stay NaN.

        Raises:
            ValueError: in what should be metres, bodies are larger than 10.
        """
        points = self._metres(poses.points) if self.metric else self._in_image(poses.points)
        if points.shape[-1] == 2:
            points = np.concatenate([points, 0 * points[..., :1]], axis=-1)  # NaN stays NaN
        x, y, z = np.moveaxis(points, -1, 0)
        if self.axes == "y-down":  # half a turn about x; a mirror would make left hands of right ones
            y, z = -y, -z
        elif self.axes == "z-up":
            y, z = z, -y
        return Poses(np.stack([x, y, z], axis=-1).astype(np.float32), poses.confidence)

    def _metres(self, points: Array) -> Array:
        points = points * self.scale
        size = _median_size(points)
        if size > _TALL:
            raise ValueError(f"shows a body {size:,.0f} metres tall; say --units mm (or cm)")
        return points

    def _in_image(self, points: Array) -> Array:
        if self.image is None:
            seen = points[np.isfinite(points[..., 0])]
            if len(seen) == 0:
                return points
            middle: Array = (np.min(seen, axis=0) + np.max(seen, axis=0)) / 2
            size = _median_size(points)
        else:
            width, size = self.image
            if not (np.abs(points) > _FRACTIONS).any():  # of width and height; MediaPipe's z is like its x
                points = points * np.array([width, size, width][: points.shape[-1]])
            middle = np.array([width / 2, size / 2, 0][: points.shape[-1]])
        result: Array = (points - middle) / max(size, 1e-6)
        return result


def coordinates_of(
    poses: Poses, layout: Layout, axes: str | None, units: str | None, image: tuple[int, int] | None
) -> Coordinates:
    """How the coordinates of a source are to be read, judged by its first clip where the options do not say.

    Raises:
        KinemeError: an option that makes no sense for them.
    """
    flat = poses.points.shape[-1] == 2
    mediapipe = layout.name == "mediapipe33"
    metric = not flat and (units is not None or not mediapipe or _hips_at_origin(poses.points, layout))
    kind = "three-dimensional" if metric else "two-dimensional"
    for option, given, wanted in (("units", units, True), ("image", image, False)):
        if given is not None and wanted != metric:
            raise KinemeError(f"--{option}: these poses are {kind}; leave it out")
    if flat and axes == "z-up":
        raise KinemeError("--axes z-up: these poses are two-dimensional; they have y-up or y-down")
    usual = "y-down" if flat or mediapipe else "y-up"
    return Coordinates(axes or usual, metric, METRES[units or "m"], image)


def image_size(text: str) -> tuple[int, int]:
    """`1920x1080` → (1920, 1080); raises KinemeError."""
    match = re.fullmatch(r"\s*([1-9]\d{0,5})\s*[x×]\s*([1-9]\d{0,5})\s*", text)
    if match is None:
        raise KinemeError(f"--image {text}: write width and height in pixels, such as 1920x1080")
    return int(match[1]), int(match[2])


def _median_size(points: Array) -> float:
    shown = np.isfinite(points[..., 0]).any(axis=-1)
    return float(np.median(sizes(points[shown]))) if shown.any() else 0.0


def _hips_at_origin(points: Array, layout: Layout) -> bool:
    """Whether bodies lie about the origin, as MediaPipe's world landmarks do."""
    middle = points[..., layout.origin, :].mean(axis=-2)
    away = np.linalg.norm(middle[np.isfinite(middle[..., 0])], axis=-1)
    return bool(len(away) and np.median(away) < _AT_ORIGIN)
