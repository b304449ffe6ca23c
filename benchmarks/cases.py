"""What is measured: methods at their published sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kineme.streams import TOGETHER


@dataclass(frozen=True)
class Case:
    """A method at its published size; what is not said here is the default of its classes.

    Attributes:
        method, encoder: their registered names.
        frames: T of a view.
        batch: clips a training step.
        optimizer: `sgd` (momentum 0.9, weight decay 1e-4), `adam` (weight decay 1e-5) or `adamw` (0.05).
        lr: learning rate.
        stream: of the views.
        settings: of the method.
    """

    method: str
    encoder: str
    frames: int
    batch: int
    optimizer: str
    lr: float
    stream: str = "joint"
    settings: Mapping[str, Any] = field(default_factory=dict)


CASES = {
    "aimclr": Case("aimclr", "stgcn", 50, 64, "sgd", 0.1),
    "usdrl-sttr": Case("usdrl", "sttr", 64, 32, "adam", 5e-4),
    "usdrl-dste": Case("usdrl", "dste", 64, 32, "adam", 5e-4),
    "mpct": Case("mpct", "sttr", 64, 32, "adam", 5e-4, TOGETHER),
    "scdnet": Case("scdnet", "disentangled", 64, 16, "sgd", 0.01),
    "mamp": Case("mamp", "mamp", 120, 128, "adamw", 1e-3),
    # Its prototypes move, as they do but for the first of 150 epochs.
    "slim": Case("slim", "slim", 64, 32, "adamw", 1.7e-4, settings={"freeze": 0.0}),
}
