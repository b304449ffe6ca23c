"""Float32 is full while features are computed, and what it was afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from kineme.encoders.precision import full_float32

CUDNN = torch.backends.cudnn


@pytest.fixture(autouse=True)
def as_it_comes() -> Iterator[None]:
    """What PyTorch begins with, before and after."""
    CUDNN.allow_tf32 = True
    yield
    CUDNN.allow_tf32 = True


@pytest.mark.parametrize("allowed", [True, False])
def test_it_is_full_inside_and_as_before_outside(allowed: bool) -> None:
    CUDNN.allow_tf32 = allowed
    with full_float32():
        assert CUDNN.conv.fp32_precision == "ieee"
    assert CUDNN.allow_tf32 == allowed


def test_it_is_as_before_after_an_error() -> None:
    with pytest.raises(MemoryError), full_float32():
        raise MemoryError
    assert CUDNN.allow_tf32


def test_a_choice_of_convolutions_alone_is_kept() -> None:
    CUDNN.conv.fp32_precision = "ieee"
    with full_float32():
        pass
    assert (CUDNN.conv.fp32_precision, CUDNN.rnn.fp32_precision) == ("ieee", "tf32")
