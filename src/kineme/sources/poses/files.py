"""What the files of a recording hold; and the first recording, which tells what all are like."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import Any, TypeVar

import numpy as np

from kineme.errors import FileError, KinemeError, OtherSkeletonError, about
from kineme.layouts.correspondence import JointMap
from kineme.sources.poses.arrays import Detections, Poses
from kineme.sources.poses.fitting import Fit, UnknownJointsError, fit
from kineme.sources.poses.formats import Told, format_of
from kineme.sources.poses.gaps import NobodyError
from kineme.sources.poses.long import LongFile, long_file, step_of
from kineme.sources.poses.openpose import MAX_FRAME_BYTES, openpose, openpose_frame
from kineme.sources.poses.recordings import Recording
from kineme.sources.poses.tracking import as_poses
from kineme.sources.poses.yolo import MAX_YOLO_BYTES, yolo, yolo_frame
from kineme.sources.raw import MEND, RawFile, RemediedError, SkeletonError

AnyPoses = TypeVar("AnyPoses", Poses, Detections, Poses | Detections)
_TRIED = 20  # recordings that come into no layout before the first one's error is raised
_USES = 2  # of the first recording after it has told the layout: it is measured, and it is a clip of its own


class UnknownLayoutError(KinemeError):
    """The joints of recordings are of no layout that is known; the message says what to do."""


class Files:
    """Reads recordings, and the first of them only once.

    Attributes:
        told: what the user said of the files.
    """

    def __init__(self, told: Told) -> None:
        self.told = told
        self._first: tuple[Recording, Poses | Detections] | None = None
        self._uses = 0

    def read(self, recording: Recording) -> Poses | Detections:
        """The contents of a recording's files.

        Raises:
            KinemeError: a file cannot be read or is malformed; the message names it.
        """
        first = self._first
        if first is None or recording is not first[0]:
            return _read(recording, self.told)
        self._uses -= 1
        if self._uses <= 0:
            self._first = None
        return first[1]

    def read_first(self, recording: Recording) -> Poses | Detections:
        """As `read`, of a recording that is going to be read again; in this process it is kept for that."""
        found = _read(recording, self.told)
        self._first, self._uses = (recording, found), _USES
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        return Files, (self.told,)


def _read(recording: Recording, told: Told) -> Poses | Detections:
    with named(recording.files):
        if recording.numbers:
            return confident(_of_frames(recording, told), told)
        return confident(format_of(recording.files[0]).read(recording.files[0], told), told)


def confident(found: AnyPoses, told: Told) -> AnyPoses:
    """The same without the joints of too little confidence."""
    if found.confidence is None or not told.least_confidence:
        return found
    seen = found.confidence >= told.least_confidence
    return replace(found, points=np.where(seen[..., None], found.points, np.float32(np.nan)))


def opened_long(recording: Recording, told: Told) -> LongFile | None:
    """A recording that is read in stretches; None for others. Raises as `long_file`."""
    return None if recording.numbers else long_file(recording.files[0], told)


def _of_frames(recording: Recording, told: Told) -> Detections:
    """A clip whose frames are files of their own."""
    if recording.files[0].place.suffix.lower() == ".txt":
        joints = told.layout.num_joints if told.layout else None
        people = [yolo_frame(file.read(MAX_YOLO_BYTES)) for file in recording.files]
        return yolo(recording.numbers, people, joints)
    frames = [_frame(each, told.components) for each in recording.files]
    return openpose(recording.numbers, frames, told.components)


def _frame(file: RawFile, components: Sequence[str]) -> list[list[object]]:
    with named([file]):
        return openpose_frame(file.read(MAX_FRAME_BYTES), components)


@contextmanager
def named(files: Sequence[RawFile], remedy: str = MEND) -> Iterator[None]:
    """Turns a ValueError into a FileError that names the file, or the first and last of many."""
    first, last = files[0], files[-1]
    place = f"{first}" if first == last else f"{first} to {last.name}"
    try:
        yield
    except KinemeError:
        raise
    except UnknownJointsError as error:
        raise UnknownLayoutError(about(first, error)) from error
    except RemediedError as error:
        kind = OtherSkeletonError if isinstance(error, SkeletonError) else FileError
        raise kind(about(place, error)) from error
    except ValueError as error:
        raise FileError(f"{about(place, error)}; {remedy}") from error


def first_poses(recordings: Sequence[Recording], told: Told) -> Poses:
    """The first readable recording with people in it, as its files have it. Of OpenPose's frames one is
    enough.

    Raises:
        KinemeError: there is none; the message is about the first recording.
    """
    return next(_readable(recordings, Files(told)))[1]


def first_in_layout(
    recordings: Sequence[Recording], files: Files, joint_map: JointMap | None, name: str
) -> tuple[Poses, Fit]:
    """The first recording that is readable and comes into a layout, in that layout.

    Raises:
        KinemeError: there is none; the message is about the first recording.
    """
    wrong: KinemeError | None = None
    for recording, found in islice(_readable(recordings, files), _TRIED):
        try:
            with named(recording.files):
                chosen = fit(found, files.told.layout, joint_map, name)
                return chosen(found), chosen
        except KinemeError as error:
            wrong = wrong or error
    assert wrong is not None
    raise wrong


def _readable(recordings: Sequence[Recording], files: Files) -> Iterator[tuple[Recording, Poses]]:
    """Recordings with people in them; raises the first one's error if there are none."""
    wrong: KinemeError | None = None
    some = False
    for recording in recordings:
        try:
            with named(recording.files):
                found = _somebody(recording, files)
            some = True
            yield recording, found
        except KinemeError as error:
            wrong = wrong or error
    if not some and wrong is not None:
        raise wrong


def _somebody(recording: Recording, files: Files) -> Poses:
    for found in _parts(recording, files):
        confidence = found.confidence
        if isinstance(found, Detections):
            confidence = None if confidence is None else confidence[:, None]
            found = as_poses(found, found.points[:, None], confidence)
        if np.isfinite(found.points).any():
            return found
    raise NobodyError


def _parts(recording: Recording, files: Files) -> Iterator[Poses | Detections]:
    """What a recording holds; of frames that are files of their own, and of a long one, little by little."""
    told = files.told
    if recording.numbers:
        frames = zip(recording.files, recording.numbers, strict=True)
        for file, number in frames:
            yield _read(replace(recording, files=(file,), numbers=(number,)), told)
    elif (long := opened_long(recording, told)) is not None:
        step = step_of(long)
        for first in range(0, long.frames, step):
            yield confident(long.read(first, min(step, long.frames - first)), told)
    else:
        yield files.read_first(recording)
