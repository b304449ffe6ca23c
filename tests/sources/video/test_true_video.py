"""True videos, true OpenCV, and the true network; skipped where `kineme[video]` or its model is missing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kineme.errors import KinemeError
from kineme.preparing import prepare
from kineme.sources.video.model_file import VARIABLE, cached_model
from kineme.sources.video.pictures import decoded, film

FILM = "KINEME_VIDEO"  # a video in which people walk, such as Debian's opencv-doc has
USUAL = Path("/usr/share/doc/opencv-doc/examples/data/vtest.avi")


def recorded(path: Path, frames: int, fps: float = 12.5) -> Path:
    """A video whose grey rises by 5 from picture to picture."""
    cv2: Any = pytest.importorskip("cv2", reason='OpenCV is missing; pip install "kineme[video]"')
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), fps, (64, 48))
    for number in range(frames):
        writer.write(np.full((48, 64, 3), 20 + 5 * number, dtype=np.uint8))
    writer.release()
    return path


def test_a_recorded_video_is_decoded_with_its_times(tmp_path: Path) -> None:
    path = recorded(tmp_path / "grey.avi", 30)
    assert (film(path).fps, film(path).frames) == (12.5, 30)
    shown = list(decoded(path))
    np.testing.assert_allclose([each.time for each in shown], np.arange(30) / 12.5, atol=1e-3)
    assert shown[0].image.shape == (48, 64, 3)
    assert [round(each.image.mean()) for each in shown] == pytest.approx(list(range(20, 170, 5)), abs=2)


def test_what_is_no_video_and_what_is_left_of_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = recorded(tmp_path / "grey.avi", 30)
    (tmp_path / "text.mp4").write_text("no video" * 100)
    (tmp_path / "empty.mp4").touch()
    for name, reason in (("text.mp4", "is not a video, or is damaged"), ("empty.mp4", "is empty")):
        with pytest.raises(KinemeError, match=reason):
            film(tmp_path / name)
    whole = path.read_bytes()
    path.write_bytes(whole[: 3 * len(whole) // 4])
    assert 0 < len(list(decoded(path))) < 30
    assert "is it cut off?" in caplog.text


@pytest.mark.slow
@pytest.mark.data
def test_people_are_found_in_a_true_video(tmp_path: Path) -> None:
    pytest.importorskip("mediapipe", reason='MediaPipe is missing; pip install "kineme[video]"')
    path = Path(os.environ.get(FILM, USUAL))
    if not path.is_file():
        pytest.skip(f"{path} is not there; {FILM} may name a video in which people walk")
    if not os.environ.get(VARIABLE) and not cached_model().is_file():
        pytest.skip(f"the model is not in the cache; {VARIABLE} may name a .task file")
    store = prepare("video", path, tmp_path / "store").store
    xyz = store.clip(0)[:, 0]
    there = xyz.any(axis=(1, 2))
    assert there.mean() > 0.3
    heights = xyz[there][:, 0, 1] - xyz[there][:, [27, 28], 1].mean(axis=1)  # nose above ankles, in metres
    assert 0.9 < np.median(heights) < 1.9
    thighs = np.linalg.norm(xyz[there][:, 23] - xyz[there][:, 25], axis=-1)
    assert 0.25 < np.median(thighs) < 0.6
