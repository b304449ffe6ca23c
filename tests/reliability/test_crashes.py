"""Every command that writes is killed and refused in all ways; `KINEME_KILLS=50` kills more often.

`python -m reliability`, in this folder's parent, makes the table of docs/reliability.md.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from reliability import visiting

TESTS = Path(__file__).parents[1]


@pytest.mark.slow
def test_no_kill_and_no_full_disk_loses_anything() -> None:
    for needed in ("onnx", "onnxruntime", "faiss", "huggingface_hub", "pyarrow", "fastapi", "uvicorn"):
        pytest.importorskip(needed)
    path = os.pathsep.join([str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")])
    words = ["--kills", os.environ.get("KINEME_KILLS", "2"), "--points", os.environ.get("KINEME_POINTS", "4")]
    command = [sys.executable, "-m", "reliability", *words]
    ended = subprocess.run(
        command, cwd=TESTS, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_label_that_was_answered_and_is_not_kept_is_noticed(tmp_path: Path) -> None:
    table, notes = tmp_path / visiting.TABLE, tmp_path / "visited"
    table.parent.mkdir()
    notes.write_text("200 \n422 the disk is full\n")
    header, first = "name,label,start,end\n", "clip00,rise,,\nclip03,rise,,\n"
    table.write_text(header + first)
    assert not list(visiting.lost(tmp_path, notes))
    table.write_text(header + first + "clip04,swing,,\nclip07,swing,,\n")  # asked for when it was killed
    assert not list(visiting.lost(tmp_path, notes))
    table.write_text(header + first + "clip01,swing,,\n")  # was refused
    assert list(visiting.lost(tmp_path, notes))
    table.unlink()
    assert list(visiting.lost(tmp_path, notes))
    notes.write_text("500 Internal Server Error\n")
    assert list(visiting.lost(tmp_path, notes)) == ["a label was answered by 500 Internal Server Error"]
