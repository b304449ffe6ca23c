"""Processes that tests start: those of one training run, as Lightning starts them, and commands."""

from __future__ import annotations

import multiprocessing
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.queues import Queue
from pathlib import Path
from queue import Empty

import pytest

from kineme.config import Config

Found = tuple[int, list[float], str]  # rank, losses, error
Work = Callable[[Config, Path, "Queue[Found]"], None]


def heed_interrupts() -> None:
    """In a new process, as its `preexec_fn`: Ctrl-C interrupts it, also where a shell started the tests by
    `&` and so lets them, and all that they start, ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def in_processes(
    count: int, work: Work, config: Config, run: Path, monkeypatch: pytest.MonkeyPatch
) -> list[Found]:
    """What the processes send, in order of rank."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "NODE_RANK": 0, "WORLD_SIZE": count}
    common |= {"OMP_NUM_THREADS": 1}
    spawning = multiprocessing.get_context("spawn")
    found: Queue[Found] = spawning.Queue()
    children = []
    with monkeypatch.context() as environment:
        for rank in range(count):
            for name, value in {**common, "LOCAL_RANK": rank}.items():
                environment.setenv(name, str(value))
            children.append(spawning.Process(target=work, args=(config, run, found)))
            children[-1].start()
    results: list[Found] = []
    while len(results) < count and not any(child.exitcode for child in children):
        with suppress(Empty):
            results.append(found.get(timeout=1))
    for child in children:
        child.join(timeout=240)
        assert child.exitcode == 0
    return sorted(results)
