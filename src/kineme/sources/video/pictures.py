"""Videos and cameras as pictures with their times, by OpenCV.

Pictures are decoded one by one, so memory does not grow with the length of a video. Videos that were filmed
upright are turned as their files say.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kineme.errors import FileError, KinemeError, one_line
from kineme.sources.poses.times import USUAL
from kineme.typing import Array

logger = logging.getLogger(__name__)

SUFFIXES = (".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".mts", ".wmv", ".3gp")
_NEAR = 0.02  # 29.97 counts as 30, and so does a telephone's 29.86
_CUT = 0.9  # share of the frames that a file speaks of
_WAIT = 0.1  # seconds until a wait for a camera is looked at again


@dataclass(frozen=True)
class Picture:
    """One picture.

    Attributes:
        image: (H, W, 3) uint8, red, green, blue.
        time: in seconds from the first picture on.
        arrived: when it was there, on the clock `time.monotonic`.
    """

    image: Array
    time: float
    arrived: float


@dataclass(frozen=True)
class Film:
    """What a video says of itself.

    Attributes:
        fps: frames per second, the usual rate where it is near one; None if it does not say.
        frames: about how many; 0 if it does not say.
    """

    fps: float | None
    frames: int


def check_installed() -> None:
    """Checks for the packages of the extra `video`.

    Raises:
        KinemeError: one is missing.
    """
    if missing := [name for name in ("mediapipe", "cv2") if find_spec(name) is None]:
        which = " and ".join({"mediapipe": "MediaPipe", "cv2": "OpenCV"}[name] for name in missing)
        raise KinemeError(f'videos and cameras need {which}; pip install "kineme[video]"')


def film(path: Path) -> Film:
    """Frame rate and length of a video.

    Raises:
        KinemeError: it is not a video, or is damaged.
    """
    with _capture(path) as (cv2, capture):
        rate = capture.get(cv2.CAP_PROP_FPS)
        frames = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    return Film(usual_rate(rate), int(frames) if 0 < frames < 1e9 else 0)


def usual_rate(rate: float) -> float | None:
    """The rate that was meant; None if it is none.

    >>> usual_rate(29.97), usual_rate(23.976), usual_rate(17.5), usual_rate(90000)
    (30.0, 24.0, 17.5, None)
    """
    if not (math.isfinite(rate) and 1 <= rate <= 1000):
        return None
    near = min(USUAL, key=lambda usual: abs(usual - rate))
    return float(near) if abs(near - rate) <= _NEAR * near else rate


def decoded(path: Path) -> Iterator[Picture]:
    """The pictures of a video.

    Raises:
        KinemeError: it is not a video, or is damaged.
    """
    told = film(path)
    with _capture(path) as (cv2, capture):
        count, first, last = 0, 0.0, -math.inf
        while (image := _read(cv2, capture)) is not None:
            moment = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            first = moment if count == 0 else first
            moment -= first
            if not moment > last:  # a file without times
                moment = last + 1 / (told.fps or 30.0)
            yield Picture(image, moment, time.monotonic())
            count, last = count + 1, moment
    if count == 0:
        raise FileError(f"{path}: has no picture that can be decoded; convert it to .mp4")
    if count < _CUT * told.frames:
        logger.warning("%s: ends after %d of about %d frames; is it cut off?", path, count, told.frames)


def camera(number: int) -> Iterator[Picture]:
    """The pictures of a camera, as they are taken; has no end.

    Raises:
        KinemeError: there is no such camera, or it gives no more pictures.
    """
    cv2 = _opencv()
    capture = cv2.VideoCapture(number)
    try:
        if not capture.isOpened():
            raise KinemeError(
                f"`camera`: there is no camera {number}, or another program has it; they are counted from 0"
            )
        begun = time.monotonic()
        while (image := _read(cv2, capture)) is not None:
            now = time.monotonic()
            yield Picture(image, now - begun, now)
        raise KinemeError(f"`camera`: camera {number} gives no more pictures; was it unplugged?")
    finally:
        capture.release()


def newest(source: Iterator[Picture]) -> Generator[Picture | None, None, None]:
    """The newest picture each time, taken by a thread of its own; None where there is no new one.

    Whoever is slower than the camera misses pictures, and does not fall behind.
    """
    there, stop = threading.Condition(), threading.Event()
    waiting: list[Picture] = []
    ended: list[Exception | None] = []

    def take() -> None:
        end: Exception | None = None
        try:
            for picture in source:
                with there:
                    waiting[:] = [picture]
                    there.notify()
                if stop.is_set():
                    break
        except Exception as error:
            end = error
        with there:
            ended.append(end)
            there.notify()

    reader = threading.Thread(target=take, name="kineme-camera", daemon=True)
    reader.start()
    try:
        while True:
            with there:
                there.wait_for(lambda: waiting or ended, timeout=_WAIT)
                picture = waiting.pop() if waiting else None
                over = bool(ended) and picture is None
            if over:
                if ended[0] is not None:
                    raise ended[0]
                return
            yield picture
    finally:
        stop.set()
        reader.join(timeout=1)


def _read(cv2: Any, capture: Any) -> Array | None:
    """The next picture in red, green, blue; None at the end."""
    found, image = capture.read()
    if not found:
        return None
    colours: Array = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    return colours


@contextmanager
def _capture(path: Path) -> Iterator[tuple[Any, Any]]:
    cv2 = _opencv()
    # The file itself, never what its name may mean as a pattern of images or an address.
    capture = cv2.VideoCapture(os.path.abspath(path), cv2.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            what = "is empty" if path.stat().st_size == 0 else "is not a video, or is damaged"
            raise FileError(f"{path}: {what}; convert it to .mp4")
        yield cv2, capture
    finally:
        capture.release()


def _opencv() -> Any:
    check_installed()
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    try:
        import cv2
    except ImportError as error:
        raise KinemeError(
            f"OpenCV cannot be loaded ({one_line(error)}); on Debian: apt-get install libgl1 libglib2.0-0"
        ) from error
    # What is wrong is said in one line, by whoever raises.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2
