"""A recording's files → one clip: people, bodies, joints of the layout, coordinates, gaps filled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kineme.clips.store import Clip
from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS, Layout, canonical_joint
from kineme.preprocessing import MAX_BODIES
from kineme.sources.poses.arrays import MAX_BYTES as MAX_ARRAY_BYTES
from kineme.sources.poses.arrays import npy_poses, npz_poses
from kineme.sources.poses.coordinates import Coordinates
from kineme.sources.poses.documents import (
    MAX_BYTES,
    MAX_FRAME_BYTES,
    json_poses,
    openpose,
    openpose_frame,
)
from kineme.sources.poses.finding import Recording
from kineme.sources.poses.gaps import filled
from kineme.sources.poses.recorded import Detections, Poses, bad_file
from kineme.sources.poses.tables import MAX_BYTES as MAX_TABLE_BYTES
from kineme.sources.poses.tables import csv_poses
from kineme.sources.poses.tracking import strongest, tracked
from kineme.sources.raw import RawFile

# (program, joints, coordinates) → layout, where it can be no other
_LAYOUTS = {
    ("openpose", 25, 2): "openpose25",
    ("coco", 17, 2): "coco17",
    ("", 17, 2): "coco17",
    **{(program, 33, columns): "mediapipe33" for program in ("mediapipe", "") for columns in (2, 3)},
}


@dataclass(frozen=True)
class Reader:
    """Recording → clip of at most MAX_BODIES bodies, y up, without gaps of joints.

    Attributes:
        layout: of every clip.
        fps: frames a second.
        coordinates: what is made of them.
        columns: coordinates of every clip, 2 or 3.
        scores: the last of three numbers is a confidence where a file does not tell.
    """

    layout: Layout
    fps: float
    coordinates: Coordinates
    columns: int
    scores: bool

    def __call__(self, recording: Recording) -> Clip:
        """The clip; raises KinemeError that names the file."""
        found = read(recording, self.scores, self.layout)
        try:
            columns = found.points.shape[-1]
            if columns != self.columns:
                raise ValueError(
                    f"has {columns} coordinates a joint, the first clip {self.columns}; they make two stores"
                )
            bodies = (
                tracked(found, self.fps, MAX_BODIES)
                if isinstance(found, Detections)
                else strongest(found, MAX_BODIES)
            )
            poses = self.coordinates(in_layout(bodies, self.layout))
            points, confidence = filled(poses, self.layout, self.fps)
            if not points.any():
                raise ValueError("shows nobody in any frame")
        except ValueError as error:
            raise bad_file(_where(recording), error) from error
        return Clip(
            name=recording.name,
            xyz=points,
            label=recording.label,
            subject=recording.subject,
            camera=recording.camera,
            confidence=confidence,
        )


def read(recording: Recording, scores: bool, layout: Layout | None) -> Poses | Detections:
    """What the files of a recording hold.

    Args:
        recording: its files.
        scores, layout: as `open_poses`.

    Raises:
        KinemeError: a file cannot be read or is no such thing; the message names it.
    """
    file = recording.files[0]
    try:
        if recording.numbers:
            contents = [_frame(each) for each in recording.files]
            file = recording.files[-1]
            return openpose(recording.numbers, contents)
        suffix = file.place.suffix.lower()
        if suffix == ".npy":
            return npy_poses(file.read(MAX_ARRAY_BYTES), scores)
        if suffix == ".npz":
            return npz_poses(file.read(MAX_ARRAY_BYTES), scores)
        if suffix == ".csv":
            return csv_poses(file.read(MAX_TABLE_BYTES), scores, layout)
        if suffix == ".json":
            return json_poses(file.read(MAX_BYTES), scores)
        raise ValueError("is no .npy, .npz, .csv or .json file")
    except KinemeError:
        raise
    except ValueError as error:
        raise bad_file(_where(recording), error) from error


def _frame(file: RawFile) -> list[list[object]]:
    try:
        return openpose_frame(file.read(MAX_FRAME_BYTES))
    except KinemeError:
        raise
    except ValueError as error:
        raise bad_file(file, error) from error


def _where(recording: Recording) -> str:
    """A recording's file, or the first and last of many."""
    first, last = recording.files[0], recording.files[-1]
    return str(first) if first == last else f"{first} to {last.name}"


def first_poses(recordings: Sequence[Recording], scores: bool, layout: Layout | None) -> tuple[Poses, Layout]:
    """People of the first recording that can be read and shows someone, each in a frame, and their layout.

    Of OpenPose's frames no more are read than it takes.

    Raises:
        KinemeError: there is none; what is wrong with the first recording.
    """
    wrong: KinemeError | None = None
    for recording in recordings:
        try:
            for part in _parts(recording):
                found = read(part, scores, layout)
                confidence = found.confidence
                if isinstance(found, Detections):
                    confidence = None if confidence is None else confidence[:, None]
                    found = Poses(found.points[:, None], confidence, program=found.program)
                if np.isfinite(found.points).any():
                    joints = layout or layout_of(found)
                    return in_layout(found, joints), joints
            raise ValueError("shows nobody in any frame")
        except KinemeError as error:
            wrong = wrong or error
        except ValueError as error:
            wrong = wrong or bad_file(_where(recording), error)
    assert wrong is not None
    raise wrong


def _parts(recording: Recording) -> Sequence[Recording]:
    if not recording.numbers:
        return [recording]
    frames = zip(recording.files, recording.numbers, strict=True)
    return [replace(recording, files=(file,), numbers=(number,)) for file, number in frames]


def layout_of(poses: Poses) -> Layout:
    """The built-in layout that poses are in, where there is no doubt.

    Raises:
        ValueError: there is.
    """
    joints, columns = poses.points.shape[-2:]
    if poses.joints:
        given = {canonical_joint(joint) for joint in poses.joints}
        for layout in LAYOUTS.values():
            if given == {canonical_joint(joint) for joint in layout.joints}:
                return layout
    elif name := _LAYOUTS.get((poses.program, joints, columns)):
        return LAYOUTS[name]
    fitting = [f"{layout.name}, " for layout in LAYOUTS.values() if layout.num_joints == joints]
    named = "named " if poses.joints else ""
    raise ValueError(
        f"has {joints} {named}joints and does not tell in which layout; say --layout with "
        f"{''.join(fitting)}another name or a layout file"
    )


def in_layout(poses: Poses, layout: Layout) -> Poses:
    """Poses with their joints in the order of the layout; by name where they have names.

    Raises:
        ValueError: a joint of the layout is not there, or without names the number is another.
    """
    if not poses.joints:
        if poses.points.shape[2] != layout.num_joints:
            raise ValueError(
                f"has {poses.points.shape[2]} joints, layout {layout.name} {layout.num_joints} (see --layout)"
            )
        return poses
    given = [canonical_joint(joint) for joint in poses.joints]
    if missing := [joint for joint in layout.joints if canonical_joint(joint) not in given]:
        raise ValueError(f"lacks the joint {missing[0]!r} of layout {layout.name} (see --layout)")
    order = [given.index(canonical_joint(joint)) for joint in layout.joints]
    confidence = None if poses.confidence is None else poses.confidence[:, :, order]
    return Poses(np.ascontiguousarray(poses.points[:, :, order]), confidence)
