"""Commands beside each other, commands that are stopped, and outputs that nobody reads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from spawning import heed_interrupts

from conftest import Settings
from kineme.__main__ import CLOSED_PIPE, COMMANDS, INTERRUPTED, USAGE_ERROR, main
from kineme.files import locked
from kineme.training.run import train


@pytest.fixture(scope="module")
def trained(moves: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one epoch."""
    run = tmp_path_factory.mktemp("together") / "run"
    train(Settings(moves)(train_epochs=1, data_split="odd-even"), run)
    return run


WRITERS = {
    "embed RUN STORE --out OUT.npz": "OUT.npz",
    "cluster RUN STORE --out OUT.csv": "OUT.csv",
    "cluster RUN STORE --out OUT.csv --page OUT.html": "OUT.html",
    "predict RUN STORE --out OUT.csv": "OUT.csv",
    "search RUN STORE --like clip00 --out OUT.csv": "OUT.csv",
    "teach RUN labels.csv --out OUT.safetensors": "OUT.safetensors",
    "show STORE clip00 --out OUT.html": "OUT.html",
    "info STORE --figure OUT.png": "OUT.png",
    "report RUN --out OUT.html": "OUT.html",
    "export RUN --out OUT": "OUT",
    "generate OUT --subjects 1": "OUT",
    "pretrain aimclr-small --store STORE --out OUT": "OUT",
    "demo --out OUT": "OUT",
    "evaluate knn RUN": "RUN/results/knn.json",
    "evaluate knn RUN --k 3": "RUN/results/knn-k3.json",
    "evaluate linear RUN --seed 2": "RUN/results/linear-seed2.json",
}


@pytest.mark.parametrize(
    ("words", "output"),
    WRITERS.items(),
    ids=WRITERS,
)
def test_the_second_of_two_commands_is_told_who_writes(
    words: str, output: str, moves: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "labels.csv").write_text("name,label\nclip00,a\nclip01,b\n")
    places = {"RUN": trained, "STORE": moves, "OUT": tmp_path / "out", "labels": tmp_path / "labels"}

    def placed(text: str) -> str:
        for name, place in places.items():
            text = text.replace(name, str(place))
        return text

    path = Path(placed(output))
    with locked(path, "this output"):
        assert main(placed(words).split()) == USAGE_ERROR
    *_, line = capsys.readouterr().err.splitlines()
    assert f"{path}: this " in line
    assert f"is being written by another process (pid {os.getpid()}); wait for it" in line
    assert not path.exists()


def test_what_a_command_held_is_free_when_it_ends(
    moves: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert main(["show", str(moves), "clip00", "--out", str(tmp_path / "a.html")]) == 0
        assert main(["show", str(moves), "clip00", "--out", str(tmp_path)]) == USAGE_ERROR
    assert "must end in one of" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a.html"]


def test_a_run_that_cannot_be_written_is_measured(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    may = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and may(path, mode))
    assert main(["evaluate", "knn", str(trained), "--no-baselines"]) == 0
    shown = capsys.readouterr()
    assert "knn.json: cannot be written, so the result is shown but not saved" in shown.err
    assert "kNN" in shown.out
    assert not (trained / "results" / "knn.json").exists()


def process(words: str, **rest: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "kineme", *words.split()],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heed_interrupts,
        **rest,
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_help_that_nobody_reads_ends_quietly(name: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with process(f"{name} --help", stdout=writing) as done:
        assert done.communicate()[1] == ""
    os.close(writing)
    assert done.returncode == CLOSED_PIPE


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.5, 1, 2, 4])
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("words", WRITERS)
def test_a_command_that_is_stopped_says_one_line(
    words: str, kind: signal.Signals, seconds: float, moves: Path, trained: Path, tmp_path: Path
) -> None:
    places = {"RUN": trained, "STORE": moves, "OUT": tmp_path / "out"}
    for name, place in places.items():
        words = words.replace(name, str(place))
    with process(words, stdout=subprocess.DEVNULL) as running:
        time.sleep(seconds)
        stopped = running.poll() is None
        os.killpg(running.pid, kind) if stopped else None
        said = running.communicate(timeout=60)[1]
    assert "Traceback" not in said
    if stopped and running.returncode not in (0, USAGE_ERROR):
        # Before the command itself has begun, Python ends by the signal, without a word. With `-m` it also
        # ends by SIGINT, 130 to a shell, if the `exec` of a string was interrupted, as dataclasses have them.
        assert running.returncode in ((INTERRUPTED, -signal.SIGINT) if said else (-kind,))
        assert said.count("interrupted") == bool(said)
    left = [path.name for path in tmp_path.rglob(".*")]
    assert not [name for name in left if ".partial" in name or name.endswith(".lock")]
