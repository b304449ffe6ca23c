"""Float32 that is the same on all devices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def full_float32() -> Iterator[None]:
    """Convolutions in float32 round nothing to TF32's ten bits, as PyTorch lets them on GPUs.

    So the features of a GPU and a CPU can be compared: of ST-GCN, CTR-GCN and DSTE, which convolve.

    >>> with full_float32():
    ...     torch.backends.cudnn.conv.fp32_precision
    'ieee'
    """
    cudnn: Any = torch.backends.cudnn  # type stubs do not know these
    kinds = (cudnn.conv, cudnn.rnn)  # both: PyTorch refuses to say `allow_tf32` where they differ
    before = [kind.fp32_precision for kind in kinds]
    for kind in kinds:
        kind.fp32_precision = "ieee"
    try:
        yield
    finally:
        for kind, precision in zip(kinds, before, strict=True):
            kind.fp32_precision = precision
