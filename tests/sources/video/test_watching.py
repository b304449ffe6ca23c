"""Videos and cameras as streams of poses."""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Event

import numpy as np
import pytest
from sources.video.films import BODY, Cinema, Stub, picture

from kineme.errors import KinemeError
from kineme.sources.poses.lines import Beginning, Frame
from kineme.sources.video.pictures import Picture, camera, decoded, newest
from kineme.sources.video.watching import pose_frames


def test_people_keep_their_numbers_and_times_are_those_of_the_video(cinema: Cinema) -> None:
    shown = [picture((0, 0)), picture((100, 9), (0, 0)), picture(), picture((0, 0), (100, 9))]
    path = cinema.write("two.mp4", shown)
    beginning, *frames = pose_frames(decoded(path), Stub(), 10.0, "two.mp4")
    assert isinstance(beginning, Beginning)
    assert (beginning.header.layout, beginning.header.fps) == ("mediapipe33", 10.0)
    assert all(isinstance(frame, Frame) for frame in frames)
    found = [(frame.time, list(frame.people)) for frame in frames if isinstance(frame, Frame)]
    assert found == [(0.0, [1]), (0.1, [2, 1]), (0.2, []), (0.3, [1, 2])]
    first = frames[0]
    assert isinstance(first, Frame)
    assert isinstance(first.people, dict)
    np.testing.assert_array_equal(first.people[1][1:], BODY[1:])
    assert first.name == "two.mp4, frame 1"


def test_who_is_slower_than_the_camera_misses_pictures_and_does_not_fall_behind() -> None:
    taken = Event()

    def fast() -> Iterator[Picture]:
        for number in range(50):
            yield Picture(picture((number, 0)), number / 100, time.monotonic())
        taken.set()

    shown = newest(fast())
    first = next(shown)  # while it is worked on, the others come
    assert taken.wait(timeout=10)
    rest = [each.time for each in shown if each is not None]
    assert rest == [0.49] if first and first.time < 0.49 else rest == []


def test_an_error_of_the_camera_comes_through() -> None:
    def broken() -> Iterator[Picture]:
        yield Picture(picture(), 0.0, 0.0)
        raise KinemeError("unplugged")

    with pytest.raises(KinemeError, match="unplugged"):
        list(newest(broken()))


def test_there_may_be_no_camera(cinema: Cinema) -> None:
    with pytest.raises(KinemeError, match="`camera`: there is no camera 7"):
        next(camera(7))
