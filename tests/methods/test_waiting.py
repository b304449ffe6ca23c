"""No method waits for the device inside a step: what a host reads of a tensor, it must wait for.

On a CPU, the operations are counted that make a host wait elsewhere. With CUDA, PyTorch itself tells.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from stepping import PAIRS, small_method, some_clips, take_a_step
from torch.utils._python_dispatch import TorchDispatchMode

AWAITED = {"_local_scalar_dense", "item", "nonzero", "masked_select", "_unique2", "unique_dim", "equal"}
FROM_THE_HOST = {"lift_fresh"}  # `torch.tensor` of Python's numbers, which a device waits for
# Three are worth it. SLiM's heads take hidden patches only; their number is read where its loss begins. Where
# clips lack joints, what no clip of a batch has is not encoded, and what equal clips lack is filled at once.
OF_SLIM, OF_ABSENCE = ["nonzero"], {"nonzero", "unique_dim"}


class Counted(TorchDispatchMode):
    """Names the operations that a device would be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.name().removeprefix("aten::").partition(".")[0]
        indices = args[1] if name == "index" else ()
        if any(index is not None and index.dtype == torch.bool for index in indices):
            self.seen.append("nonzero")
        if name in AWAITED | FROM_THE_HOST:
            self.seen.append(name)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("lacking", [False, True], ids=["", "joints lacking"])
@pytest.mark.parametrize(("method_name", "encoder_name"), PAIRS)
def test_a_step_reads_nothing_back(method_name: str, encoder_name: str, lacking: bool) -> None:
    method, clips = small_method(method_name, encoder_name), some_clips(lacking)
    generator = torch.Generator().manual_seed(0)
    take_a_step(method, clips, generator)  # the first may set up what stays
    with Counted() as counted:
        take_a_step(method, clips, generator)
    if lacking:
        assert set(counted.seen) <= OF_ABSENCE
    else:
        assert counted.seen == (OF_SLIM if method_name == "slim" else [])


def test_what_is_read_back_is_counted() -> None:
    x = torch.arange(3.0)
    with Counted() as counted:
        float(x.sum()), x[x > 1], x.nonzero(), torch.tensor([1.0]), x.unique()
    assert counted.seen == ["_local_scalar_dense", "nonzero", "nonzero", "lift_fresh", "_unique2"]


@contextmanager
def complaining() -> Iterator[None]:
    """CUDA raises an error where the host waits for it."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize(("method_name", "encoder_name"), [pair for pair in PAIRS if pair[0] != "slim"])
def test_a_step_does_not_wait_for_a_gpu(method_name: str, encoder_name: str) -> None:
    method, clips = small_method(method_name, encoder_name).to("cuda"), some_clips(False, "cuda")
    generator = torch.Generator("cuda").manual_seed(0)
    take_a_step(method, clips, generator)
    with complaining():
        take_a_step(method, clips, generator)
