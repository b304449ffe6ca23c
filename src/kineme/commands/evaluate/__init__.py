"""Evaluate a pre-trained encoder with standard protocols."""

from __future__ import annotations

from collections.abc import Callable

from kineme.commands.evaluate.detection import detect
from kineme.commands.evaluate.frozen import early, fewshot, knn, linear, robust, transfer
from kineme.commands.evaluate.tuned import finetune, semi

COMMANDS: dict[str, Callable[..., None]] = {
    "linear": linear,
    "knn": knn,
    "early": early,
    "robust": robust,
    "fewshot": fewshot,
    "transfer": transfer,
    "finetune": finetune,
    "semi": semi,
    "detect": detect,
}
