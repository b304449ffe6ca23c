"""Videos and cameras as streams of poses, for `kineme watch`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kineme.sources.poses.lines import Beginning, Frame, Header, Person
from kineme.sources.poses.tracking import Tracker
from kineme.sources.video.landmarks import LAYOUT, Landmarker
from kineme.sources.video.pictures import Picture
from kineme.typing import Array


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
