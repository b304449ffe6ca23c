"""What a clip costs, counted by hand."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kineme.encoders import ClipShape, Encoder, Features, RotaryTransformer
from kineme.layouts import get_layout
from kineme.reproduce.cost import Cost, cost_of


class Product(Encoder):
    """One linear layer over the coordinates of each frame."""

    def __init__(self) -> None:
        super().__init__()
        self.shape, self.dim = ClipShape(get_layout("coco17"), 16, 2), 5
        self.linear = nn.Linear(3 * 17 * 2, 5)

    def forward(self, clips: Tensor) -> Features:
        return Features(self.linear(clips.transpose(1, 2).flatten(2)).mean(1))


def test_a_product_and_its_sum_are_two_operations() -> None:
    assert cost_of(Product()) == Cost(parameters=102 * 5 + 5, flops=2 * 16 * 102 * 5)


class Attended(Product):
    """Attention of each frame to all frames, by PyTorch's fused kernel."""

    def forward(self, clips: Tensor) -> Features:
        frames = clips.transpose(1, 2).flatten(2)[:, None]
        return Features(nn.functional.scaled_dot_product_attention(frames, frames, frames)[:, 0].mean(1))


def test_fused_attention_counts() -> None:
    assert cost_of(Attended()).flops == 2 * (2 * 16 * 16 * 102)


def test_counting_leaves_no_gradients() -> None:
    encoder = Product()
    cost_of(encoder)
    assert encoder.linear.weight.grad is None
    assert torch.is_grad_enabled()


def test_the_clip_that_is_counted_shows_its_bodies() -> None:
    one, two = (
        cost_of(
            RotaryTransformer(ClipShape(get_layout("coco17"), 16, bodies), hidden=8, heads=2, depth=1)
        ).flops
        for bodies in (1, 2)
    )
    assert two == 2 * one > 0  # SLiM's encoder passes over bodies that are absent
