"""The file of the networks: one's own, or the published one, fetched once and checked."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from kineme.errors import KinemeError
from kineme.sources.video.model_file import VARIABLE, cached_model, landmark_model


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A published file with its SHA-256, and an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(VARIABLE, raising=False)
    path = tmp_path / "published.task"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pose_detector.tflite", b"network")
    return {"url": path.as_uri(), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def test_it_is_fetched_once(published: dict[str, str], tmp_path: Path) -> None:
    found = landmark_model(**published)
    assert found == cached_model()
    assert found == tmp_path / "cache" / "kineme" / "pose_landmarker_full.task"
    (tmp_path / "published.task").unlink()
    assert landmark_model(**published) == found


def test_another_file_is_never_taken(published: dict[str, str]) -> None:
    with pytest.raises(KinemeError, match="is not the file that was published"):
        landmark_model(url=published["url"], sha256="0" * 64)
    assert not cached_model().exists()
    landmark_model(**published)
    cached_model().write_bytes(b"changed")
    with pytest.raises(KinemeError, match=r"pose_landmarker_full\.task: is not file:.*as it was published"):
        landmark_model(**published)


def test_without_a_network_the_address_and_the_way_out_are_named(published: dict[str, str]) -> None:
    closed = "http://127.0.0.1:9/pose.task"
    with pytest.raises(KinemeError) as raised:
        landmark_model(url=closed, sha256=published["sha256"])
    message = str(raised.value)
    assert message.startswith(f"{closed}: cannot be downloaded (")
    assert f"put it at {cached_model()}, or name a .task file by `model`" in message
    assert VARIABLE in message
    assert "\n" not in message


def test_ones_own_file_by_argument_or_by_variable(
    published: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "published.task"
    assert landmark_model(own, url="http://127.0.0.1:9/never", sha256="") == own
    monkeypatch.setenv(VARIABLE, str(own))
    assert landmark_model(url="http://127.0.0.1:9/never", sha256="") == own
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nix.task"))
    with pytest.raises(KinemeError, match=f"no such file; {VARIABLE} is a .task file"):
        landmark_model(**published)
    (tmp_path / "text.task").write_text("no zip")
    with pytest.raises(KinemeError, match=r"text\.task: is not a \.task file"):
        landmark_model(tmp_path / "text.task")
