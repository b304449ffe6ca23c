"""Poses that are in memory already: arrays, as a source of clips."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from kineme.clips.store import Clip
from kineme.errors import KinemeError
from kineme.layouts import Layout, get_layout
from kineme.preprocessing import MAX_BODIES
from kineme.sources import Source
from kineme.sources.poses.arrays import Poses, check_one_clip, split_columns
from kineme.sources.poses.coordinates import Coordinates, check_sides, coordinates_of, image_size
from kineme.sources.poses.gaps import ever_found, filled
from kineme.sources.poses.tracking import strongest
from kineme.sources.reading import OF_ARRAYS, Reading, check_no_effect
from kineme.typing import Array

FPS = 30.0  # unless the user says


def given_poses(arrays: Sequence[Array], usual: Layout, reading: Reading, *, first: bool = True) -> Source:
    """A source of the clips that are given, read as files of poses are.

    Args:
        arrays: one a clip, (T, V, C) or (T, M, V, C) with C = 2 or 3; NaN where a joint was not found.
        usual: the V joints of all of them, unless `reading` says.
        reading: as the user says.
        first: of a stream; what is said of it need not be said of those that follow.

    Raises:
        KinemeError: an array has another shape, or an option makes no sense for these poses.
    """
    check_no_effect(reading, "arrays", but=OF_ARRAYS)
    told = reading.get("layout")
    layout = get_layout(told) if isinstance(told, str) else told or usual
    scores, fps = reading.get("scores", False), reading.get("fps") or FPS
    clips = [_poses(array, f"array {row}", layout, scores) for row, array in enumerate(arrays)]
    if not clips:
        raise KinemeError("no arrays are given, so there is nothing to embed")
    image = reading.get("image")
    size = image_size(image) if image is not None else None
    coordinates = coordinates_of(clips[0], layout, reading.get("axes"), reading.get("units"), size)
    if first:
        check_sides(clips[0], layout, coordinates)
    return Source(
        name="arrays",
        layout=layout,
        class_names=(),
        fps=fps,
        bodies=MAX_BODIES,
        names=[f"array {row}" for row in range(len(clips))],
        items=range(len(clips)),
        read=partial(_read, clips, layout, fps, coordinates),
        units=coordinates.units,
    )


def _poses(array: Array, name: str, layout: Layout, scores: bool) -> Poses:
    values = np.asarray(array)
    if values.ndim == 3:
        values = values[:, None]
    if values.ndim != 4 or values.shape[3] not in (2, 3) or not len(values) or values.dtype.kind not in "fiu":
        raise KinemeError(
            f"{name}: is {values.dtype} of shape {np.shape(array)}; expected numbers of shape (frames, "
            "joints, 2 or 3) or (frames, bodies, joints, 2 or 3)"
        )
    if values.shape[2] != layout.num_joints:
        raise KinemeError(
            f"{name}: has {values.shape[2]} joints, and layout {layout.name} has {layout.num_joints}; pass "
            "the layout of the array, such as layout='coco17'"
        )
    try:
        points, confidence = split_columns(values.astype(np.float32), scores)
        check_one_clip(points)
    except ValueError as error:
        raise KinemeError(f"{name}: {error}") from error
    return Poses(points, confidence)


def _read(clips: Sequence[Poses], layout: Layout, fps: float, coordinates: Coordinates, row: int) -> Clip:
    try:
        points, confidence = filled(coordinates(strongest(clips[row], MAX_BODIES)), layout, fps)
    except ValueError as error:
        raise KinemeError(f"array {row}: {error}") from error
    return Clip(f"array {row}", points, present=ever_found(confidence))
