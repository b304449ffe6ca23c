"""`python -m benchmarks.together`: two processes of one thread each against one, on as many clips each.

Processes take turns: one trains a few steps alone, then two train as many steps at once but apart, then two
train them together (gloo, DistributedDataParallel). The efficiency is the time of the first over that of the
others, 1 if it costs nothing. Two that are apart share the machine's memory and caches only, so theirs is the
most that two together can have here. Turns are paired, so that what slows the machine slows all. CPU time
leaves out what other programs took, and the waiting for one another.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.connection import Connection

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from benchmarks.cases import CASES, Case
from benchmarks.workload import Workload, generated_clips
from kineme.processes import synchronise_norms

ALONE = -1


class Losses(nn.Module):
    """The loss of the next batch, as a forward pass, which is what DistributedDataParallel wraps."""

    def __init__(self, work: Workload) -> None:
        super().__init__()
        self.work, self.method = work, work.method
        self.kept: dict[str, Tensor] = {}

    def forward(self) -> Tensor:
        with torch.no_grad():
            views = self.work.augment()
        with self.work.autocast():
            outputs = self.method.loss(views, 0.0)
        self.kept = {name: value.detach() for name, value in outputs.items() if value.ndim}
        return outputs["loss"]


def work(case: Case, precision: str, rank: int, port: int, parent: Connection) -> None:
    """Trains so many steps whenever it is told to, and says what they took."""
    torch.set_num_threads(1)
    workload = Workload(case, generated_clips(torch.device("cpu")), precision)
    losses = Losses(workload)
    wrapped: nn.Module = losses
    if rank != ALONE:
        dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
        synchronise_norms(workload.method)
        wrapped = DistributedDataParallel(losses)
    while steps := parent.recv():
        clocks = time.perf_counter(), time.process_time()
        for _ in range(steps):
            workload.steps += 1
            workload.method.before_step(0.0)
            workload.optimizer.zero_grad()
            wrapped().backward()
            workload.optimizer.step()
            workload.method.after_step(losses.kept, 0.0)
        parent.send((time.perf_counter() - clocks[0], time.process_time() - clocks[1]))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.together", description=__doc__)
    parser.add_argument("--cases", nargs="+", default=["usdrl-sttr", "aimclr"], choices=CASES)
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--batch", type=int, default=8, help="clips of a step and process")
    parser.add_argument("--steps", type=int, default=2, help="of a turn")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--port", type=int, default=29877)
    options = parser.parse_args()
    spawning = get_context("spawn")
    for name in options.cases:
        case = replace(CASES[name], batch=options.batch)
        pipes = []
        for rank in (ALONE, ALONE, 0, 1):
            here, there = spawning.Pipe()
            arguments = case, options.precision, rank, options.port, there
            spawning.Process(target=work, args=arguments, daemon=True).start()
            pipes.append(here)
        turns = [_turn(pipes, options.steps) for _ in range(1 + options.turns)][1:]  # the first warms up
        for here in pipes:
            here.send(0)
        apart, together = (
            (statistics.median(each) for each in zip(*way, strict=True)) for way in zip(*turns, strict=True)
        )
        for how, (wall, cpu) in (("apart", apart), ("together", together)):
            print(f"{name:12} {how:8} {wall:.2f} of wall time, {cpu:.2f} of CPU time", flush=True)


def _turn(pipes: list[Connection], steps: int) -> list[tuple[float, float]]:
    """Wall and CPU time of one process alone, over those of two that are apart and of two together."""
    taken = []
    for members in (pipes[:1], pipes[:2], pipes[2:]):
        for each in members:
            each.send(steps)
        found = [each.recv() for each in members]
        taken.append((max(wall for wall, _ in found), statistics.mean(cpu for _, cpu in found)))
    alone = taken[0]
    return [(alone[0] / wall, alone[1] / cpu) for wall, cpu in taken[1:]]


if __name__ == "__main__":
    main()
