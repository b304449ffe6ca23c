"""People's own recordings: motion capture, the output of pose estimators, and arrays.

formats.py       the formats, one reader each: arrays.py; tables.py (rows.py, headers.py, table_notes.py);
                 documents.py, JSON (people.py, about.py, keypoints.py, assembling.py, holistic.py; coco.py,
                 flat.py, vitpose.py), jsonlines.py; openpose.py and yolo.py, a file a frame; hdf5.py,
                 deeplabcut.py, sleap.py; signs.py; trc.py, c3d.py, labs.py, bvh.py, mvnx.py, amass.py,
                 amc.py (asf.py); mat.py
recordings.py    the files of each clip, and its label; naming.py, images.py, what names say
files.py         what these files hold, and the first recording, which tells what all are like
times.py         instants of frames and their rate; rates.py, one rate → another
long.py          files that are too long to be held, read in stretches
fitting.py       joints of the files → joints of a layout; markers.py, joints among markers; trees.py
tracking.py      people found in each frame → bodies with a fixed place each
coordinates.py   y up, comparable units; body.py, what the body tells of them; fractions.py; gaps.py, filled
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Unpack

import numpy as np

from kineme.clips.store import Clip
from kineme.errors import KinemeError, check_between
from kineme.layouts import get_layout
from kineme.preprocessing import MAX_BODIES
from kineme.sources import Source, Stretched
from kineme.sources.poses.arrays import MOST_FRAMES, Detections, Poses
from kineme.sources.poses.coordinates import Coordinates, check_sides, coordinates_of, image_size
from kineme.sources.poses.files import (
    Files,
    UnknownLayoutError,
    confident,
    first_in_layout,
    named,
    opened_long,
)
from kineme.sources.poses.fitting import Fit
from kineme.sources.poses.formats import Format, Told, format_of, registered
from kineme.sources.poses.gaps import NobodyError, ever_found, filled
from kineme.sources.poses.headers import plain
from kineme.sources.poses.long import LongFile, step_of
from kineme.sources.poses.rates import clock_of, frames_of, moved, reach_of, resampled, timed
from kineme.sources.poses.recordings import Recording, find_recordings
from kineme.sources.poses.tracking import strongest, tracked
from kineme.sources.raw import RemediedError
from kineme.sources.reading import Reading, joint_map_of, stated
from kineme.typing import Array

__all__ = ["UnknownLayoutError", "open_poses"]

logger = logging.getLogger(__name__)

_FPS = 30.0  # if neither the user nor a file says


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
    columns = {"label": label_column, "subject": subject_column, "camera": camera_column}
    told = Told(
        get_layout(layout) if isinstance(layout, str) else layout,
        options.get("scores", False),
        None if body_model is None else Path(body_model),
        _components(options.get("components")),
        {role: column for role, column in columns.items() if column},
        least_confidence,
    )
    recordings, classes, rate = find_recordings(raw, options.get("fps"), told, name)
    found = _Found(classes, rate, told, options, size, raw.resolve().stem)
    source = _source(recordings, found)
    if rate is None:
        usual = "" if recordings[0].numbers else format_of(recordings[0].files[0]).usual_rate
        logger.warning(
            "the files give no frame rate; %g frames per second are assumed, set `fps` if that is wrong%s",
            _FPS,
            f" ({usual})" if usual else "",
        )
    return source


@dataclass(frozen=True)
class _Found:
    """What is known of all recordings of a folder."""

    classes: tuple[str, ...]
    rate: float | None
    told: Told
    options: Reading
    size: tuple[int, int] | None
    title: str

    def alone(self, recording: Recording) -> Source:
        """One of them, whatever its skeleton."""
        return _source([recording], self)


def _source(recordings: Sequence[Recording], found: _Found) -> Source:
    """Recordings of one skeleton: that of the first one that can be read."""
    options, told, fps = found.options, found.told, found.rate or _FPS
    files = Files(told)
    first, chosen = first_in_layout(recordings, files, joint_map_of(options), found.title)
    axes, units = options.get("axes"), options.get("units")
    coordinates = coordinates_of(first, chosen.layout, axes, units, found.size)
    check_sides(first, chosen.layout, coordinates)
    if len(first.points) == 1 < len(recordings) and not any(each.numbers for each in recordings):
        logger.warning(
            "%s has a single frame; if each file is a frame of one video, put all frames into one file",
            recordings[0].name,
        )
    if chosen.shares is not None:
        logger.info("joints of %s: %s", chosen.layout.name, chosen.how)
    ends = {file.place.suffix.lower() for recording in recordings for file in recording.files}
    theirs = tuple(make for make, form in registered() if form.suffix in ends)
    reader = _Reader(chosen, fps, coordinates, first.points.shape[-1], files, theirs)
    return Source(
        name=found.title,
        layout=chosen.layout,
        class_names=found.classes,
        fps=fps,
        fps_known=found.rate is not None,
        bodies=MAX_BODIES,
        names=[recording.name for recording in recordings],
        items=recordings,
        read=reader,
        stretched=reader.stretched,
        costly=True,
        confidence=first.confidence is not None,
        units=coordinates.units,
        unread=[name for name in first.unread if plain(name) not in map(plain, told.columns.values())],
        alone=found.alone,
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
    files: Files
    theirs: Sequence[Callable[[], Format]]  # formats whose modules another process has to import

    def __call__(self, recording: Recording) -> Clip:
        found = self.files.read(recording)
        with named(recording.files):
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
        with named(recording.files):
            file = opened_long(recording, self.files.told)
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
        with named(recording.files):
            found = confident(file.read(begin, end - begin), self.files.told)
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
