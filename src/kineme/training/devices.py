"""Where training runs, and with which precision."""

from __future__ import annotations

from typing import Literal

import torch

from kineme.config import TrainConfig
from kineme.errors import KinemeError


def resolve_device(train: TrainConfig) -> tuple[str, Literal["bf16-mixed", "32-true"]]:
    """(device, Lightning's precision) on this machine.

    Raises:
        KinemeError: there is no GPU but one is required.
    """
    cuda = torch.cuda.is_available()
    if train.device == "cuda" and not cuda:
        raise KinemeError("train.device is cuda, but PyTorch sees no GPU here; set train.device=cpu")
    device = "cuda" if cuda and train.device != "cpu" else "cpu"
    precision = train.precision
    if precision == "auto":
        fast = _gpu_has_bfloat16() if device == "cuda" else _cpu_has_bfloat16()
        precision = "bfloat16" if fast else "float32"
    return device, "bf16-mixed" if precision == "bfloat16" else "32-true"


def devices_in_use(device: str) -> list[int]:
    """The GPU of a training on `cpu` or `cuda`; others, which `fork_rng` would initialise, are left alone."""
    return [torch.cuda.current_device()] if device == "cuda" else []


def _gpu_has_bfloat16() -> bool:
    """Whether the GPU has bfloat16 instructions; older ones emulate them, which is slower than float32."""
    return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def _cpu_has_bfloat16() -> bool:
    """Whether the processor has bfloat16 instructions; False if PyTorch cannot tell."""
    tell = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(tell and tell())
