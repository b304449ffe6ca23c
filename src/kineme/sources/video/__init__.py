"""Videos: people are found by MediaPipe, and their poses become clips. The poses are kept, the video is not.

pictures.py      videos and cameras as pictures with times
landmarks.py     pictures → landmarks of people, by MediaPipe's pose landmarker
model_file.py    its networks, which are fetched once
watching.py      videos and cameras as streams of poses

Landmarks are in metres from the middle of each person's hips (MediaPipe's world landmarks), so where a person
stands is not known, nor that they walk about. People are told apart by where they are in the picture.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np

from kineme.clips.store import Clip
from kineme.errors import FileError, KinemeError, check_between
from kineme.layouts import get_layout
from kineme.preprocessing import MAX_BODIES
from kineme.progress import Progress, silent
from kineme.sources import Long, Source
from kineme.sources.poses.arrays import MAX_FRAMES, MAX_PEOPLE, Detections
from kineme.sources.poses.coordinates import Coordinates
from kineme.sources.poses.files import named
from kineme.sources.poses.formats import Told, suffixes
from kineme.sources.poses.gaps import filled
from kineme.sources.poses.rates import resampled
from kineme.sources.poses.recordings import ANYTHING, LABELS, Kind, Recording, find_recordings
from kineme.sources.poses.tracking import tracked
from kineme.sources.raw import RawFile, RemediedError, everything
from kineme.sources.video.landmarks import JOINTS, LAYOUT, Landmarker, Seen, mediapipe_landmarker
from kineme.sources.video.model_file import landmark_model
from kineme.sources.video.pictures import SUFFIXES, Picture, check_installed, decoded, film

logger = logging.getLogger(__name__)

Landmarkers = Callable[[], AbstractContextManager[Landmarker]]
"""Makes a landmarker for one video."""

COORDINATES = Coordinates("y-down", metric=True)
_FIRST = 10.0  # seconds of a video that tell what it is like
_EARLY = 0.3  # share of a frame by which a picture may come before its place
_SAID = 30.0  # seconds from one message to the next
_NOBODY = "shows nobody in any frame; remove it"
_NOT_YET = f"shows nobody in its first {_FIRST:g} seconds; no more was looked at, so it may show people later"


def open_video(
    raw: Path,
    landmarkers: Landmarkers | None = None,
    *,
    fps: float | None = None,
    people: int = 1,
    model: str | Path | None = None,
) -> Source:
    """The videos of a folder, or one video: a clip each, of the layout `mediapipe33`.

    Names, classes and subjects come as for files of poses, see `kineme.sources.poses.recordings`.

    Args:
        raw: the videos.
        landmarkers: in place of MediaPipe.
        fps: frames per second; by default that of the videos. Videos of another rate are resampled to it.
        people: the most that are found in a picture. The two that are there and move most are kept.
        model: `.task` file of MediaPipe's pose landmarker; by default the published one, fetched once.

    Raises:
        KinemeError: MediaPipe is missing, its model cannot be fetched, there are no videos, or an option is
            out of range.
    """
    check_between("`people`", people, 1, MAX_PEOPLE)
    if fps is not None and not 0 < fps < 1e4:
        raise KinemeError(f"`fps`: is {fps}; it must be frames per second, such as 30")
    if not raw.exists():
        raise KinemeError(f"{raw}: no such folder or file")
    check_installed()
    recordings, classes, rate = find_recordings(raw, fps, kind=Kind("videos", SUFFIXES, _notes, zipped=False))
    for recording in recordings:
        _path(recording)
    if rate is None:
        film(_path(recordings[0]))  # says if it is no video
        raise KinemeError(f"{raw}: does not say its frame rate; set `fps`")
    if landmarkers is None:
        chosen = landmark_model(None if model is None else Path(model))
        landmarkers = partial(mediapipe_landmarker, chosen, people)
    reader = Reader(rate, landmarkers)
    return Source(
        name="video",
        layout=get_layout(LAYOUT),
        class_names=classes,
        fps=rate,
        bodies=min(people, MAX_BODIES),
        names=[recording.name for recording in recordings],
        items=recordings,
        read=reader,
        confidence=True,
        long=Long(frames=_frames, read=reader, preview=reader.beginning),
    )


def are_videos(path: Path) -> bool:
    """Whether a path is a video, or a folder of videos without files of poses."""
    if not path.is_dir():
        return path.suffix.lower() in SUFFIXES
    there = {each.suffix.lower() for each in everything(path) if each.name.lower() != LABELS}
    return not there.isdisjoint(SUFFIXES) and there.isdisjoint({*suffixes()} - {ANYTHING})


@dataclass(frozen=True)
class Reader:
    """Recording → clip of at most MAX_BODIES people, y up, without gaps; confidence is visibility."""

    fps: float
    landmarkers: Landmarkers

    def __call__(self, recording: Recording, progress: Progress | None = None) -> Clip:
        """Reads a video; says how far it is from time to time, unless `progress` takes that."""
        return self._clip(recording, decoded(_path(recording)), progress or _spoken(recording))

    def beginning(self, recording: Recording) -> Clip:
        """The first seconds of a video."""
        first = takewhile(lambda picture: picture.time < _FIRST, decoded(_path(recording)))
        return self._clip(recording, first, silent, _NOT_YET)

    def _clip(
        self, recording: Recording, shown: Iterable[Picture], progress: Progress, nobody: str = _NOBODY
    ) -> Clip:
        told = film(_path(recording))
        fps = min(told.fps or self.fps, self.fps)  # of a faster video some pictures are not looked at
        with named(recording.files[:1], "remove it"), self.landmarkers() as landmarker:
            found = detections(_counted(shown, told.frames, progress), landmarker, fps)
            if not len(found.frame):
                raise FileError(f"{recording.files[0]}: {nobody}")
            poses = COORDINATES(tracked(found, fps, MAX_BODIES))
            if fps != self.fps:
                poses = resampled(poses, fps, self.fps)
            points, confidence = filled(poses, get_layout(LAYOUT), self.fps)
        return recording.clip(points, confidence)


def detections(shown: Iterable[Picture], landmarker: Landmarker, fps: float) -> Detections:
    """The people of pictures at `fps`: each picture is put where its time is.

    Of two pictures for one place the first counts; a place without a picture is a gap.

    Raises:
        ValueError: there are too many pictures.
    """
    nobody = Seen(np.zeros((0, JOINTS, 3)), np.zeros((0, JOINTS, 2)), np.zeros((0, JOINTS)))
    frames, seen, last = [], [nobody], -1
    for picture in shown:
        number = math.floor(picture.time * fps + _EARLY)
        if number >= MAX_FRAMES:
            raise RemediedError(f"has more than {MAX_FRAMES:,} frames", "cut it into shorter videos")
        if number > last:
            found = landmarker(picture.image, picture.time)
            frames += [number] * len(found.points)
            seen += [found] if len(found.points) else []
            last = number
    return Detections(
        frame=np.array(frames, dtype=np.int64),
        points=np.concatenate([each.points for each in seen], dtype=np.float32),
        confidence=np.concatenate([each.visibility for each in seen], dtype=np.float32),
        frames=last + 1,
        program="mediapipe",
        places=np.concatenate([each.places for each in seen], dtype=np.float32),
    )


def _counted(shown: Iterable[Picture], frames: int, progress: Progress) -> Iterator[Picture]:
    for number, picture in enumerate(shown, start=1):
        yield picture
        progress(number, max(frames, number))


def _spoken(recording: Recording) -> Progress:
    """Logs how far it is every half a minute, for those who show no progress while they read."""
    begun = said = time.monotonic()

    def say(done: int, total: int) -> None:
        nonlocal said
        now = time.monotonic()
        if now - said >= _SAID:
            left = (now - begun) / done * (total - done) / 60
            logger.info("%s: frame %d of %d, about %.0f min left", recording.name, done, total, left)
            said = now

    return say


def _notes(file: RawFile, told: Told) -> Mapping[str, Any]:
    """The rate of a video. Damage is reported when it is read."""
    try:
        rate = film(file.path).fps if file.member is None else None
    except KinemeError:
        return {}
    return {} if rate is None else {"fps": rate}


def _frames(recording: Recording) -> int:
    try:
        return film(_path(recording)).frames
    except KinemeError:
        return 0


def _path(recording: Recording) -> Path:
    file = recording.files[0]
    if file.member is not None:
        raise KinemeError(f"{file}: is in a zip, where videos cannot be read; unpack it")
    return file.path
