"""`kineme watch`, as it is typed: poses by stdin, a growing file or a socket."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from inference.models import model, motion, write
from spawning import heed_interrupts

from kineme.__main__ import main
from kineme.clips.store import Clip, ClipStore
from kineme.commands.live import described
from kineme.inference import Event, Example, teach
from kineme.preprocessing import parse_preprocessing

ROOT = Path(__file__).parents[2]
PATIENCE = 60  # seconds for what takes a few when nothing else runs
LIKE = (
    "--like",
    "walk[1s:3s]",
    "--library",
    "mine",
    "--threshold",
    "0.9999",
    "--step",
    "0.1s",
    "--fps",
    "10",
    "--axes",
    "y-up",  # its motion is noise, which may stand on its head
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with a run and a store of clips of 4 s."""
    encoder = model(tmp_path / "run")
    plain = parse_preprocessing("plain")
    names = ["walk", "wave", "bow", "odd[1:2]"]
    clips = [Clip(name, plain(motion(40, i), encoder.shape.layout), label=1) for i, name in enumerate(names)]
    write(tmp_path / "mine", clips)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def poses(*seeds: int, first: int = 0) -> list[str]:
    """JSON lines of 4 s of motion each; `walk` is seed 0."""
    found = []
    for place, seed in enumerate(seeds):
        for row, pose in enumerate(motion(40, seed)[:, 0].tolist()):
            found.append(json.dumps({"t": (first + 40 * place + row) / 10, "joints": pose}))
    return found


@contextmanager
def watching(*words: str) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own; it is ended with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "kineme", "watch", "run", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


Said = tuple[int, list[dict[str, Any]], list[str]]  # status, events and what is said
Piped = Callable[..., Said]


@pytest.fixture
def piped(folder: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Piped]:
    """`piped(lines, *words)`: a watch of these lines, in this process; stdin is the file that holds them."""
    stdin = os.dup(0)

    def watch(lines: Sequence[str], *words: str) -> Said:
        (folder / "lines").write_text("\n".join(lines))
        with (folder / "lines").open() as file:
            os.dup2(file.fileno(), 0)
        status = main(["watch", "run", *words])
        shown = capsys.readouterr()
        return status, [json.loads(line) for line in shown.out.splitlines()], shown.err.splitlines()

    yield watch
    os.dup2(stdin, 0)
    os.close(stdin)


def said(process: subprocess.Popen[str], pattern: str) -> re.Match[str]:
    """Waits for a line on stderr."""
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(pattern, line):
            return found
    raise AssertionError(pattern)


def test_a_recording_that_is_piped_in(folder: Path) -> None:
    with watching(*LIKE) as process:
        out, error = process.communicate("\n".join(['{"fps": 10}', *poses(5, 0, 6)]), timeout=PATIENCE)
    assert process.returncode == 0
    start, end = (json.loads(line) for line in out.splitlines())
    lines = error.splitlines()
    assert (start["event"], start["label"], start["person"], start["end"]) == (
        "start",
        "walk[1s:3s]",
        1,
        None,
    )
    # the example is the stream from 5 s to 7 s: windows with a middle near 6 s are like it
    assert 5.5 < start["start"] < 6.0 < end["end"] < 6.5
    assert start["similarity"] > 0.9999
    assert start["at"] == pytest.approx(start["start"] + 1.05, abs=0.051)  # half a window, and half a step
    assert 0 < start["delay"] < PATIENCE
    assert re.fullmatch(
        r"120 frames, \d+ windows, 2 events, delay [\d.]+ s on average and [\d.]+ s at most", lines[-1]
    )


def test_a_layout_of_the_header_that_is_not_built_in(piped: Piped) -> None:
    """The model's own is none either."""
    status, events, lines = piped(['{"layout": "stick", "fps": 10}', *poses(5, 0, 6)], *LIKE)
    assert (status, events) == (2, [])
    assert lines[-1].startswith("kineme watch: error: line 1: the header's layout 'stick' is not built in")


def test_bad_lines_are_named_and_left_out(piped: Piped) -> None:
    good = poses(5, 0, 6)
    bad = ["{", '{"t": 99, "joints": [[0, 0, 0]]}', good[3], json.dumps({"t": 7, "joint": []})]
    lines = [*good[:10], *bad, *good[10:], *["oops"] * 100]
    status, events, told = piped(lines, *LIKE)
    assert status == 0
    assert [event["event"] for event in events] == ["start", "end"]
    assert told[0] == "warning: line 11: is not JSON; left out"
    assert told[1].startswith(
        "warning: line 12: has 1 joints, and layout stick has 3; set the --layout of the poses"
    )
    assert told[2] == "warning: line 13: its time, 0.300 s, is not after 0.900 s; left out"
    assert "line 14: has the unknown key 'joint'; did you mean joints?; left out" in told[3]
    assert len(told) < 15
    assert "104 bad lines left out" in told[-1]
    status, _, told = piped(lines, *LIKE, "--strict")
    assert (status, told) == (2, ["kineme watch: error: line 11: is not JSON"])


def test_a_growing_file_is_followed_until_ctrl_c(folder: Path) -> None:
    path = folder / "poses.jsonl"
    with watching(*LIKE, "--follow", "poses.jsonl") as process:
        said(process, "waiting for poses.jsonl")
        assert process.stdout is not None
        with path.open("a") as file:
            for text in ("\n".join(poses(5, 0))[:-7], "\n".join(poses(5, 0))[-7:] + "\n"):
                file.write(text)
                file.flush()
                time.sleep(0.2)
        start, end = (json.loads(process.stdout.readline()) for _ in range(2))
        assert (start["event"], end["event"]) == ("start", "end")
        path.write_text("\n".join(poses(0)[:35]) + "\n")  # shorter: a new recording
        again = json.loads(process.stdout.readline())
        assert again["start"] == pytest.approx(start["start"] - 4.0)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    lines = error.strip().splitlines()
    assert len(lines) == 1
    assert re.fullmatch(
        r"kineme watch: interrupted; 1[01]\d frames, \d+ windows, [34] events, delay .*", lines[0]
    )


def test_connections_come_and_go(folder: Path) -> None:
    with watching(*LIKE, "--listen", "0") as process:
        port = int(said(process, r"listening on 127\.0\.0\.1:(\d+)")[1])
        assert process.stdout is not None
        for lines in (["what"], ['{"layout": "nope"}', *poses(0)], poses(5)[:7], [], poses(5, 0, 6)):
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall("\n".join(lines).encode())
        events = [json.loads(process.stdout.readline()) for _ in range(2)]
        assert [event["event"] for event in events] == ["start", "end"]
        assert 5.5 < events[0]["start"] < 6.0 < events[1]["end"] < 6.5
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "connection 1, line 1: is not JSON; left out" in error
    assert "connection 2, line 1: the header's layout 'nope' is not built in" in error
    assert "2 events, 2 bad lines left out" in error.splitlines()[-1]


def test_stdout_that_is_closed_ends_it_quietly(folder: Path) -> None:
    with watching(*LIKE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.close()
        process.stdin.write("\n".join(poses(5, 0, 6, 0, 7)))
        process.stdin.close()
        assert process.wait(PATIENCE) == 1
        assert process.stderr is not None
        assert process.stderr.read() == ""
        process.stdin = process.stdout = None


def test_what_a_classifier_was_taught(folder: Path, piped: Piped) -> None:
    encoder = model(folder / "run")
    examples = [
        Example(name, name[:4], start, start + 1.0) for name in ("walk", "wave") for start in range(4)
    ]
    classifier = teach(encoder, examples, store=ClipStore(folder / "mine"))
    (folder / "run" / "classifiers").mkdir()
    classifier.save(folder / "run" / "classifiers" / "mine.safetensors")
    words = ("--none", "0", "--step", "0.1s", "--fps", "10", "--threshold")
    status, events, _ = piped(poses(0, 1), *words, "0.5")
    assert status == 0
    assert {event["label"] for event in events} <= {"walk", "wave"}
    assert events[0]["label"] == "walk"
    assert all(0.5 <= event["probability"] <= 1 for event in events if event["event"] == "start")
    starts = [event["start"] for event in events if event["event"] == "start"]
    ends = [event["end"] for event in events if event["event"] == "end"]
    assert all(end <= start + 1e-9 for end, start in zip(ends, starts[1:], strict=False))
    assert len(starts) == len(ends)  # what runs at the end of the input ends with it
    status, events, lines = piped(poses(0, 1), *words, "1")
    assert (status, events) == (0, [])
    told = re.search(r"0 events; the highest score was ([\d.]+): to report more, lower --th", lines[-1])
    assert told is not None
    assert 0.5 <= float(told[1]) <= 1


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "run: has no classifier; teach one with `kineme teach`"),
        (["--like", "walk"], "--like: there is no file walk; name a --library"),
        (
            ["--like", "jump", "--library", "mine"],
            "--like: mine has no clip 'jump', and there is no such file",
        ),
        (["--like", "odd[1:2]", "--library", "mine", "--threshold", "2"], "--threshold: is 2"),
        (["--like", "walk", "--library", "mine"], "--threshold: mine has 3 other moments of 4 s, too few"),
        (["--like", "walk", "--classifier", "mine"], "--like and --classifier are two things to watch for"),
        (["--library", "mine"], "--library has no effect without --like"),
        (["--follow", "a", "--listen", "1"], "--follow and --listen are two inputs"),
        ([*LIKE, "--listen", "70000"], "--listen: is 70000"),
        ([*LIKE, "--window", "0.1s"], "--window: 0.1 s at 10 frames per second is 1 frame"),
        ([*LIKE[:6], "--step", "9s"], "--step: is 9 s"),
        ([*LIKE, "--layout", "nope"], "nope: no such layout"),
    ],
)
def test_mistakes_earn_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], line: str
) -> None:
    assert main(["watch", "run", *words]) == 2
    error = capsys.readouterr().err
    assert line in error
    assert error.count("\n") == 1


def test_an_input_without_frames_is_a_mistake(piped: Piped) -> None:
    status, events, lines = piped(["oops"], *LIKE)
    assert (status, events) == (2, [])
    assert lines == [
        "warning: line 1: is not JSON; left out",
        'kineme watch: error: no frames received; a line looks like {"t": 0.0, "joints": [[x, y, z], ...]}',
    ]


def test_an_event_in_words_has_no_control_characters() -> None:
    event = Event("end", "wave\x1b[31m", 0.9, "anna", 1.25, 3.5, 4.0, 0.0123)
    words = "wave?[31m ends at 3.50 s after 2.25 s, delay 0.012 s, person anna, probability 0.90"
    assert described(event).plain == words
