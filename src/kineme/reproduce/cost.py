"""What it costs to encode a clip, counted rather than timed: times depend on what else a machine does."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from kineme.encoders.base import COORDINATES, Encoder
from kineme.loading import load_run
from kineme.runs import WEIGHTS


@dataclass(frozen=True)
class Cost:
    """Of an encoder.

    Attributes:
        parameters: numbers that are learned.
        flops: floating-point operations of products and convolutions for one clip; a product and its sum
            are two.
    """

    parameters: int
    flops: int


def cost_of(encoder: Encoder) -> Cost:
    """The cost of one clip of the encoder's shape.

    >>> import kineme
    >>> shape = kineme.ClipShape(kineme.get_layout("coco17"), 16, 1)
    >>> cost_of(kineme.STTR(shape, hidden=8, depth=1))
    Cost(parameters=2048, flops=73120)
    """
    shape = encoder.shape
    clip = torch.ones(1, COORDINATES, shape.frames, shape.layout.num_joints, shape.bodies)  # zero is absent
    # PyTorch does not count its fused attention on a CPU.
    with FlopCounterMode(display=False) as counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        encoder.eval()(clip)
    return Cost(sum(each.numel() for each in encoder.parameters()), counter.get_total_flops())


def cost_of_run(run: Path) -> Cost:
    """The cost of a trained run's encoder."""
    return _cost(run, (run / WEIGHTS).stat().st_mtime_ns)


@cache
def _cost(run: Path, modified: int) -> Cost:
    return cost_of(load_run(run).encoder)
