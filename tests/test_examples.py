"""Every file in examples/ runs as a script and prints figures that mean something."""

from __future__ import annotations

import os
import re
import runpy
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from spawning import prepared

EXAMPLES = Path(__file__).parents[1] / "examples"
# What a script prints last, and the least it has to reach.
LEAST = {
    "own_parts.py": (r"top-1 ([\d.]+) %", 65.0),
    "own_poses_to_neighbours.py": (r"same action: ([\d.]+) %", 85.0),
    "own_training_loop.py": (r"after training: kNN ([\d.]+) %", 72.0),
    "probe_own_features.py": (r"range_of_motion +linear ([\d.]+) %", 75.0),
    "watch_poses.py": (r"found: ([\d.]+) % of", 80.0),
}


def run(path: Path, folder: Path, output: Path) -> None:
    """The script, in a process of its own and in this folder."""
    os.chdir(folder)
    sys.path.insert(0, str(path.parent))  # as Python does for a script
    with output.open("w") as file, redirect_stdout(file), redirect_stderr(file):
        runpy.run_path(str(path), run_name="__main__")


@pytest.mark.parametrize("name", LEAST)
def test_an_example_prints_what_it_promises(name: str, tmp_path: Path) -> None:
    output, folder = tmp_path / "output.txt", tmp_path / "folder"
    folder.mkdir()
    process = prepared().Process(target=run, args=(EXAMPLES / name, folder, output))
    process.start()
    process.join(timeout=300)
    printed = output.read_text()
    assert process.exitcode == 0, printed
    pattern, least = LEAST[name]
    found = re.search(pattern, printed)
    assert found, printed
    assert float(found[1]) >= least
    assert not any(folder.iterdir()), "an example leaves nothing behind"


def test_every_script_is_tested() -> None:
    """`new_method.py` is no script: see test_foreign_method.py."""
    assert {path.name for path in EXAMPLES.glob("*.py")} == {*LEAST, "new_method.py"}
