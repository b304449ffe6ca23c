"""Films for every test here."""

from __future__ import annotations

from pathlib import Path

import pytest
from sources.video.films import Cinema, opened_cinema


@pytest.fixture
def cinema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cinema:
    """A folder for films, with stand-ins for OpenCV and MediaPipe in their places."""
    return opened_cinema(tmp_path / "films", monkeypatch)
