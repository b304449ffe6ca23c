"""What is measured: methods at their published sizes, and what the published programs cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """What a published program took: PyTorch 2.13, two threads, float32.

    Attributes:
        augmentation: seconds a clip, all views of a training step, on one core.
        step: seconds of a training step.
        encoding: clips a second, evaluation mode.
    """

    augmentation: float
    step: float
    encoding: float

    def seconds(self, batch: int) -> dict[str, float]:
        """Of each part, for a batch of so many clips."""
        return {
            "augmentation": self.augmentation * batch,
            "training step": self.step,
            "encoding": batch / self.encoding,
        }


# Seconds of the 2048³ matrix product in the runs that gave the figures below, by precision. They were taken
# on another processor than yours, so compare in units of them (see docs/benchmarks.md).
PUBLISHED_THREADS = 2
PUBLISHED_PRODUCT = {"float32": 0.0471, "bfloat16": 0.0073}


@dataclass(frozen=True)
class Case:
    """A method at its published size; what is not said here is the default of its classes.

    Attributes:
        method, encoder: their registered names.
        frames: T of a view.
        batch: clips a training step.
        optimizer: `sgd` (momentum 0.9, weight decay 1e-4), `adam` (weight decay 1e-5) or `adamw` (0.05).
        lr: learning rate.
        published: cost of the published program; None where it was not measured.
    """

    method: str
    encoder: str
    frames: int
    batch: int
    optimizer: str
    lr: float
    published: Published | None


CASES = {
    "aimclr": Case("aimclr", "stgcn", 50, 64, "sgd", 0.1, Published(0.69e-3, 8.44, 164)),
    "usdrl-sttr": Case("usdrl", "sttr", 64, 32, "adam", 5e-4, Published(4 * 0.3e-3, 6.17, 87)),
    "usdrl-dste": Case("usdrl", "dste", 64, 32, "adam", 5e-4, Published(4 * 0.3e-3, 23.48, 22)),
    "scdnet": Case("scdnet", "disentangled", 64, 16, "sgd", 0.01, Published(2 * 0.32e-3, 10.29, 12.6)),
    "mamp": Case("mamp", "mamp", 120, 128, "adamw", 1e-3, None),
    "slim": Case("slim", "slim", 64, 32, "adamw", 1.7e-4, None),
}
