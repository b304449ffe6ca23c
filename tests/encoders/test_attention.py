"""Attention in parts, against PyTorch's."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from kineme.encoders.attention import SCORES, SHORT, attention


def made(tokens: int, dtype: torch.dtype) -> list[Tensor]:
    """Query, key, value and the gradient of the result, of two clips and three heads."""
    drawn = torch.Generator().manual_seed(0)
    return [torch.randn(2, 3, tokens, 8, generator=drawn).to(dtype) for _ in range(4)]


def backward(parts: list[Tensor], function: object) -> tuple[Tensor, list[Tensor]]:
    *inputs, gradient = parts
    leaves = [each.clone().requires_grad_() for each in inputs]
    out = function(*leaves)  # type: ignore[operator]
    out.backward(gradient)
    return out.detach(), [leaf.grad for leaf in leaves if leaf.grad is not None]


@pytest.mark.parametrize("tokens", [5, 600])  # all heads at once, and one head after the other
def test_it_is_torchs_attention_in_double_precision(tokens: int) -> None:
    assert (SCORES // tokens**2 > 6) is (tokens == 5)
    assert (tokens < SHORT) is (tokens == 5)  # both kinds of softmax
    parts = made(tokens, torch.bfloat16)
    ours, gradients = backward(parts, attention)
    assert ours.dtype == torch.bfloat16
    exact, exactly = backward([each.double() for each in parts], F.scaled_dot_product_attention)
    fused, roughly = backward(parts, F.scaled_dot_product_attention)
    for got, wanted, other in zip([ours, *gradients], [exact, *exactly], [fused, *roughly], strict=True):
        error = (got.double() - wanted).norm() / wanted.norm()
        assert error < 0.01
        assert error < 3 * (other.double() - wanted).norm() / wanted.norm()  # that of the fused kernel


def test_nothing_of_the_size_of_the_scores_is_kept() -> None:
    tokens = 100
    query, key, value, _ = (each.requires_grad_() for each in made(tokens, torch.bfloat16))
    kept: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x.numel()) or x, lambda x: x):
        attention(query, key, value)
    assert max(kept) == query.numel() < tokens**2 * 6


def test_under_autocast_it_stays_in_bfloat16() -> None:
    query, key, value, _ = made(5, torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = attention(query, key, value)
    assert torch.equal(mixed, attention(query, key, value))


def test_hidden_tokens_are_not_attended_to() -> None:
    query, key, value, _ = made(5, torch.bfloat16)
    shown = torch.tensor([[True, True, True, False, False]] * 2)[:, None, None]
    some = attention(query, key, value, shown)
    alone = F.scaled_dot_product_attention(query, key[:, :, :3], value[:, :, :3])
    torch.testing.assert_close(some, alone, rtol=0.02, atol=0.02)
