"""Every command that writes is killed and refused in all ways; `KINEME_KILLS=50` kills more often.

`python -m reliability`, in this folder's parent, makes the table of docs/reliability.md.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


@pytest.mark.slow
def test_no_kill_and_no_full_disk_loses_anything() -> None:
    for needed in ("onnx", "onnxruntime", "faiss", "huggingface_hub", "pyarrow"):
        pytest.importorskip(needed)
    path = os.pathsep.join([str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")])
    words = ["--kills", os.environ.get("KINEME_KILLS", "2"), "--points", os.environ.get("KINEME_POINTS", "4")]
    command = [sys.executable, "-m", "reliability", *words]
    ended = subprocess.run(
        command, cwd=TESTS, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
