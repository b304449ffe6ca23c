"""Dropout that draws one random byte per element."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from kineme.encoders.dropout import Dropout, check_dropout
from kineme.errors import KinemeError


def dropped(x: Tensor, p: float, seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    return Dropout(p)(x)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9, 0.999])
def test_rate_and_scale(p: float) -> None:
    result = dropped(torch.ones(400, 500), p)
    share = (result == 0).double().mean().item()
    taken = min(round(p * 256), 255) / 256
    assert share == pytest.approx(taken, abs=0.005)  # four standard deviations of 200 000 coins
    kept = result[result != 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - taken)))


def test_half_is_exact() -> None:
    assert set(dropped(torch.ones(1000), 0.5).tolist()) == {0.0, 2.0}


def test_elements_are_dropped_independently() -> None:
    zero = (dropped(torch.ones(200, 1000), 0.5) == 0).double()
    for shift in (1, 8, 64):  # neighbours within a word, across words
        both = (zero[:, shift:] * zero[:, :-shift]).mean().item()
        assert both == pytest.approx(0.25, abs=0.005)


def test_the_gradient_is_the_mask() -> None:
    x = torch.randn(7, 9, generator=torch.Generator().manual_seed(1), requires_grad=True)
    result = dropped(x, 0.5)
    result.sum().backward()
    assert x.grad is not None
    assert set(x.grad.unique().tolist()) == {0.0, 2.0}
    assert torch.equal(result, x.detach() * x.grad)


@pytest.mark.parametrize("view", ["contiguous", "channels last", "every other", "expanded"])
def test_any_memory_order_keeps_its_shape_values_and_rate(view: str) -> None:
    base = 1 + torch.rand(4, 6, 30, 50, generator=torch.Generator().manual_seed(1))
    x = {
        "contiguous": base,
        "channels last": base.to(memory_format=torch.channels_last),
        "every other": base[:, ::2],
        "expanded": base[:, :1].expand(-1, 6, -1, -1),
    }[view]
    result = dropped(x, 0.5)
    kept = result != 0
    assert torch.equal(result[kept], 2 * x[kept])
    assert kept.double().mean().item() == pytest.approx(0.5, abs=0.02)
    if view == "channels last":
        assert result.is_contiguous(memory_format=torch.channels_last)


def test_torch_s_seed_decides() -> None:
    x = torch.ones(100)
    assert torch.equal(dropped(x, 0.5, seed=3), dropped(x, 0.5, seed=3))
    assert not torch.equal(dropped(x, 0.5, seed=3), dropped(x, 0.5, seed=4))


def test_identity_in_evaluation_and_at_rate_zero() -> None:
    x = torch.randn(50)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_the_type_is_kept(dtype: torch.dtype) -> None:
    assert dropped(torch.ones(10, dtype=dtype), 0.5).dtype == dtype


@pytest.mark.parametrize("p", [-0.1, 1.0, 1.5])
def test_a_rate_that_is_no_rate_is_refused(p: float) -> None:
    check_dropout(0.0)
    check_dropout(0.999)
    with pytest.raises(KinemeError, match="it must be at least 0 and less than 1"):
        check_dropout(p)
