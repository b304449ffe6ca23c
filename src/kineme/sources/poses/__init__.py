"""People's own recordings: motion capture, the output of pose estimators, and arrays.

formats.py       the formats, one reader each: arrays.py; tables.py (rows.py, headers.py, table_notes.py);
                 documents.py, JSON (people.py, about.py, keypoints.py, assembling.py, holistic.py; coco.py,
                 flat.py, vitpose.py), jsonlines.py; openpose.py and yolo.py, a file a frame; hdf5.py,
                 deeplabcut.py, sleap.py; signs.py; trc.py, c3d.py, labs.py, bvh.py, mvnx.py, amass.py,
                 amc.py (asf.py); mat.py
recordings.py    the files of each clip, and its label; naming.py, images.py, what names say
times.py         instants of frames and their rate; rates.py, one rate → another
long.py          files that are too long to be held, read in stretches
fitting.py       joints of the files → joints of a layout; markers.py, joints among markers; trees.py
tracking.py      people found in each frame → bodies with a fixed place each
coordinates.py   y up, comparable units; body.py, what the body tells of them; fractions.py; gaps.py, filled
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar, Unpack

import numpy as np

from kineme.clips.store import Clip
from kineme.errors import FileError, KinemeError, check_between
from kineme.layouts import get_layout
from kineme.layouts.correspondence import JointMap
from kineme.preprocessing import MAX_BODIES
from kineme.sources import Source, Stretched
from kineme.sources.poses.arrays import MOST_FRAMES, Detections, Poses
from kineme.sources.poses.coordinates import Coordinates, coordinates_of, image_size
from kineme.sources.poses.fitting import Fit, UnknownJointsError, fit
from kineme.sources.poses.formats import Told, format_of
from kineme.sources.poses.gaps import NobodyError, ever_found, filled
from kineme.sources.poses.headers import plain
from kineme.sources.poses.long import LongFile, long_file, step_of
from kineme.sources.poses.openpose import MAX_FRAME_BYTES, openpose, openpose_frame
from kineme.sources.poses.rates import clock_of, frames_of, moved, reach_of, resampled, timed
from kineme.sources.poses.recordings import Recording, find_recordings
from kineme.sources.poses.tracking import as_poses, strongest, tracked
from kineme.sources.poses.yolo import MAX_YOLO_BYTES, yolo, yolo_frame
from kineme.sources.raw import MEND, RawFile, RemediedError
from kineme.sources.reading import Reading, joint_map_of, stated
from kineme.typing import Array

logger = logging.getLogger(__name__)

_FPS = 30.0  # if neither the user nor a file says
AnyPoses = TypeVar("AnyPoses", Poses, Detections, Poses | Detections)
_TRIED = 20  # recordings that come into no layout before the first one's error is raised


class UnknownLayoutError(KinemeError):
    """The joints of recordings are of no layout that is known; the message says what to do."""


def open_poses(
    raw: Path,
    *,
    label_column: str | None = None,
    subject_column: str | None = None,
    camera_column: str | None = None,
    name: str | None = None,
    **reading: Unpack[Reading],
) -> Source:
    """The clips of a folder, zip or file of poses, sorted by name.

    Layout and coordinates are guessed from the first readable clip where the options do not say; the others
    must be alike.

    Args:
        raw: the files.
        label_column, subject_column, camera_column: of tables, columns with one value a file.
        name: how clips are named, `{label}`, `{subject}`, `{camera}` and other fields in braces, such as
            `{subject}_{label}-{take}`.
        **reading: what the files do not say themselves, see `Reading`.

    Raises:
        UnknownLayoutError: the joints are of no layout that is known.
        KinemeError: there are no poses, no clip can be read, or an option is invalid or makes no sense for
            these poses.
    """
    options = stated(reading)
    least_confidence = options.get("least_confidence", 0.0) or 0.0
    check_between("`least_confidence`", least_confidence, 0, 1)
    image, layout, body_model = options.get("image"), options.get("layout"), options.get("body_model")
    size = image_size(image) if image is not None else None
    named = get_layout(layout) if isinstance(layout, str) else layout
    columns = {"label": label_column, "subject": subject_column, "camera": camera_column}
    told = Told(
        named,
        options.get("scores", False),
        None if body_model is None else Path(body_model),
        _components(options.get("components")),
        {role: column for role, column in columns.items() if column},
        least_confidence,
    )
    recordings, classes, rate = find_recordings(raw, options.get("fps"), told, name)
    title = raw.resolve().stem
    first, chosen = _first_poses(recordings, told, joint_map_of(options), title)
    coordinates = coordinates_of(first, chosen.layout, options.get("axes"), options.get("units"), size)
    if rate is None:
        usual = "" if recordings[0].numbers else format_of(recordings[0].files[0]).usual_rate
        logger.warning(
            "the files give no frame rate; %g frames per second are assumed, set `fps` if that is wrong%s",
            _FPS,
            f" ({usual})" if usual else "",
        )
    if len(first.points) == 1 < len(recordings) and not any(each.numbers for each in recordings):
        logger.warning(
            "%s has a single frame; if each file is a frame of one video, put all frames into one file",
            recordings[0].name,
        )
    if chosen.shares is not None:
        logger.info("joints of %s: %s", chosen.layout.name, chosen.how)
    reader = _Reader(chosen, rate or _FPS, coordinates, first.points.shape[-1], told)
    return Source(
        name=title,
        layout=chosen.layout,
        class_names=classes,
        fps=rate or _FPS,
        fps_known=rate is not None,
        bodies=MAX_BODIES,
        names=[recording.name for recording in recordings],
        items=recordings,
        read=reader,
        stretched=reader.stretched,
        costly=True,
        confidence=first.confidence is not None,
        units=coordinates.units,
        unread=[name for name in first.unread if plain(name) not in map(plain, told.columns.values())],
    )


def _components(text: str | None) -> tuple[str, ...]:
    names = tuple(each.strip() for each in (text or "").split(",") if each.strip())
    if text is not None and not names:
        raise KinemeError("`components`: names nothing; give names such as pose,left_hand,right_hand")
    return names


@dataclass(frozen=True)
class _Reader:
    """Recording → clip of at most MAX_BODIES bodies, y up, without gaps."""

    fit: Fit
    fps: float
    coordinates: Coordinates
    columns: int  # coordinates per joint in every clip, 2 or 3
    told: Told

    def __call__(self, recording: Recording) -> Clip:
        found = _read(recording, self.told)
        with _named(recording.files):
            self._check_columns(found)
            times = found.times
            if isinstance(found, Detections):
                found = tracked(found, recording.fps or self.fps, MAX_BODIES)
            poses = self._placed(found)
            if times is not None:
                poses = timed(poses, times, self.fps)
            elif recording.fps is not None:
                poses = resampled(poses, recording.fps, self.fps)
            points, confidence = filled(poses, self.fit.layout, self.fps)
        return _clip(recording, points, confidence)

    def stretched(self, recording: Recording) -> Stretched | None:
        """A recording that is too long to be held; None for others."""
        with _named(recording.files):
            file = _long_file(recording, self.told)
            if file is None:
                return None
            clock = None if file.times is None else clock_of(file.times, self.fps)
            if file.times is None and recording.fps is not None:
                clock = np.arange(file.frames) * self.fps / recording.fps
            frames = file.frames if clock is None else frames_of(clock)
            if frames > MOST_FRAMES:
                long = f"has {frames:,} frames at {self.fps:g} fps; at most {MOST_FRAMES:,} are read"
                raise RemediedError(long, "cut it into shorter clips")
        reach = 0.0 if clock is None else reach_of(clock, self.fps)
        return Stretched(frames, step_of(file), partial(self._stretch, recording, file, clock, reach, frames))

    def _stretch(
        self, recording: Recording, file: LongFile, clock: Array | None, reach: float, frames: int,
        first: int, count: int,
    ) -> Clip:  # fmt: skip
        """So many of a recording's frames from one on, with what is filled from a second around them."""
        around = math.ceil(self.fps)
        low, high = max(first - around, 0), min(first + count + around, frames)
        begin, end = low, high  # in the file
        if clock is not None:
            begin = max(int(np.searchsorted(clock, low, side="right")) - 1, 0)
            end = min(int(np.searchsorted(clock, high - 1)) + 1, file.frames)
        with _named(recording.files):
            found = _confident(file.read(begin, end - begin), self.told)
            self._check_columns(found)
            poses = self._placed(found)
            if clock is not None:
                poses = moved(poses, clock[begin:end], np.arange(low, high), reach)
            own = slice(first - low, first - low + count)
            try:
                clip = _clip(recording, *filled(poses, self.fit.layout, self.fps))
            except NobodyError:
                return _clip(recording, np.zeros((count, 1, self.fit.layout.num_joints, 3), np.float32), None)
        assert clip.confidence is not None
        return replace(clip, xyz=clip.xyz[own], confidence=clip.confidence[own])

    def _check_columns(self, found: Poses | Detections) -> None:
        columns = found.points.shape[-1]
        if columns != self.columns:
            others = f"the first clip {self.columns}"
            raise RemediedError(f"has {columns} coordinates per joint, {others}", "make two stores")

    def _placed(self, poses: Poses) -> Poses:
        return self.coordinates(strongest(self.fit(poses), MAX_BODIES))


def _clip(recording: Recording, points: Array, confidence: Array | None) -> Clip:
    present = None if confidence is None else ever_found(confidence)
    return replace(recording.clip(points, confidence), present=present)


def _read(recording: Recording, told: Told) -> Poses | Detections:
    """The contents of a recording's files.

    Raises:
        KinemeError: a file cannot be read or is malformed; the message names it.
    """
    with _named(recording.files):
        if recording.numbers:
            return _confident(_of_frames(recording, told), told)
        return _confident(format_of(recording.files[0]).read(recording.files[0], told), told)


def _confident(found: AnyPoses, told: Told) -> AnyPoses:
    """Without the joints of too little confidence."""
    if found.confidence is None or not told.least_confidence:
        return found
    seen = found.confidence >= told.least_confidence
    return replace(found, points=np.where(seen[..., None], found.points, np.float32(np.nan)))


def _long_file(recording: Recording, told: Told) -> LongFile | None:
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
    with _named([file]):
        return openpose_frame(file.read(MAX_FRAME_BYTES), components)


@contextmanager
def _named(files: Sequence[RawFile]) -> Iterator[None]:
    """Turns a ValueError into a FileError that names the file, or the first and last of many."""
    first, last = files[0], files[-1]
    place = f"{first}" if first == last else f"{first} to {last.name}"
    try:
        yield
    except KinemeError:
        raise
    except UnknownJointsError as error:
        raise UnknownLayoutError(f"{first}: {error}") from error
    except RemediedError as error:
        raise FileError(f"{place}: {error}") from error
    except ValueError as error:
        raise FileError(f"{place}: {error}; {MEND}") from error


def first_poses(recordings: Sequence[Recording], told: Told) -> Poses:
    """The first readable recording with people in it, as its files have it. Of OpenPose's frames one is
    enough.

    Raises:
        KinemeError: there is none; the message is about the first recording.
    """
    return next(_readable(recordings, told))[1]


def _first_poses(
    recordings: Sequence[Recording], told: Told, joint_map: JointMap | None, name: str
) -> tuple[Poses, Fit]:
    """The first recording that is readable and comes into a layout, in that layout.

    Raises:
        KinemeError: there is none; the message is about the first recording.
    """
    wrong: KinemeError | None = None
    for recording, found in islice(_readable(recordings, told), _TRIED):
        try:
            with _named(recording.files):
                chosen = fit(found, told.layout, joint_map, name)
                return chosen(found), chosen
        except KinemeError as error:
            wrong = wrong or error
    assert wrong is not None
    raise wrong


def _readable(recordings: Sequence[Recording], told: Told) -> Iterator[tuple[Recording, Poses]]:
    """Recordings with people in them; raises the first one's error if there are none."""
    wrong: KinemeError | None = None
    some = False
    for recording in recordings:
        try:
            with _named(recording.files):
                found = _somebody(recording, told)
            some = True
            yield recording, found
        except KinemeError as error:
            wrong = wrong or error
    if not some and wrong is not None:
        raise wrong


def _somebody(recording: Recording, told: Told) -> Poses:
    for found in _parts(recording, told):
        confidence = found.confidence
        if isinstance(found, Detections):
            confidence = None if confidence is None else confidence[:, None]
            found = as_poses(found, found.points[:, None], confidence)
        if np.isfinite(found.points).any():
            return found
    raise NobodyError


def _parts(recording: Recording, told: Told) -> Iterator[Poses | Detections]:
    """What a recording holds; of frames that are files of their own, and of a long one, little by little."""
    if recording.numbers:
        frames = zip(recording.files, recording.numbers, strict=True)
        for file, number in frames:
            yield _read(replace(recording, files=(file,), numbers=(number,)), told)
    elif (long := _long_file(recording, told)) is not None:
        step = step_of(long)
        for first in range(0, long.frames, step):
            yield _confident(long.read(first, min(step, long.frames - first)), told)
    else:
        yield _read(recording, told)
