"""Every file in examples/ runs as a script and prints figures that mean something."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
# What a script prints last, and the least it has to reach.
LEAST = {
    "own_parts.py": (r"top-1 ([\d.]+) %", 65.0),
    "own_poses_to_neighbours.py": (r"same action: ([\d.]+) %", 85.0),
    "own_training_loop.py": (r"after training: kNN ([\d.]+) %", 72.0),
    "probe_own_features.py": (r"range_of_motion +linear ([\d.]+) %", 75.0),
    "watch_poses.py": (r"found: ([\d.]+) % of", 80.0),
}


@pytest.mark.parametrize("name", LEAST)
def test_an_example_prints_what_it_promises(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(EXAMPLES.parent / "src")},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    pattern, least = LEAST[name]
    found = re.search(pattern, done.stdout)
    assert found, done.stdout
    assert float(found[1]) >= least
    assert not any(tmp_path.iterdir()), "an example leaves nothing behind"


def test_every_script_is_tested() -> None:
    """`new_method.py` is no script: see test_foreign_method.py."""
    assert {path.name for path in EXAMPLES.glob("*.py")} == {*LEAST, "new_method.py"}
