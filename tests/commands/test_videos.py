"""Videos on the command line, with stand-ins for OpenCV and the network that finds people."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from inference.models import model
from sources.video.films import Cinema, opened_cinema, picture

from kineme.__main__ import main
from kineme.clips.store import ClipStore
from kineme.errors import KinemeError
from kineme.layouts import get_layout
from kineme.loading import load


@pytest.fixture
def cinema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cinema:
    """The current directory, with two videos of people who nod, and a run."""
    monkeypatch.chdir(tmp_path)
    found = opened_cinema(tmp_path / "films", monkeypatch)
    model(tmp_path / "run", get_layout("mediapipe33"))
    noses = (127 + 127 * np.sin(np.arange(60) / 4)).astype(int)
    found.write("nod.mp4", [picture((0, nose)) for nose in noses])
    found.write("still.mp4", [picture((0, 0))] * 60)
    return found


def test_prepare_embed_and_python_agree(cinema: Cinema, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", "video", "films", "store", "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "beginning of the first clip: nod: 60 frames, 6.0 s, 1 body, measuring about" in told
    assert "33 of mediapipe33" in told
    assert "10 frames a second, metres, with confidences" in told
    assert not Path("store").exists()
    assert main(["prepare", "video", "films", "store"]) == 0
    assert ClipStore("store").names.tolist() == ["nod", "still"]
    of_store = load("run").embed("store")
    np.testing.assert_allclose(load("run").embed("films"), of_store, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(load("run").embed("films/nod.mp4"), of_store[:1], rtol=1e-5, atol=1e-6)
    assert main(["embed", "run", "films/nod.mp4", "--out", "nod.npz"]) == 0
    with np.load("nod.npz") as table:
        np.testing.assert_allclose(table["features"], of_store[:1], rtol=1e-5, atol=1e-6)


def test_a_video_is_watched(cinema: Cinema, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", "video", "films", "store"]) == 0
    capsys.readouterr()
    like = ["--like", "nod[1s:3s]", "--library", "store", "--threshold", "0.9999", "--step", "0.1s"]
    assert main(["watch", "run", "--video", "films/nod.mp4", *like]) == 0
    out, said = capsys.readouterr()
    print(out, said)
    events = [json.loads(line) for line in out.splitlines()]
    assert [(event["event"], event["person"]) for event in events] == [("start", 1), ("end", 1)] * 2
    middles = [(event["start"] + event["end"]) / 2 for event in events[1::2]]
    assert middles == pytest.approx([2.0, 2.0 + 0.8 * np.pi], abs=0.05)  # where it was cut, and a nod later
    assert "60 frames" in said


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--camera", "0", "--video", "films/nod.mp4"], "--camera and --video are two inputs; choose one"),
        (["--video", "films/nod.mp4", "--units", "mm"], "--units has no effect on a video; drop it"),
        (["--people", "2"], "--people and --model are for a --camera or --video; name one"),
        (["--camera", "0"], "--camera: there is no camera 0"),
        (["--video", "nix.mp4"], "nix.mp4: no such file"),
    ],
)
def test_mistakes_earn_one_line(
    cinema: Cinema, words: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prepare", "video", "films", "store"]) == 0
    capsys.readouterr()
    assert (
        main(["watch", "run", "--like", "nod[1s:3s]", "--library", "store", "--threshold", "0.9", *words])
        == 2
    )
    said = capsys.readouterr().err.strip()
    assert said.startswith(f"kineme watch: error: {reason}")
    assert "\n" not in said


def test_options_of_files_of_poses_are_refused(cinema: Cinema) -> None:
    with pytest.raises(KinemeError, match="`units` has no effect on a video; drop it"):
        load("run").embed("films/nod.mp4", units="mm")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--people", "0"], "--people"),
        (["--units", "mm"], "source video has no option --units; it takes --fps, --people, --model\n"),
    ],
)
def test_options_of_prepare(
    cinema: Cinema, words: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prepare", "video", "films", "store", *words]) == 2
    assert capsys.readouterr().err.startswith(f"kineme prepare: error: {reason}")
