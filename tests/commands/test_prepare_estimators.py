"""`kineme prepare poses` of estimators' files on the command line: options, preview, help of one source."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sources.animals import deeplabcut
from sources.estimators import mediapipe_csv

from kineme.__main__ import USAGE_ERROR, main
from kineme.clips.store import ClipStore


def recordings(folder: Path) -> Path:
    folder.mkdir()
    for name in ("ann_squat-1", "ann_squat-2", "bob_jump-1"):
        (folder / f"{name}.csv").write_text(mediapipe_csv()["wide"])
    return folder


def test_names_of_clips_are_their_classes_and_people(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw, out = recordings(tmp_path / "raw"), tmp_path / "store"
    words = ["prepare", "poses", str(raw), str(out), "--name", "{subject}_{label}-{take}"]
    assert main([*words, "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "recordings: 3 clips of 2 classes" in printed
    assert "first clip: ann_squat-1 (squat, subject ann): 10 frames, 0.4 s, 1 body" in printed
    assert not out.exists()
    assert main(words) == 0
    store = ClipStore(out)
    assert [store.manifest.class_names[label] for label in store.labels] == ["squat", "squat", "jump"]
    assert store.index["subject"].tolist() == ["ann", "ann", "bob"]
    assert (store.manifest.fps, store.manifest.fps_status) == (25, "known")


def test_options_in_messages_are_those_of_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = tmp_path / "squat.csv"
    points = np.random.default_rng(0).random((5, 33, 2)).round(3)
    header = ",".join(f"x{j},y{j}" for j in range(33))
    raw.write_text("\n".join([header, *(",".join(map(str, frame.ravel())) for frame in points)]))
    assert main(["prepare", "poses", str(raw), str(tmp_path / "s"), "--least-confidence", "2"]) == USAGE_ERROR
    assert "--least-confidence: is 2.0; it must be at least 0 and at most 1" in capsys.readouterr().err
    assert main(["prepare", "poses", str(raw), str(tmp_path / "s")]) == USAGE_ERROR
    (line,) = capsys.readouterr().err.splitlines()[-1:]
    assert "--image: not given, and in the first clip x and y are fractions" in line
    assert main(["prepare", "poses", str(raw), str(tmp_path / "s"), "--image", "1920x1080"]) == 0


def test_animals_are_stored_with_their_own_layout(tmp_path: Path) -> None:
    raw = tmp_path / "mice.csv"
    raw.write_text(deeplabcut(["one", "two"]))
    assert main(["prepare", "poses", str(raw), str(tmp_path / "store"), "--least-confidence", "0.6"]) == 0
    store = ClipStore(tmp_path / "store")
    assert (store.layout.joints, store.frames.shape) == (("snout", "tailbase"), (6, 2, 2, 3))


def test_the_help_of_a_source_has_its_options_alone(capsys: pytest.CaptureFixture[str]) -> None:
    shown = {}
    for words in (["prepare", "--help"], ["prepare", "poses", "--help"], ["prepare", "ntu60", "--help"]):
        assert main(words) == 0
        shown[words[1]] = capsys.readouterr().out
    assert "--components" in shown["poses"]
    assert "--untrimmed" not in shown["poses"]
    assert "--components" not in shown["ntu60"]
    assert "--skip-bad" in shown["ntu60"]
    assert all(option in shown["--help"] for option in ("--components", "--untrimmed"))
    assert main(["prepare", "ntu61", "--help"]) == USAGE_ERROR


def test_an_npz_without_poses_says_what_it_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "a.npz", skeletons=np.ones((4, 5, 3)), label=np.ones(4))
    assert main(["prepare", "poses", str(tmp_path), str(tmp_path / "s")]) == USAGE_ERROR
    said = "lacks the array 'xyz' (or 'keypoints'); it has skeletons float64 (4, 5, 3), label float64 (4,)"
    assert said in capsys.readouterr().err
