"""Coordinates of poses: y up, in comparable units.

In three dimensions the units are metres; which unit a file has is what the user says, else what the file
says, else guessed from the first body (BVH), else metres. A guess that makes another file's body a dwarf or
a giant is replaced by that file's own. Which way is up is guessed in the same order from head and feet, where
a format leaves it open (TRC, C3D, BVH). In two dimensions the units are image heights relative to the centre
of the image, if its size is known; otherwise body sizes (the longest side of the joints' bounding box,
median over bodies and frames) relative to the centre of everything in the clip, with z = 0. Fractions of the
image's width and height are refused without its size, as bodies would be distorted. MediaPipe's image
landmarks are treated alike, keeping their z; its world landmarks, which have the hips at the origin, are
metres.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, replace

import numpy as np

from kineme.errors import KinemeError
from kineme.layouts import Layout
from kineme.sources.poses.arrays import STANDING, Poses
from kineme.sources.poses.body import HIGH, LOW, guessed_scale, mirrored, stature, tallest, upright
from kineme.sources.poses.fractions import DISTORTED, REMEDY, are_fractions, in_pixels
from kineme.sources.poses.tracking import sizes
from kineme.sources.raw import RemediedError
from kineme.typing import Array

logger = logging.getLogger(__name__)

METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001, "in": 0.0254}
ABOVE, FROM_ABOVE = "above", " from above"  # the image is of the floor; so end its units
_LEFT_HANDED = {"unity": "y-up", "unreal": "z-up"}  # mirror images of these, as game engines write them
# Which axes of the file, and with which sign, become x, y and z. Rotations, as a mirror image would swap left
# and right; but left-handed coordinates are mirrored already. What points down in an image from above points
# backwards on the floor.
_TURNS = {
    "y-up": ((0, 1), (1, 1), (2, 1)),
    "y-down": ((0, 1), (1, -1), (2, -1)),
    "z-up": ((0, 1), (2, 1), (1, -1)),
    "z-down": ((0, 1), (2, -1), (1, 1)),
    "x-up": ((1, -1), (0, 1), (2, 1)),
    "x-down": ((1, 1), (0, -1), (2, 1)),
    "unity": ((0, 1), (1, 1), (2, -1)),
    "unreal": ((0, 1), (2, 1), (1, 1)),
    ABOVE: ((0, 1), (2, 1), (1, 1)),
}
AXES = tuple(_TURNS)
_OF_IMAGES = ("y-up", "y-down", ABOVE)
_OF_FILES = ("y-up", "y-down", "z-up")  # that a body is trusted to tell: along another axis it may lie
_TALL = 10.0  # metres; taller bodies have other units
_PERSON = 1.7  # metres
_STANDS = ("y-up", "z-up")
_AT_ORIGIN = 0.1  # metres from the origin to the hips of world landmarks


@dataclass(frozen=True)
class Coordinates:
    """The coordinate system of a source's files."""

    axes: str  # one of `AXES`
    metric: bool  # three-dimensional; otherwise positions in an image
    scale: float | None = None  # metres per unit; None: what each file says, else metres
    image: tuple[int, int] | None = None  # (width, height) in pixels; None if unknown
    mediapipe: bool = False  # the joints are MediaPipe's, which programs write in metres and in the image
    rig: Layout | None = None  # where `scale` is guessed from the first body; files may differ in their unit

    @property
    def units(self) -> str:
        """Of the result."""
        if self.metric:
            return "metres"
        return ("image heights" if self.image else "body sizes") + (FROM_ABOVE if self.axes == ABOVE else "")

    def __call__(self, poses: Poses) -> Poses:
        """(T, M, V, 2 or 3) as in the file → (T, M, V, 3) in `units`, y up; missing joints stay NaN.

        Raises:
            ValueError: bodies are more than 10 metres tall, or places are fractions of an image whose size is
                unknown.
        """
        self._check_kind(poses)
        scale = self._scale(poses)
        points = self._metres(poses.points, scale) if self.metric else self._in_image(poses.points)
        if points.shape[-1] == 2:
            points = np.concatenate([points, 0 * points[..., :1]], axis=-1)  # NaN stays NaN
        turned = np.stack([sign * points[..., axis] for axis, sign in _TURNS[self.axes]], axis=-1)
        return Poses(turned.astype(np.float32), poses.confidence)

    def _scale(self, poses: Poses) -> float:
        """Metres per unit; a guess gives way to what the file says, and to its body."""
        if self.rig is None or self.scale is None:
            return self.scale or poses.scale or 1.0
        if poses.scale is not None:
            return poses.scale
        tall = stature(poses.points, self.rig) * self.scale
        if np.isnan(tall) or LOW <= tall <= HIGH:
            return self.scale
        return guessed_scale(poses.points, self.rig)[0]

    def _check_kind(self, poses: Poses) -> None:
        """Refuses a clip in the image where the first one was in metres, and the other way round."""
        if not self.metric and poses.scale is not None:
            raise RemediedError("is in metres, the first clip in the image", "make two stores")
        told = self.scale is not None or poses.scale is not None
        if self.metric and self.mediapipe and not told and are_fractions(poses.points):
            raise RemediedError("has fractions of an image, and the first clip metres", "make two stores")

    def _metres(self, given: Array, scale: float) -> Array:
        points: Array = given * scale
        size = _median_size(points)
        if size > _TALL:
            tall = f"has a body {size:,.0f} metres tall"
            third = points[..., 2][np.isfinite(points[..., 2])] / scale
            if ((third >= 0) & (third <= 1)).all() and third.any():
                raise RemediedError(
                    f"{tall}, and no third number above 1", "set `scores`, if it is a confidence"
                )
            raise RemediedError(tall, f"set `units` to {_likely_unit(size / scale)}")
        return points

    def _in_image(self, points: Array) -> Array:
        if self.image is None:
            if are_fractions(points):
                raise RemediedError(DISTORTED, REMEDY)
            seen = points[np.isfinite(points[..., 0])]
            if len(seen) == 0:
                return points
            middle: Array = (np.min(seen, axis=0) + np.max(seen, axis=0)) / 2
            size = _median_size(points)
        else:
            width, size = self.image
            points = in_pixels(points, self.image)  # MediaPipe's z is like its x
            middle = np.array([width / 2, size / 2, 0][: points.shape[-1]])
        result: Array = (points - middle) / max(size, 1e-6)
        return result


def coordinates_of(
    poses: Poses, layout: Layout, axes: str | None, units: str | None, image: tuple[int, int] | None
) -> Coordinates:
    """The coordinate system of a source, guessed from its first clip where the options do not say.

    Raises:
        KinemeError: an option is invalid, or makes no sense for these poses.
    """
    if axes is not None and axes not in AXES:
        raise KinemeError(f"`axes`: is {axes}; it must be one of {', '.join(AXES)}")
    scale = None if units is None else metres_per_unit(units)
    flat = poses.points.shape[-1] == 2
    mediapipe = is_mediapipe(layout)
    said = image is not None or axes == "y-down"  # as only places in an image are
    metric = not flat and (units is not None or not _in_image(poses, layout, mediapipe, said))
    if metric and mediapipe and poses.axes is None and not _hips_at_origin(poses.points, layout):
        poses = replace(poses, axes=STANDING)  # landmarks of several cameras, such as FreeMoCap's
    kind = "three-dimensional" if metric else "two-dimensional"
    for option, given, wanted in (("units", units, True), ("image", image, False)):
        if given is not None and wanted != metric:
            raise KinemeError(f"`{option}`: these poses are {kind}; leave it out")
    if not metric and image is None and are_fractions(poses.points):
        metres = "" if flat or mediapipe else ", or `units` to m if these are metres"
        raise KinemeError(f"`image`: not given, and in the first clip {DISTORTED}; {REMEDY}{metres}")
    if flat and axes is not None and axes not in _OF_IMAGES:
        use = "use y-up, y-down or above"
        raise KinemeError(f"`axes`: is {axes}, but these poses are two-dimensional; {use}")
    if not flat and axes == ABOVE:
        raise KinemeError("`axes`: is above, but these poses have a depth; use y-up, z-up or another")
    rig = layout if metric and scale is None and poses.scale is None and poses.axes == STANDING else None
    if rig is not None:
        scale = _guessed_units(poses, rig)
    chosen = axes or _axes(poses, layout, usual_axes(layout, poses.points.shape[-1]))
    return Coordinates(chosen, metric, scale, image, mediapipe, rig)


def usual_axes(layout: Layout, columns: int) -> str:
    """What is assumed of a layout's poses in 2 or 3 dimensions that do not say which axis is up."""
    return "y-down" if columns == 2 or is_mediapipe(layout) else "y-up"


def is_mediapipe(layout: Layout) -> bool:
    """Whether it is a layout of MediaPipe, or a part of one."""
    return layout.name.startswith(("mediapipe33", "holistic75"))


def metres_per_unit(units: str) -> float:
    """`mm` → 0.001; a number of metres stays. Raises KinemeError."""
    if units in METRES:
        return METRES[units]
    try:
        scale = float(units)
    except ValueError:
        scale = 0.0
    if not 1e-6 < scale < 1e3:
        known = ", ".join(METRES)
        raise KinemeError(
            f"`units`: is {units}; it must be one of {known}, or the metres of a unit such as 0.0564"
        )
    return scale


def _likely_unit(size: float) -> str:
    """The unit in which a body of this size is nearest to a person."""
    return min(METRES, key=lambda unit: abs(np.log(size * METRES[unit] / _PERSON)))


def _guessed_units(poses: Poses, layout: Layout) -> float:
    scale, name = guessed_scale(poses.points, layout)
    size = (tallest(poses.points) or 0.0) * scale
    logger.info(
        "the unit is taken to be %s, as the body then measures about %.2f m; set `units` if that is wrong",
        name,
        size,
    )
    return scale


def _axes(poses: Poses, layout: Layout, usual: str) -> str:
    """What the format fixes; else as the body stands, where its files differ; else as usual."""
    if poses.axes in AXES:
        return str(poses.axes)
    found = upright(poses.points, layout)
    if poses.axes == STANDING:
        chosen = found if found in _OF_FILES else usual
        if found not in _OF_FILES:
            logger.info(
                "the vertical axis is not clear from the body; %s is assumed, set `axes` if that is wrong",
                chosen,
            )
        elif chosen != usual:
            logger.info("bodies stand %s; set `axes` if that is wrong", chosen)
        return chosen
    if found not in (None, usual) and (poses.points.shape[-1] == 3 or found in _OF_IMAGES):
        logger.warning(
            "%s is assumed, but heads are above feet as in %s; set `axes` to say which", usual, found
        )
    return usual


def check_sides(poses: Poses, layout: Layout, coordinates: Coordinates) -> None:
    """Warns of bodies that would be mirror images."""
    axes = coordinates.axes
    left_handed = axes in _LEFT_HANDED
    if not coordinates.metric or mirrored(poses.points, layout) in (None, left_handed):
        return
    if left_handed:
        logger.warning(
            "as in %s, toes or noses would point backwards, with left and right swapped; set `axes` to %s",
            axes,
            _LEFT_HANDED[axes],
        )
        return
    logger.warning(
        "toes or noses point backwards, so left and right are swapped: in the joints' names, or because the "
        "coordinates are left-handed; then set `axes` to unity, or to unreal where z is up"
    )


def image_size(text: str) -> tuple[int, int]:
    """`1920x1080` → (1920, 1080); raises KinemeError."""
    match = re.fullmatch(r"\s*([1-9]\d{0,5})\s*[x×]\s*([1-9]\d{0,5})\s*", text)
    if match is None:
        raise KinemeError(f"`image`: is {text}; it must be width and height in pixels, such as 1920x1080")
    return int(match[1]), int(match[2])


def _in_image(poses: Poses, layout: Layout, mediapipe: bool, said: bool) -> bool:
    """Whether three numbers a joint are a place in an image and MediaPipe's depth, whatever the layout."""
    if poses.scale is not None or poses.axes == STANDING:
        return False
    if mediapipe:
        if are_fractions(poses.points):
            return True
        stands = not said and upright(poses.points, layout) in _STANDS
        return not stands and not _hips_at_origin(poses.points, layout)
    small = _median_size(poses.points) <= 1  # as a fraction; a person in metres is taller
    return small and are_fractions(poses.points) and upright(poses.points, layout) == "y-down"


def _median_size(points: Array) -> float:
    shown = np.isfinite(points[..., 0]).any(axis=-1)
    return float(np.median(sizes(points[shown]))) if shown.any() else 0.0


def _hips_at_origin(points: Array, layout: Layout) -> bool:
    """Whether bodies are centred at the origin, as MediaPipe's world landmarks are."""
    middle = points[..., layout.origin, :].mean(axis=-2)
    away = np.linalg.norm(middle[np.isfinite(middle[..., 0])], axis=-1)
    return bool(len(away) and np.median(away) < _AT_ORIGIN)
