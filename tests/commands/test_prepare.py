"""`kineme prepare` from the command line: options go through, and what came of it is printed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from golden_fill import GOLDEN

from kineme.__main__ import main
from kineme.clips.store import ClipStore

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
    assert f"left out as damaged: 1\n  {damaged}:" in printed


def test_options_of_a_source_reach_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = str(GOLDEN / "ntu_raw")
    assert main(["prepare", "ntu60", raw, str(tmp_path / "store"), "--axes", "z-up"]) == 2
    assert "source ntu60 has no option --axes; it takes none" in capsys.readouterr().err
    assert main(["prepare", "ntu61", raw, str(tmp_path / "store")]) == 2
    assert "unknown source 'ntu61'; did you mean ntu60?" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
