"""Videos without OpenCV: a stand-in for `cv2` that plays arrays, and one for the network that reads them.

A picture shows people as rows of numbers: for each its place in the picture, and how high it holds its nose.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kineme.sources.video.landmarks import JOINTS, Seen
from kineme.typing import Array

BODY = np.random.default_rng(0).uniform(-0.4, 0.4, (JOINTS, 3)).astype(np.float32)
BODY[[23, 24]] = [[0.1, 0, 0], [-0.1, 0, 0]]  # hips, about the origin
BODY[0] = [0, -0.9, 0.05]  # the nose; y points down
BODY[[31, 32], 1] = 0.8  # feet
Person = tuple[int, int]  # place and height of the nose, 0 to 255


def picture(*people: Person) -> Array:
    image = np.zeros((8, 8, 3), dtype=np.uint8)
    image[0, 0] = len(people)
    for row, person in enumerate(people, start=1):
        image[row, 0, :2] = person
    return image


class Stub:
    """In place of MediaPipe; counts the pictures that it looked at."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def __call__(self, image: Array, time: float) -> Seen:
        self.times.append(time)
        count = int(image[0, 0, 0])
        points = np.repeat(BODY[None], count, axis=0)
        places = np.zeros((count, JOINTS, 2), dtype=np.float32)
        for row in range(count):
            place, nose = image[row + 1, 0, :2].astype(np.float32)
            points[row, 0, 2] = nose / 255
            places[row] = BODY[:, :2] + [place / 10, 0]
        visibility = np.full((count, JOINTS), 0.75, dtype=np.float32)
        return Seen(points, places, visibility)

    @contextmanager
    def made(self) -> Iterator[Stub]:
        yield self


class Cinema:
    """Writes films that the stand-in for OpenCV plays."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stub = Stub()
        self.told: dict[str, tuple[float, Sequence[float], int]] = {}

    def write(
        self,
        name: str,
        pictures: Sequence[Array],
        fps: float = 10.0,
        times: Sequence[float] | None = None,
        said: int | None = None,
    ) -> Path:
        """A film of these pictures, at `times` in seconds, that speaks of `said` frames."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"film")
        self._pictures = {**getattr(self, "_pictures", {}), str(path): list(pictures)}
        times = [number / fps for number in range(len(pictures))] if times is None else times
        self.told[str(path)] = (fps, times, len(pictures) if said is None else said)
        return path

    def capture(self, path: Any, _: Any = None) -> Any:
        cinema, place = self, -1

        class Capture:
            def isOpened(self) -> bool:
                return str(path) in cinema.told

            def get(self, what: str) -> float:
                fps, times, said = cinema.told[str(path)]
                return {"fps": fps, "frames": said, "ms": 1000 * times[max(place, 0)]}[what]

            def read(self) -> tuple[bool, Array | None]:
                nonlocal place
                place += 1
                shown = cinema._pictures[str(path)]
                return (True, shown[place]) if place < len(shown) else (False, None)

            def release(self) -> None:
                pass

        return Capture()


def opened_cinema(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Cinema:
    """A folder for films, with the stand-ins for OpenCV and MediaPipe in their places."""
    found = Cinema(folder)
    cv2: Any = ModuleType("cv2")
    cv2.__spec__ = ModuleSpec("cv2", None)
    cv2.VideoCapture = found.capture
    cv2.CAP_FFMPEG, cv2.COLOR_BGR2RGB = 0, 0
    cv2.CAP_PROP_FPS, cv2.CAP_PROP_FRAME_COUNT, cv2.CAP_PROP_POS_MSEC = "fps", "frames", "ms"
    cv2.cvtColor = lambda image, _: image
    cv2.utils = SimpleNamespace(logging=SimpleNamespace(setLogLevel=lambda level: None, LOG_LEVEL_SILENT=0))
    mediapipe = ModuleType("mediapipe")
    mediapipe.__spec__ = ModuleSpec("mediapipe", None)
    monkeypatch.setitem(sys.modules, "cv2", cv2)
    monkeypatch.setitem(sys.modules, "mediapipe", mediapipe)
    for module in ("kineme.sources.video", "kineme.sources.video.watching"):
        monkeypatch.setattr(f"{module}.landmark_model", lambda model=None: model or Path("stub.task"))
        monkeypatch.setattr(f"{module}.mediapipe_landmarker", lambda model, people: found.stub.made())
    return found
