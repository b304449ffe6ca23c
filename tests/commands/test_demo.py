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


@pytest.mark.parametrize("name", ["clips/manifest.json", "run/config.yaml", "figures/training.png"])
def test_clips_a_run_or_figures_of_one_s_own_are_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    mine = tmp_path / "mine" / name
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    assert "exists and does not hold a demo; choose another folder" in refusal(tmp_path / "mine", capsys)
    assert mine.read_text() == "mine"


@pytest.mark.parametrize("left", ["run/.lock", ".clips.partial/frames.npy", "clips/manifest.json"])
def test_a_demo_that_was_killed_is_begun_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], left: str
) -> None:
    out = tmp_path / "demo"
    assert "none.npz: no such file" in refusal(out, capsys)  # it has marked its folder
    (out / left).parent.mkdir(parents=True)
    (out / left).touch()
    assert "none.npz: no such file" in refusal(out, capsys)


def test_a_wrong_recipe_is_said_before_an_earlier_demo_is_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.yaml").write_text("methd: {}")
    assert main(["demo", "--out", str(tmp_path / "demo"), "--recipe", str(tmp_path / "mine.yaml")]) == 2
    assert "mine.yaml: names no method" in capsys.readouterr().err
    assert not (tmp_path / "demo").exists()
