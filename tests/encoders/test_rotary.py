"""Rotary positions, by hand."""

from __future__ import annotations

import math

import torch

from kineme.encoders.rotary import turn_by, turned


def test_channels_turn_as_points_of_the_plane() -> None:
    """Four channels: the pair (0, 2) by s, the pair (1, 3) by s / 100."""
    x = torch.tensor([[1.0, 0.0, 0.0, 2.0]])
    (found,) = turned(x, turn_by(torch.tensor([3]), 4)).tolist()
    expected = [math.cos(3), -2 * math.sin(0.03), math.sin(3), 2 * math.cos(0.03)]
    torch.testing.assert_close(torch.tensor(found), torch.tensor(expected))


def test_step_zero_changes_nothing() -> None:
    x = torch.randn(2, 3, 8)
    assert torch.equal(turned(x, turn_by(torch.zeros(3), 8)), x)


def test_products_depend_on_the_distance_in_time_only() -> None:
    query, key = torch.randn(8), torch.randn(8)

    def product(one: int, other: int) -> torch.Tensor:
        return (
            turned(query[None], turn_by(torch.tensor([one]), 8))[0]
            @ (turned(key[None], turn_by(torch.tensor([other]), 8))[0])
        )

    torch.testing.assert_close(product(1, 4), product(5, 8), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(product(1, 4), product(1, 5))
