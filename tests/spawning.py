"""Processes that tests start: those of one training run, as Lightning starts them, and commands."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from multiprocessing.context import ForkServerContext
from multiprocessing.queues import Queue
from pathlib import Path
from queue import Empty

import torch
from lightning.fabric.utilities.rank_zero import rank_zero_only
from torch import distributed
from torch.multiprocessing import start_processes

from kineme.config import Config

Found = tuple[int, list[float], str]  # rank, losses, error
Work = Callable[[Config, Path, "Queue[Found]"], None]


def heed_interrupts() -> None:
    """In a new process, as its `preexec_fn`: Ctrl-C interrupts it, also where a shell started the tests by
    `&` and so lets them, and all that they start, ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@cache
def prepared() -> ForkServerContext:
    """Where processes come from: a server, one for all tests, which has imported what takes seconds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["kineme.training.run"])
    return context


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def on_two(work: Callable[..., None], *arguments: object) -> None:
    """`work(rank, *arguments)` in two processes, which have one thread each and can exchange tensors."""
    prepared()
    start_processes(_join, args=(free_port(), work, *arguments), nprocs=2, start_method="forkserver")


def _join(rank: int, port: int, work: Callable[..., None], *arguments: object) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    work(rank, *arguments)
    distributed.destroy_process_group()


def in_processes(count: int, work: Work, config: Config, run: Path) -> list[Found]:
    """What the processes send, in order of rank."""
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port(), "NODE_RANK": 0, "WORLD_SIZE": count}
    found: Queue[Found] = prepared().Queue()
    children = []
    for rank in range(count):
        environment = {name: str(value) for name, value in {**common, "LOCAL_RANK": rank}.items()}
        children.append(prepared().Process(target=_with, args=(environment, work, config, run, found)))
        children[-1].start()
    results: list[Found] = []
    while len(results) < count and not any(child.exitcode for child in children):
        with suppress(Empty):
            results.append(found.get(timeout=1))
    for child in children:
        child.join(timeout=240)
        assert child.exitcode == 0
    return sorted(results)


def _with(environment: Mapping[str, str], work: Work, config: Config, run: Path, found: Queue[Found]) -> None:
    os.environ.update(environment)
    rank_zero_only.rank = int(environment["LOCAL_RANK"])  # as Lightning sets it when it is imported
    torch.set_num_threads(1)
    work(config, run, found)
