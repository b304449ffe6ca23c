"""Videos and cameras as streams of poses, for `kineme watch`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from kineme.errors import KinemeError, check_between
from kineme.sources.poses.arrays import MAX_PEOPLE
from kineme.sources.poses.lines import Beginning, Frame, Header, Person
from kineme.sources.poses.tracking import Tracker
from kineme.sources.video.landmarks import LAYOUT, Landmarker, mediapipe_landmarker
from kineme.sources.video.model_file import landmark_model
from kineme.sources.video.pictures import Picture, camera, check_installed, decoded, film, newest
from kineme.typing import Array

_FPS = 30.0  # at which people are tracked where nobody says it

Items = Iterator[Beginning | Frame | None]


@contextmanager
def watched_camera(number: int, *, people: int = 1, model: Path | None = None) -> Iterator[Items]:
    """What a camera sees, as long as the block lasts. Pictures that come while people are found are missed.

    Args:
        number: of the camera, from 0.
        people: the most that are found in a picture.
        model: see `kineme.sources.video.model_file.landmark_model`.

    Raises:
        KinemeError: there is no such camera, or an option is out of range; or as `mediapipe_landmarker`.
    """
    check_between("`camera`", number, 0)
    with _landmarker(people, model) as landmarker, closing(newest(camera(number))) as taken:
        yield pose_frames(taken, landmarker, _FPS, f"camera {number}")


@contextmanager
def watched_video(path: Path, *, people: int = 1, model: Path | None = None) -> Iterator[Items]:
    """What a video shows, as fast as people are found in it.

    Args and errors are those of `watched_camera`, and those of `kineme.sources.video.pictures.film`.
    """
    if not path.is_file():
        raise KinemeError(f"{path}: no such file")
    check_installed()
    told = film(path)
    with _landmarker(people, model) as landmarker:
        yield pose_frames(decoded(path), landmarker, told.fps or _FPS, path.name)


@contextmanager
def _landmarker(people: int, model: Path | None) -> Iterator[Landmarker]:
    check_between("`people`", people, 1, MAX_PEOPLE)
    check_installed()
    with mediapipe_landmarker(landmark_model(model), people) as landmarker:
        yield landmarker


def pose_frames(
    pictures: Iterable[Picture | None], landmarker: Landmarker, fps: float, name: str
) -> Iterator[Beginning | Frame | None]:
    """The people of each picture, numbered from 1 as they appear; None where there is no new picture.

    Args:
        pictures: of a video or a camera.
        landmarker: finds the people.
        fps: frames per second, by which people are tracked.
        name: of the stream, for messages.
    """
    yield Beginning(Header(layout=LAYOUT, fps=fps), name)
    tracker = Tracker(fps)
    for number, picture in enumerate(pictures, start=1):
        if picture is None:
            yield None
            continue
        seen = landmarker(picture.image, picture.time)
        people: dict[Person, Array] = {}
        if len(seen.places):
            bodies = tracker(picture.time * fps, seen.places)
            people = dict(zip((bodies + 1).tolist(), seen.points, strict=True))
        yield Frame(people, picture.time, picture.arrived, f"{name}, frame {number}")
