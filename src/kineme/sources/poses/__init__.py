"""People's own pose data: files of one clip each, and the output of pose estimators.

recordings.py    the files of each clip, and its label
arrays.py, tables.py, documents.py    NumPy, CSV and JSON
tracking.py      people found in each frame → bodies with a fixed place each
coordinates.py   y up, comparable units, gaps filled
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from kineme.clips.store import Clip
from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS, Layout, canonical_joint, get_layout
from kineme.preprocessing import MAX_BODIES
from kineme.sources import Source
from kineme.sources.poses.arrays import MAX_ARRAY_BYTES, Detections, Poses, npy_poses, npz_poses
from kineme.sources.poses.coordinates import Coordinates, coordinates_of, filled, image_size
from kineme.sources.poses.documents import (
    MAX_FRAME_BYTES,
    MAX_JSON_BYTES,
    json_poses,
    openpose,
    openpose_frame,
)
from kineme.sources.poses.recordings import Recording, find_recordings
from kineme.sources.poses.tables import MAX_CSV_BYTES, csv_poses
from kineme.sources.poses.tracking import strongest, tracked
from kineme.sources.raw import RawFile

_FPS = 30.0  # if neither the user nor a file says
_REMEDY = "mend the file, or set `skip_bad` to leave it out"
# (program, joints, coordinates) → layout, if unambiguous
_LAYOUTS = {
    ("openpose", 25, 2): "openpose25",
    ("coco", 17, 2): "coco17",
    ("", 17, 2): "coco17",
    **{(program, 33, columns): "mediapipe33" for program in ("mediapipe", "") for columns in (2, 3)},
}


def open_poses(
    raw: Path,
    *,
    layout: str | None = None,
    fps: float | None = None,
    axes: str | None = None,
    units: str | None = None,
    image: str | None = None,
    scores: bool = False,
) -> Source:
    """The clips of a folder, zip or file of poses, sorted by name.

    Layout and coordinates are guessed from the first readable clip where the options do not say; the others
    must be alike.

    Args:
        raw: the files.
        layout: built-in name or layout file; by default what the files say unambiguously.
        fps: frames per second; by default what the files say, else 30.
        axes: `y-up`, `y-down` or `z-up`; by default y-up in three dimensions, y-down in two and
            for MediaPipe.
        units: `m`, `cm` or `mm`, in three dimensions; by default m.
        image: width and height such as `1920x1080`, of poses in an image.
        scores: the last of three numbers is a confidence and not z, in arrays and tables without a header.

    Raises:
        KinemeError: there are no poses, no clip can be read, the layout is ambiguous, or an option is invalid
            or makes no sense for these poses.
    """
    if fps is not None and not 0 < fps < 1e4:
        raise KinemeError(f"`fps`: is {fps}; it must be frames per second, such as 30")
    size = image_size(image) if image is not None else None
    named = get_layout(layout) if layout is not None else None
    recordings, classes, rate = find_recordings(raw, fps)
    first, joints = _first_poses(recordings, scores, named)
    coordinates = coordinates_of(first, joints, axes, units, size)
    rate = rate or _FPS
    return Source(
        name=raw.resolve().stem,
        layout=joints,
        class_names=classes,
        fps=rate,
        bodies=MAX_BODIES,
        names=[recording.name for recording in recordings],
        items=recordings,
        read=_Reader(joints, rate, coordinates, first.points.shape[-1], scores),
        costly=True,
        confidence=first.confidence is not None,
        units=coordinates.units,
    )


@dataclass(frozen=True)
class _Reader:
    """Recording → clip of at most MAX_BODIES bodies, y up, without gaps."""

    layout: Layout
    fps: float
    coordinates: Coordinates
    columns: int  # coordinates per joint in every clip, 2 or 3
    scores: bool  # as in `open_poses`

    def __call__(self, recording: Recording) -> Clip:
        found = _read(recording, self.scores, self.layout)
        with _named(recording.files):
            columns = found.points.shape[-1]
            if columns != self.columns:
                others = f"the first clip {self.columns}; make two stores"
                raise ValueError(f"has {columns} coordinates per joint, {others}")
            if isinstance(found, Detections):
                found = tracked(found, self.fps, MAX_BODIES)
            poses = self.coordinates(_in_layout(strongest(found, MAX_BODIES), self.layout))
            points, confidence = filled(poses, self.layout, self.fps)
        return Clip(
            name=recording.name,
            xyz=points,
            label=recording.label,
            subject=recording.subject,
            camera=recording.camera,
            confidence=confidence,
        )


def _read(recording: Recording, scores: bool, layout: Layout | None) -> Poses | Detections:
    """The contents of a recording's files; `scores` and `layout` as in `open_poses`.

    Raises:
        KinemeError: a file cannot be read or is malformed; the message names it.
    """
    file = recording.files[0]
    suffix = file.place.suffix.lower()
    with _named(recording.files):
        if recording.numbers:
            return openpose(recording.numbers, [_frame(each) for each in recording.files])
        if suffix == ".npy":
            return npy_poses(file.read(MAX_ARRAY_BYTES), scores)
        if suffix == ".npz":
            return npz_poses(file.read(MAX_ARRAY_BYTES), scores)
        if suffix == ".csv":
            return csv_poses(file.read(MAX_CSV_BYTES), scores, layout)
        if suffix == ".json":
            return json_poses(file.read(MAX_JSON_BYTES), scores)
        raise ValueError("is not a .npy, .npz, .csv or .json file")


def _frame(file: RawFile) -> list[list[object]]:
    with _named([file]):
        return openpose_frame(file.read(MAX_FRAME_BYTES))


@contextmanager
def _named(files: Sequence[RawFile]) -> Iterator[None]:
    """Turns a ValueError into a KinemeError that names the file, or the first and last of many."""
    first, last = files[0], files[-1]
    try:
        yield
    except KinemeError:
        raise
    except ValueError as error:
        place = f"{first}" if first == last else f"{first} to {last.name}"
        raise KinemeError(f"{place}: {error}; {_REMEDY}") from error


def _first_poses(
    recordings: Sequence[Recording], scores: bool, layout: Layout | None
) -> tuple[Poses, Layout]:
    """The first readable recording with people in it, and its layout. Of OpenPose's frames one is enough.

    Raises:
        KinemeError: there is none; the message is about the first recording.
    """
    wrong: KinemeError | None = None
    for recording in recordings:
        try:
            with _named(recording.files):
                for part in _parts(recording):
                    found = _read(part, scores, layout)
                    confidence = found.confidence
                    if isinstance(found, Detections):
                        confidence = None if confidence is None else confidence[:, None]
                        found = Poses(found.points[:, None], confidence, program=found.program)
                    if np.isfinite(found.points).any():
                        joints = layout or _layout_of(found)
                        return _in_layout(found, joints), joints
                raise ValueError("has nobody in any frame")
        except KinemeError as error:
            wrong = wrong or error
    assert wrong is not None
    raise wrong


def _parts(recording: Recording) -> Sequence[Recording]:
    if not recording.numbers:
        return [recording]
    frames = zip(recording.files, recording.numbers, strict=True)
    return [replace(recording, files=(file,), numbers=(number,)) for file, number in frames]


def _layout_of(poses: Poses) -> Layout:
    """The built-in layout of poses.

    Raises:
        ValueError: it is ambiguous.
    """
    joints, columns = poses.points.shape[-2:]
    if poses.joints:
        given = {canonical_joint(joint) for joint in poses.joints}
        for layout in LAYOUTS.values():
            if given == {canonical_joint(joint) for joint in layout.joints}:
                return layout
    elif name := _LAYOUTS.get((poses.program, joints, columns)):
        return LAYOUTS[name]
    named = "named " if poses.joints else ""
    fitting = ", ".join(layout.name for layout in LAYOUTS.values() if layout.num_joints == joints)
    hint = f" (of this size: {fitting})" if fitting else ""
    remedy = f"name it or a layout file with `layout`{hint}"
    raise ValueError(f"has {joints} {named}joints of unknown layout; {remedy}")


def _in_layout(poses: Poses, layout: Layout) -> Poses:
    """Poses with their joints in the order of the layout, by name if they have names.

    Raises:
        ValueError: a joint of the layout is missing, or without names the number of joints differs.
    """
    if not poses.joints:
        joints = poses.points.shape[2]
        if joints != layout.num_joints:
            raise ValueError(f"has {joints} joints, but layout {layout.name} has {layout.num_joints}")
        return poses
    given = [canonical_joint(joint) for joint in poses.joints]
    if missing := [joint for joint in layout.joints if canonical_joint(joint) not in given]:
        raise ValueError(f"lacks the joint {missing[0]!r} of layout {layout.name}")
    order = [given.index(canonical_joint(joint)) for joint in layout.joints]
    confidence = None if poses.confidence is None else poses.confidence[:, :, order]
    return Poses(np.ascontiguousarray(poses.points[:, :, order]), confidence)
