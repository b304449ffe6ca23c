"""Pictures → the landmarks of the people on them, by MediaPipe's pose landmarker."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from kineme.errors import KinemeError, one_line
from kineme.sources.video.pictures import check_installed
from kineme.typing import Array

LAYOUT = "mediapipe33"
JOINTS = 33


@dataclass(frozen=True)
class Seen:
    """The people of one picture.

    Attributes:
        points: (P, 33, 3) float32, metres from the middle of each person's hips, y down.
        places: (P, 33, 2) float32, in the picture, in its heights; by these people are tracked.
        visibility: (P, 33) float32, 0 to 1.
    """

    points: Array
    places: Array
    visibility: Array


class Landmarker(Protocol):
    """Finds people, following them from picture to picture of one video."""

    def __call__(self, image: Array, time: float) -> Seen:
        """The people on an image (H, W, 3), uint8 in red, green, blue; times, in seconds, ascend."""


@contextmanager
def mediapipe_landmarker(model: Path, people: int) -> Iterator[Landmarker]:
    """MediaPipe's landmarker for one video or one camera.

    Args:
        model: its `.task` file.
        people: the most that are found in a picture. For one, MediaPipe smooths the landmarks over time.

    Raises:
        KinemeError: MediaPipe is missing or cannot be loaded, or the file is none of its models.
    """
    check_installed()
    with _silenced():
        try:
            import mediapipe
            from mediapipe.tasks.python import BaseOptions, vision
        except (ImportError, OSError) as error:
            raise _unloadable(error) from error
        options = vision.PoseLandmarkerOptions(
            # As bytes: MediaPipe then never looks for the path itself.
            base_options=BaseOptions(model_asset_buffer=model.read_bytes()),
            running_mode=vision.RunningMode.VIDEO,
            num_poses=people,
        )
        try:
            landmarker = vision.PoseLandmarker.create_from_options(options)
        except OSError as error:
            if "lib" in str(error) and ".so" in str(error):
                raise _unloadable(error) from error
            raise _no_model(model, error) from error
        except (RuntimeError, ValueError) as error:
            raise _no_model(model, error) from error
    with landmarker:
        yield _MediaPipe(mediapipe, landmarker)


class _MediaPipe:
    def __init__(self, mediapipe: Any, landmarker: Any) -> None:
        self._mediapipe, self._landmarker = mediapipe, landmarker
        self._last = -1  # milliseconds
        self._quiet = False  # it has said what it says once

    def __call__(self, image: Array, time: float) -> Seen:
        height, width = image.shape[:2]
        picture = self._mediapipe.Image(
            image_format=self._mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(image)
        )
        self._last = max(round(1000 * time), self._last + 1)
        if self._quiet:
            found = self._landmarker.detect_for_video(picture, self._last)
        else:
            with _silenced():
                found = self._landmarker.detect_for_video(picture, self._last)
            self._quiet = bool(found.pose_world_landmarks)
        people = len(found.pose_world_landmarks)
        world = [(j.x, j.y, j.z, j.visibility) for each in found.pose_world_landmarks for j in each]
        flat = [(j.x * width / height, j.y) for each in found.pose_landmarks for j in each]
        joints = np.array(world, dtype=np.float32).reshape(people, JOINTS, 4)
        return Seen(
            joints[..., :3],
            np.array(flat, dtype=np.float32).reshape(people, JOINTS, 2),
            np.clip(joints[..., 3], 0, 1),
        )


def _no_model(model: Path, error: Exception) -> KinemeError:
    return KinemeError(f"{model}: is not a MediaPipe pose landmarker ({one_line(error)}); name another file")


def _unloadable(error: Exception) -> KinemeError:
    needed = "apt-get install libgl1 libglib2.0-0 libegl1 libgles2"
    return KinemeError(f"MediaPipe cannot be loaded ({one_line(error)}); on Debian: {needed}")


@contextmanager
def _silenced() -> Iterator[None]:
    """Nothing on stderr: MediaPipe's library has remarks for its developers that no setting turns off."""
    sys.stderr.flush()
    before, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
        os.close(nowhere)
