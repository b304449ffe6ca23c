"""Interleaved timing, for machines that others use too."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

PRODUCT = 2048
FLOPS = 2 * PRODUCT**3  # of a product
CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}


@dataclass(frozen=True)
class Part:
    """Something to be timed, and the threads it may use."""

    run: Callable[[], object]
    threads: int


def products(device: torch.device, threads: int) -> dict[str, Part]:
    """The calibrations, by precision: a 2048³ matrix product."""
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(PRODUCT, PRODUCT, generator=generator).to(device)
    halved = matrix.bfloat16()
    return {
        "float32": Part(lambda: matrix @ matrix, threads),
        "bfloat16": Part(lambda: halved @ halved, threads),
    }


@dataclass(frozen=True)
class Timing:
    """What a part took.

    Attributes:
        seconds: median.
        units: each run's time in units of the float32 product that ran just before it.
    """

    seconds: float
    units: tuple[float, ...]


def interleaved(
    parts: Mapping[str, Part],
    calibrations: Mapping[str, Part],
    repeats: int,
    device: torch.device,
    clock: str,
) -> tuple[dict[str, Timing], dict[str, float]]:
    """Times of each part and median seconds of each calibration, after one run of each that does not count.

    Before each run of a part every calibration runs once, so that what slows the machine for a while slows
    both.
    """
    for part in (*calibrations.values(), *parts.values()):
        seconds(part, device, clock)
    taken: dict[str, list[float]] = {name: [] for name in parts}
    units: dict[str, list[float]] = {name: [] for name in parts}
    calibrated: dict[str, list[float]] = {name: [] for name in calibrations}
    for _ in range(repeats):
        for name, part in parts.items():
            for precision, product in calibrations.items():
                calibrated[precision].append(seconds(product, device, clock))
            taken[name].append(seconds(part, device, clock))
            units[name].append(taken[name][-1] / calibrated["float32"][-1])
    timings = {name: Timing(statistics.median(taken[name]), tuple(units[name])) for name in parts}
    return timings, {name: statistics.median(values) for name, values in calibrated.items()}


def seconds(part: Part, device: torch.device, clock: str) -> float:
    """One run by the `wall` or the process's `cpu` clock; waits for what the device has been given to do."""
    torch.set_num_threads(part.threads)
    read = CLOCKS[clock]
    synchronise(device)
    start = read()
    part.run()
    synchronise(device)
    return read() - start


def synchronise(device: torch.device) -> None:
    """Waits for what a GPU has been given to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
