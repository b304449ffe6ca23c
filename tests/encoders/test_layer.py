"""Attention layers that compute their activations again give the same gradients and keep less."""

from __future__ import annotations

import pytest
import torch
from stepping import PAIRS, ragged_clips, small_method, step
from torch import Tensor, nn

from kineme.encoders.layer import recompute
from kineme.encoders.transformer import PreNormBlock, make_blocks

WITH_LAYERS = [(method, encoder) for method, encoder in PAIRS if encoder != "stgcn"]


def gradients(method_name: str, encoder_name: str, *, again: bool) -> tuple[Tensor, dict[str, Tensor]]:
    torch.manual_seed(0)
    method = small_method(method_name, encoder_name)
    if again:
        assert recompute(method) > 0
    clips, generator = ragged_clips("ntu25", 2), torch.Generator().manual_seed(0)
    loss = step(method, method.views(clips, generator), progress=0.6)["loss"]
    loss.backward()
    return loss.detach(), {name: p.grad for name, p in method.named_parameters() if p.grad is not None}


@pytest.mark.parametrize(("method_name", "encoder_name"), WITH_LAYERS)
def test_gradients_are_the_same(method_name: str, encoder_name: str) -> None:
    loss, kept = gradients(method_name, encoder_name, again=False)
    same, again = gradients(method_name, encoder_name, again=True)
    torch.testing.assert_close(same, loss)
    assert kept.keys() == again.keys()
    for name, gradient in kept.items():
        torch.testing.assert_close(again[name], gradient, msg=lambda text, name=name: f"{name}: {text}")


def test_less_is_kept_for_the_backward_pass() -> None:
    def kept(blocks: nn.ModuleList, x: Tensor) -> int:
        sizes: dict[int, int] = {}

        def pack(tensor: Tensor) -> Tensor:
            sizes[tensor.data_ptr()] = tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            for block in blocks:
                x = block(x)
        return sum(sizes.values())

    blocks, x = make_blocks(3, 32, 4), torch.randn(2, 50, 32)
    all_of_it = kept(blocks, x)
    assert recompute(blocks) == 3
    assert kept(blocks, x) <= 3 * x.numel() < all_of_it / 5


def test_without_gradients_nothing_is_computed_again() -> None:
    calls = []
    block = PreNormBlock(8, 2)
    block.register_forward_pre_hook(lambda *_: calls.append(1))
    recompute(block)
    with torch.no_grad():
        block(torch.randn(2, 3, 8))
    assert len(calls) == 1
    block(torch.randn(2, 3, 8)).sum().backward()
    assert len(calls) == 3
