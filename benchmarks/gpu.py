"""Does a GPU train and encode as a CPU does? `python -m benchmarks.gpu [CASE ...] [--steps 200]`.

Each method at its published size trains on generated motion, in float32 and from the same weights in
bfloat16: are the losses finite and alike, how many clips a second, and how much memory. The features of the
first weights are compared with a CPU's, which agree with the published programs' (tests/authors). A run that
is stopped and resumed is compared with one that is not.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter

import lightning as L
import torch
from rich.console import Console
from rich.table import Table
from safetensors.torch import load_file

from benchmarks.cases import CASES, Case
from benchmarks.report import commit, hardware
from benchmarks.timing import synchronise
from benchmarks.workload import Workload, generated_clips
from kineme.clips.batches import Clips
from kineme.generate import generate_store
from kineme.pretraining import pretrain

WARM = 0.2  # share of the steps before clips are counted


@dataclass(frozen=True)
class Training:
    """Some steps of a case in one precision.

    Attributes:
        losses: of each step.
        clips_per_second: of the later steps.
        memory: bytes at the peak, as PyTorch's allocator counts them; None on a CPU.
    """

    losses: list[float]
    clips_per_second: float
    memory: int | None


def trained(case: Case, clips: Clips, precision: str, steps: int) -> Training:
    """Training steps on the device of the clips; views are drawn from the number of the step alone."""
    device = clips.start.device
    on_gpu = device.type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(device)
    load = Workload(case, clips, precision)
    losses, warm = [], math.ceil(WARM * steps)
    begin = perf_counter()
    for number in range(steps):
        if number == warm:
            synchronise(device)
            begin = perf_counter()
        load.views = load.augment()
        losses.append(load.step())
    synchronise(device)
    rate = (steps - warm) * case.batch / (perf_counter() - begin)
    memory = torch.cuda.max_memory_allocated(device) if on_gpu else None
    return Training(torch.stack(losses).tolist(), rate, memory)


def relative(found: Sequence[float], wanted: Sequence[float]) -> float:
    """The largest |found - wanted| / |wanted|; NaN if one is NaN.

    >>> relative([1.0, 2.2], [1.0, 2.0])
    0.10000000000000009
    """
    return float((torch.tensor(found).double() / torch.tensor(wanted).double() - 1).abs().max())


def feature_difference(case: Case, clips: Clips) -> float:
    """The largest difference between a CPU's features and the clips' device's, by the largest of them."""
    device = clips.start.device
    on_cpu = Workload(case, clips.to("cpu"), "float32")
    encoder, views = on_cpu.method.encoder.eval(), on_cpu.views[0].clips
    with torch.inference_mode():
        wanted = encoder(views).clip
        found = encoder.to(device)(views.to(device)).clip.cpu()
    return float((found - wanted).abs().max() / wanted.abs().max())


class Stop(L.Callback):
    """Stops a training when an epoch begins, as Ctrl-C does."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_train_epoch_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        if trainer.current_epoch == self.epoch:
            raise KeyboardInterrupt


def resumed_difference(device: str) -> float:
    """The largest difference between weights of a run in one go and of one that was stopped half-way."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = generate_store(folder / "store", subjects=2, repetitions=1, cameras=[1]).path
        settings = {"train.device": device, "train.epochs": 4, "train.batch_size": 16, "encoder.hidden": 32}
        pretrain("usdrl-small", folder / "whole", store=store, overrides=settings)
        with suppress(KeyboardInterrupt):
            pretrain("usdrl-small", folder / "parts", store=store, overrides=settings, callbacks=[Stop(2)])
        pretrain(out=folder / "parts", resume=True)
        whole, parts = (load_file(folder / run / "model.safetensors") for run in ("whole", "parts"))
    numbers = [key for key, weight in whole.items() if weight.is_floating_point()]
    return max(float((whole[key] - parts[key]).abs().max()) for key in numbers)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; default: all")
    parser.add_argument("--steps", type=int, default=200, help="in each precision (default: 200)")
    parser.add_argument("--batch", type=int, metavar="N", help="clips a step (default: as published)")
    parser.add_argument("--device", default="cuda", help="default: cuda; on a cpu it takes hours")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the figures here")
    options = parser.parse_args()
    if unknown := [name for name in options.cases if name not in CASES]:
        parser.error(f"no case is called {', '.join(unknown)}; there are {', '.join(CASES)}")
    if options.steps < 2:
        parser.error("--steps is at least 2")
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        parser.error("PyTorch sees no GPU here")
    console = Console()
    table = Table(title=f"{hardware(device)}; PyTorch {torch.__version__}; {options.steps} steps")
    for column in ("case", "precision", "loss", "from float32", "clips/s", "GB", "features"):
        table.add_column(column, justify="left" if column in ("case", "precision") else "right")
    report: dict[str, object] = {"machine": hardware(device), "commit": commit(), "steps": options.steps}
    clips = generated_clips(device)
    for name in options.cases or CASES:
        case = replace(CASES[name], batch=options.batch or CASES[name].batch)
        full, half = (trained(case, clips, each, options.steps) for each in ("float32", "bfloat16"))
        features = feature_difference(case, clips)
        report[name] = {"float32": asdict(full), "bfloat16": asdict(half), "features": features}
        for precision, training in (("float32", full), ("bfloat16", half)):
            table.add_row(
                f"{name}, batch {case.batch}" if training is full else "",
                precision,
                f"{training.losses[0]:.4g} → {training.losses[-1]:.4g}",
                "" if training is full else f"{relative(half.losses, full.losses):.1e}",
                f"{training.clips_per_second:.0f}",
                "" if training.memory is None else f"{training.memory / 1e9:.1f}",
                f"{features:.1e}" if training is full else "",
            )
        console.print(f"{name}: done")
    report["resumed"] = resumed_difference(device.type)
    console.print(table)
    console.print(f"a resumed run's weights differ by at most {report['resumed']:.1e}")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
