"""Cases measured: speed beside the published program's, and agreement of the two precisions."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from benchmarks.cases import PUBLISHED_PRODUCT, PUBLISHED_THREADS, Case
from benchmarks.timing import Part, interleaved, products
from benchmarks.workload import Workload
from kineme.clips.batches import Clips


@dataclass(frozen=True)
class Result:
    """A part of a case.

    Attributes:
        case, part, precision: what was measured.
        seconds: median time of a batch.
        clips: in the batch.
        product: seconds of the calibration products in the same run, by precision.
        units: the time in units of the float32 product.
        published_units: the published program's time of as many clips, in units of its float32 product; None
            where the two do not compare.
    """

    case: str
    part: str
    precision: str
    seconds: float
    clips: int
    product: dict[str, float]
    units: float
    published_units: float | None

    @property
    def clips_per_second(self) -> float:
        return self.clips / self.seconds

    @property
    def speedup(self) -> float | None:
        """Times faster than the published program, machines made equal by the float32 product."""
        return None if self.published_units is None else self.published_units / self.units


def measure(
    name: str, case: Case, clips: Clips, precisions: list[str], threads: int, repeats: int, clock: str
) -> list[Result]:
    """Augmentation on one thread, training step and encoding, all on the device of the clips."""
    device = clips.start.device
    loads = {precision: Workload(case, clips, precision) for precision in precisions}
    parts = {("augmentation", "float32"): Part(next(iter(loads.values())).augment, 1)}
    for precision, load in loads.items():
        parts["training step", precision] = Part(load.step, threads)
        parts["encoding", precision] = Part(load.encode, threads)
    labels = {"/".join(key): key for key in parts}
    taken, product = interleaved(
        {label: parts[key] for label, key in labels.items()},
        products(device, threads),
        repeats,
        device,
        clock,
    )
    published = case.published.seconds(case.batch) if case.published else {}
    results = []
    for label, seconds in taken.items():
        part, precision = labels[label]
        # Augmentation runs on one thread and the product on several: of as many as the published one only.
        comparable = device.type == "cpu" and (threads == PUBLISHED_THREADS or part != "augmentation")
        known = published.get(part) if comparable else None
        units = None if known is None else known / PUBLISHED_PRODUCT["float32"]
        results.append(
            Result(
                name,
                part,
                precision,
                seconds=seconds,
                clips=case.batch,
                product=product,
                units=seconds / product["float32"],
                published_units=units,
            )
        )
    return results


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
