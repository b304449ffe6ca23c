"""Cases measured: time, share of what the machine can do, and agreement of the two precisions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.cases import Case
from benchmarks.timing import FLOPS, Part, Timing, interleaved, products
from benchmarks.workload import Workload
from kineme.clips.batches import Clips

PLAIN_FORM = "plain"


@dataclass(frozen=True)
class Result:
    """A part of a case.

    Attributes:
        case, part, precision: what was measured.
        timing: of a batch.
        clips: in the batch.
        product: seconds of the calibration products in the same run, by precision.
        flops: of matrix products and convolutions in a batch, as PyTorch counts them; None where there are
            next to none.
        plain: of the part's plain form, in float32; None: it has none.
    """

    case: str
    part: str
    precision: str
    timing: Timing
    clips: int
    product: dict[str, float]
    flops: int | None
    plain: Timing | None = None

    @property
    def clips_per_second(self) -> float:
        return self.clips / self.timing.seconds

    @property
    def gain(self) -> float | None:
        """How many times as long the plain form takes, in the same run."""
        return None if self.plain is None else self.plain.seconds / self.timing.seconds

    @property
    def share(self) -> float | None:
        """Of the rate at which this machine multiplied matrices of that precision in the same run."""
        if self.flops is None:
            return None
        return self.flops / self.timing.seconds / (FLOPS / self.product[self.precision])


def measure(
    name: str, case: Case, clips: Clips, precisions: list[str], threads: int, repeats: int, clock: str
) -> list[Result]:
    """Augmentation on one thread, training step and encoding, all on the device of the clips.

    On a CPU the plain forms of the first two run in the same turns, in float32.
    """
    device = clips.start.device
    loads = {precision: Workload(case, clips, precision) for precision in precisions}
    first = next(iter(loads.values()))
    parts = {("augmentation", "float32"): Part(first.augment, 1)}
    for precision, load in loads.items():
        parts["training step", precision] = Part(load.step, threads)
        parts["encoding", precision] = Part(load.encode, threads)
    if device.type == "cpu":
        plain = Workload(case, clips, "float32", plain=True)
        parts["augmentation", PLAIN_FORM] = Part(plain.augment, 1)
        parts["training step", PLAIN_FORM] = Part(plain.step, threads)
    flops = {"training step": counted(first.step), "encoding": counted(first.encode)}
    labels = {"/".join(key): key for key in parts}
    taken, product = interleaved(
        {label: parts[key] for label, key in labels.items()},
        products(device, threads),
        repeats,
        device,
        clock,
    )
    plainly = {part: taken[label] for label, (part, form) in labels.items() if form == PLAIN_FORM}
    return [
        Result(name, part, precision, taken[label], case.batch, product, flops.get(part), plainly.get(part))
        for label, (part, precision) in labels.items()
        if precision != PLAIN_FORM
    ]


def counted(run: Callable[[], object]) -> int:
    """FLOPs of matrix products and convolutions; attention is taken apart into its products."""
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        run()
    return int(counter.get_total_flops())


def agreement(case: Case, clips: Clips, steps: int) -> list[float]:
    """|bfloat16 - float32| / |float32| of the loss at each of so many training steps.

    Two copies start from the same weights and each trains by its own gradients; they see the same views and
    drop the same activations.
    """
    full, half = Workload(case, clips, "float32"), Workload(case, clips, "bfloat16")
    differences = []
    for _ in range(steps):
        full.views = half.views = full.augment()
        reference, loss = full.step(), half.step()
        differences.append((torch.abs(loss - reference) / reference.abs()).item())
    return differences
