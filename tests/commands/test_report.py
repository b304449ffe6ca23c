"""`kineme report`, as it is typed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from conftest import Settings
from kineme.__main__ import main
from kineme.training.run import train


def test_clips_that_have_moved_are_found_where_they_are_named(
    moves: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, now, page = tmp_path / "before", tmp_path / "now", tmp_path / "page.html"
    shutil.copytree(moves, before)
    train(Settings(before)(train_epochs=1), tmp_path / "run")
    before.rename(now)
    words = ["report", str(tmp_path / "run"), "--out", str(page)]
    assert main(words) == 0
    assert f"{before}, no longer exists; name the store of its clips" in page.read_text()
    assert main([*words, "--store", str(now)]) == 0
    assert "no longer exists" not in page.read_text()
    assert "kineme-player" in page.read_text()
    assert f"written to {page} (" in capsys.readouterr().err
