"""Runs that torchrun starts: what they write and say, and what is left when a process is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kineme.training.history import read_history

RECIPE = {
    "data": {"frames": 8},
    "train": {"batch_size": 4, "devices": 2, "device": "cpu", "precision": "float32", "knn_every": 0},
    "method": {"name": "usdrl"},
    "encoder": {"name": "sttr", "hidden": 16},
}
ONE_THREAD = os.environ | {"OMP_NUM_THREADS": "1"}


def torchrun(*words: str) -> list[str]:
    """The command that starts two processes of `kineme` on this machine."""
    started = "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "kineme"
    return [sys.executable, *started, *words]


@pytest.fixture
def words(moves: Path, tmp_path: Path) -> list[str]:
    """`pretrain` of a recipe into the folder `run`."""
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(json.dumps(RECIPE))
    return ["pretrain", str(recipe), "--store", str(moves), "--out", str(tmp_path / "run")]


def said(text: str) -> list[str]:
    """The lines of Kineme, not those of torchrun."""
    return [line for line in text.splitlines() if line.startswith("kineme pretrain: ")]


def after_an_epoch(history: Path, process: subprocess.Popen[str]) -> None:
    """Waits until a run has saved something."""
    until = time.monotonic() + 120
    while not history.exists():
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.1)


def children(process: int) -> list[int]:
    """The processes that a process has started."""
    found = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(number) for number in found.split()]


@pytest.mark.slow
def test_torchrun_trains_one_run_and_embeds_once(words: list[str], tmp_path: Path, moves: Path) -> None:
    run, table = tmp_path / "run", tmp_path / "table.npz"
    embed = "embed", str(run), str(moves), "--out", str(table), "--device=cpu"
    for command, told in (((*words, "--train.epochs=2"), "the run is in"), (embed, "written")):
        done = subprocess.run(
            torchrun(*command), capture_output=True, text=True, timeout=300, env=ONE_THREAD, check=False
        )
        assert done.returncode == 0, done.stderr
        assert (done.stdout + done.stderr).count(told) == 1
    assert [row["step"] for row in read_history(run / "history.csv")] == [3, 6]
    assert table.exists()


@pytest.mark.slow
def test_more_processes_than_the_settings_say_are_refused(words: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        torchrun(*words, "--train.devices=1"), capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode != 0
    (line,) = said(done.stderr)
    assert line == (
        "kineme pretrain: error: torchrun started 2 processes, 2 a machine, but train.devices is 1 and "
        "train.nodes 1; set train.devices=2 and train.nodes=1"
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc")
@pytest.mark.parametrize("launcher", ["torchrun", "lightning"])
@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_process_ends_the_run_which_goes_on_when_resumed(
    launcher: str, victim: int, words: list[str], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    command = [*words, "--train.epochs=100000"]
    own = [sys.executable, "-m", "kineme", *command]
    with subprocess.Popen(
        torchrun(*command) if launcher == "torchrun" else own,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ONE_THREAD,
    ) as process:
        after_an_epoch(run / "state.ckpt", process)
        both = children(process.pid) if launcher == "torchrun" else [process.pid, *children(process.pid)]
        began = time.monotonic()
        os.kill(both[victim], signal.SIGKILL)
        _, stderr = process.communicate(timeout=60)
        took = time.monotonic() - began
    assert process.returncode != 0
    assert took < 30
    if victim == 1:  # the first process is left to tell: of the loss, or that torchrun has ended it
        (line,) = [line for line in stderr.splitlines() if "--resume" in line]
        lost = f"kineme pretrain: error: {run}: a process of this run has ended, so all of them stop"
        assert launcher == "torchrun" or line.startswith(lost)
    epochs = len(read_history(run / "history.csv"))
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("epochs: 100000", f"epochs: {epochs + 2}"))
    again = [sys.executable, "-m", "kineme", "pretrain", "--resume", str(run), "--train.devices=1"]
    done = subprocess.run(again, capture_output=True, text=True, timeout=300, env=ONE_THREAD, check=False)
    assert done.returncode == 0, done.stderr
    assert "the run began with processes 2 (now 1)" in done.stderr
    history = read_history(run / "history.csv")
    assert [row["epoch"] for row in history] == list(range(1, epochs + 3))
