"""`kineme demo`: which folders it takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from kineme.__main__ import main


def refusal(out: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What it says of a folder, and of data that are not there where it takes the folder."""
    assert main(["demo", "--out", str(out), "--data", str(out.with_name("none.npz"))]) == 2
    return capsys.readouterr().err


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "demo"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    assert "exists and does not hold a demo; choose another folder" in refusal(out, capsys)
    assert (out / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("left", [".run.lock", ".clips.partial/frames.npy", "clips/manifest.json"])
def test_a_demo_that_was_killed_is_begun_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], left: str
) -> None:
    path = tmp_path / "demo" / left
    path.parent.mkdir(parents=True)
    path.touch()
    assert "none.npz: no such file" in refusal(tmp_path / "demo", capsys)
