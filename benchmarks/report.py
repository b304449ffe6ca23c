"""Results as tables for people and as JSON for programs."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from rich.table import Table

from benchmarks.measure import Result
from benchmarks.timing import FLOPS


def hardware(device: torch.device) -> str:
    """The processor by name, and what matters of it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model)
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    matrix = [flag for flag in ("avx512f", "avx512_bf16", "amx_bf16") if flag in flags]
    return ", ".join([model, *matrix])


def calibration_line(product: Mapping[str, float]) -> str:
    """The products' times and what they come to."""
    return "2048³ product: " + ", ".join(
        f"{name} {seconds * 1e3:.1f} ms ({FLOPS / seconds / 1e9:.0f} GFLOP/s)"
        for name, seconds in product.items()
    )


def speed_table(title: str, results: Sequence[Result]) -> Table:
    """A row a part: its time and the plain form's, arithmetic, share of the machine's product rate."""
    table = Table(title=title, caption=calibration_line(results[0].product))
    for name in ("part", "precision"):
        table.add_column(name, no_wrap=True)
    for name in ("ms", "plain form", "ratio", "GFLOP", "of product rate"):
        table.add_column(name, justify="right")
    for result in results:
        table.add_row(
            result.part,
            result.precision,
            f"{result.timing.seconds * 1e3:.1f}",
            "" if result.plain is None else f"{result.plain.seconds * 1e3:.1f}",
            "" if result.gain is None else f"{result.gain:.1f}",
            "" if result.flops is None else f"{result.flops / 1e9:.0f}",
            "" if result.share is None else f"{result.share:.0%}",
        )
    return table


def reading_table(taken: Mapping[str, tuple[float, float]], product: Mapping[str, float]) -> Table:
    """A row a part: milliseconds a clip of Kineme and of the plain program, and their quotient."""
    table = Table(title="from raw clips to a store, one thread, ms a clip", caption=calibration_line(product))
    table.add_column("part")
    for name in ("Kineme", "plain", "faster"):
        table.add_column(name, justify="right")
    for name, (kineme, plain) in taken.items():
        table.add_row(name, f"{kineme * 1e3:.2f}", f"{plain * 1e3:.2f}", f"{plain / kineme:.1f}")
    return table


def as_row(result: Result) -> dict[str, object]:
    """A result for JSON."""
    return {
        "case": result.case,
        "part": result.part,
        "precision": result.precision,
        "seconds": result.timing.seconds,
        "clips_per_second": result.clips_per_second,
        "units": result.timing.units,
        "product_seconds": result.product,
        "flops": result.flops,
        "share": result.share,
        "plain_seconds": result.plain and result.plain.seconds,
        "gain": result.gain,
    }


def commit() -> str:
    """Of the working tree, with a + where that has changes; `unknown` outside a repository."""
    command = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    found = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent, check=False)
    return found.stdout.strip() or "unknown"
