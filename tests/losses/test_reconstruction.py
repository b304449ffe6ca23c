"""Masked reconstruction, by hand. Agreement with the published program: tests/methods/test_mamp.py."""

from __future__ import annotations

import math

import pytest
import torch

from kineme.losses import masked_reconstruction, standardised


def test_a_patch_is_standardised_by_its_unbiased_variance() -> None:
    patch = torch.tensor([1.0, 2.0, 6.0])  # mean 3, squares 4 + 1 + 9 = 14
    expected = torch.tensor([-2.0, -1.0, 3.0]) / math.sqrt(14 / 2 + 1e-6)
    torch.testing.assert_close(standardised(patch), expected)
    still = standardised(torch.tensor([[5.0, 5.0], [0.0, 0.0]]))
    assert not still.any()  # an absent body's target is zero, and finite


def test_only_hidden_patches_count_and_each_counts_alike() -> None:
    target = torch.zeros(2, 3, 2)
    prediction = torch.tensor([[[1.0, 3.0], [9.0, 9.0], [2.0, 0.0]], [[0.0, 1.0], [8.0, 8.0], [7.0, 7.0]]])
    hidden = torch.tensor([[True, False, True], [True, False, False]])
    loss = masked_reconstruction(prediction, target, hidden)
    assert loss.item() == pytest.approx(((1 + 9) / 2 + 4 / 2 + 1 / 2) / 3)


def test_half_precision_is_summed_in_float32() -> None:
    prediction = torch.full((1, 4, 2), 300.0, dtype=torch.float16)  # its square overflows
    loss = masked_reconstruction(prediction, torch.zeros(1, 4, 2), torch.ones(1, 4, dtype=torch.bool))
    assert loss.dtype == torch.float32
    assert loss.item() == 90_000
