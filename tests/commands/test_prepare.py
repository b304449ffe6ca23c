"""`kineme prepare` from the command line: options go through, and what came of it is printed."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from golden_fill import GOLDEN

from kineme.__main__ import main
from kineme.clips.store import ClipStore
from kineme.layouts import get_layout

KINECT = (
    *("Spine", "ShoulderCenter", "Head", "ShoulderLeft", "ElbowLeft", "WristLeft", "HandLeft"),
    *("ShoulderRight", "ElbowRight", "WristRight", "HandRight", "HipLeft", "KneeLeft", "AnkleLeft"),
    *("FootLeft", "HipRight", "KneeRight", "AnkleRight", "FootRight"),
)
NAMES = sorted(path.stem for path in (GOLDEN / "ntu_raw").iterdir())


def test_a_store_is_described(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(GOLDEN / "ntu_raw", tmp_path / "raw")
    (tmp_path / "list.txt").write_text(NAMES[0])
    damaged = tmp_path / "raw" / f"{NAMES[1]}.skeleton"
    damaged.write_bytes(damaged.read_bytes()[:5000])
    words = ["ntu120", str(tmp_path / "raw"), str(tmp_path / "store"), "--preprocessing", "crossclr"]
    assert main(["prepare", *words, "--ignore", str(tmp_path / "list.txt"), "--skip-bad"]) == 0
    store = ClipStore(tmp_path / "store")
    assert store.names.tolist() == NAMES[2:]
    printed = capsys.readouterr().out
    first, second, _, published, *_ = printed.splitlines()
    assert first == f"{store.path}: 3 clips, 150 frames, 3 classes, 3 subjects"
    assert second == "layout ntu25, preprocessing crossclr, source ntu120, 30 fps"
    assert published == "3 clips: 113,942 fewer than the published 113,945"
    assert "left out by the ignore list: 1\n" in printed
    assert f"left out as damaged: 1\n  {damaged}, line " in printed


def test_what_was_left_out_is_said_in_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    header = [f"{joint}{axis}" for joint in ("HipCenter", *KINECT) for axis in "XYZ"]
    for name, columns in (("a", header), ("b", header[3:])):
        (tmp_path / f"{name}.csv").write_text(f"{','.join(columns)}\n{'0.5,' * (len(columns) - 1)}1\n")
    assert main(["prepare", "poses", str(tmp_path), str(tmp_path / "store"), "--skip-bad"]) == 0
    printed = capsys.readouterr().out
    assert f"left out as damaged: 1\n  {tmp_path / 'b.csv'}: lacks the joint 'hip_center'" in printed
    assert "with --layout, or say by --joint-map" in printed


def test_options_of_a_source_reach_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = str(GOLDEN / "ntu_raw")
    assert main(["prepare", "ntu60", raw, str(tmp_path / "store"), "--axes", "z-up"]) == 2
    assert "source ntu60 has no option --axes; it takes none" in capsys.readouterr().err
    assert main(["prepare", "ntu61", raw, str(tmp_path / "store")]) == 2
    assert "unknown source 'ntu61'; did you mean ntu60?" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


MOCAP = Path(__file__).parents[1] / "mocap"


def test_a_dry_run_says_what_would_be_read_as_what(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(["prepare", "poses", str(MOCAP / "tennis_serve.c3d"), str(tmp_path / "store"), "--dry-run"]) == 0
    )
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        "recordings: 1 clip without classes, read as tennis_serve",
        "first clip: tennis_serve: 30 frames, 0.6 s, 1 body, measuring about 1.57 m",
        "joints: 20 of kinect20: hip_center, spine, shoulder_center, head, ...",
        "rate and units: 50 frames a second, metres, without confidences",
        f"store: {tmp_path / 'store'}, by plain; nothing is written (dry run)",
    ]
    assert printed.err.splitlines() == [
        "bodies stand z-up; set --axes if that is wrong",
        "joints of kinect20: markers of Plug-in Gait",
    ]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("long", [False, True], ids=["a row a frame", "a row a joint"])
def test_a_dry_run_names_the_columns_of_tables_that_are_not_read_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], long: bool
) -> None:
    """`Zeit` is no time that is known; the class, the frame and the joints are read."""
    joints = get_layout("coco17").joints
    (tmp_path / "raw").mkdir()
    for name in ("anna", "bert"):
        if long:
            lines = ["frame,Zeit,joint,x,y,z,Klasse,Note"]
            lines += [
                f"{t},{t / 30},{joint},{t},{i / 10},1,wave,a"
                for t in range(9)
                for i, joint in enumerate(joints)
            ]
        else:
            lines = [
                ",".join(["frame", "Zeit", *(f"{j}_{axis}" for j in joints for axis in "xyz"), "Klasse,Note"])
            ]
            lines += [
                f"{t},{t / 30},{','.join(f'{t},{i / 10},1' for i in range(17))},wave,a" for t in range(9)
            ]
        (tmp_path / "raw" / f"{name}.csv").write_text("\n".join(lines))
    words = ["prepare", "poses", str(tmp_path / "raw"), "store", "--dry-run"]
    assert main([*words, "--label-column", "klasse", "--axes", "y-up", "--units", "m"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "not read" in line] == ["columns that are not read: 'Zeit', 'Note'"]
    assert lines[0].startswith("recordings: 2 clips of 1 class")


def test_a_dry_run_of_any_source(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", "ntu120", str(GOLDEN / "ntu_raw"), str(tmp_path / "store"), "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"recordings: {len(NAMES)} clips of 120 classes, read as ntu120"
    assert lines[3] == "rate and units: 30 frames a second, metres, without confidences"
    assert lines[4].endswith("nothing is written (dry run)")  # all were read
    assert len(lines) == 5
    assert main(["prepare", "ntu60", str(tmp_path), str(tmp_path / "store"), "--dry-run"]) == 2


def test_a_dry_run_finds_what_prepare_would_stop_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first clip is passed over to see what the others are like, and a later one is cut off too."""
    raw, store = tmp_path / "raw", str(tmp_path / "store")
    raw.mkdir()
    for name in "abcd":
        np.save(raw / f"{name}.npy", np.random.default_rng(0).random((12, 20, 3)) * 1.7)
    for name in "ac":
        (raw / f"{name}.npy").write_bytes((raw / "b.npy").read_bytes()[:-100])
    words = ["prepare", "poses", str(raw), store, "--layout", "kinect20", "--fps", "30"]
    assert main(words) == 2
    assert f"{raw / 'a.npy'}: claims the shape (12, 20, 3) and has another size" in capsys.readouterr().err
    assert main([*words, "--dry-run"]) == 2
    printed = capsys.readouterr()
    assert printed.err == (
        f"kineme prepare: error: {raw}: 2 of 4 clips cannot be read; mend them, "
        "or set --skip-bad to leave them out\n"
    )
    lines = printed.out.splitlines()
    assert lines[1].startswith("first clip: b: 12 frames")
    at = lines.index("damaged: 2")
    assert [line.split(":")[0] for line in lines[at + 1 : at + 3]] == [
        f"  {raw / f'{name}.npy'}" for name in "ac"
    ]
    assert main([*words, "--dry-run", "--skip-bad"]) == 0
    assert not (tmp_path / "store").exists()


def test_a_dry_run_of_many_clips_says_how_many_it_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kineme.preparing._CHECKED", 3)
    for number in range(7):
        np.save(tmp_path / f"{number}.npy", np.random.default_rng(0).random((12, 20, 3)) * 1.7)
    for number in (1, 3):
        (tmp_path / f"{number}.npy").write_bytes(b"")
    words = ["prepare", "poses", str(tmp_path), "store", "--layout", "kinect20", "--dry-run", "--skip-bad"]
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].endswith("nothing is written (dry run); 3 of 7 clips were read, others may be damaged")
    assert lines[-3:-1] == [
        "damaged: 1",
        f"  {tmp_path / '3.npy'}: is empty; fix the file",
    ]


def test_an_assumed_frame_rate_is_said_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import json

    import numpy as np

    np.save(tmp_path / "walk.npy", np.random.default_rng(0).random((12, 20, 3)) * 1.7)
    words = ["prepare", "poses", str(tmp_path / "walk.npy"), str(tmp_path / "store"), "--layout", "kinect20"]
    assert main(words) == 0
    printed = capsys.readouterr()
    assert (
        "the files give no frame rate; 30 frames per second are assumed, set --fps if that is wrong"
        in printed.err
    )
    assert "source walk, 30 fps (assumed)" in printed.out
    assert json.loads((tmp_path / "store" / "manifest.json").read_text())["fps_status"] == "assumed"
    assert main(["info", str(tmp_path / "store")]) == 0
    assert "30 fps (assumed" in capsys.readouterr().out
    assert main([*words, "--fps", "30", "--overwrite"]) == 0
    printed = capsys.readouterr()
    assert "assumed" not in printed.out.partition("layout")[2] + printed.err
    assert ClipStore(tmp_path / "store").manifest.fps_status == "known"
