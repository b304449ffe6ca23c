"""Multi-grained feature decorrelation: the loss terms of USDRL (Weng et al., AAAI 2025).

Each term is a function of stacked embeddings z (K, B, P): K views of a batch of B clips in P dimensions. Sums
of squares over P × P matrices are computed from B × B Gram matrices where those are smaller:
‖ZᵀZ‖_F = ‖ZZᵀ‖_F and ‖AᵀB‖²_F = Σ (AAᵀ)∘(BBᵀ). Pass float32: half precision overflows here.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from kineme.losses.shapes import check_axes

SMALLEST_STD = 1e-6


def similarity(z: Tensor) -> Tensor:
    """Σ_j MSE(z_j, z_last) + Σ_j MSE(z_j, mean of the z_j), j over all views but the last.

    >>> similarity(torch.tensor([[[1.0, 1.0]], [[0.0, 2.0]]]))  # MSE 1 to the last view, 0 to the mean
    tensor(1.)
    """
    check_axes(z=(z, "K B P"))
    return consistency(z[:-1], z[-1:])


def consistency(z: Tensor, targets: Tensor) -> Tensor:
    """Σ_j MSE(z_j, target_j) + Σ_j MSE(z_j, mean of the z_j): `targets` (K, B, P), or (1, B, P) for all z_j.

    >>> z, targets = torch.tensor([[[0.0]], [[4.0]]]), torch.tensor([[[1.0]], [[4.0]]])
    >>> consistency(z, targets)  # 1 and 0 to the targets, 4 and 4 to the mean
    tensor(9.)
    """
    check_axes(z=(z, "K B P"), targets=(targets, "1 B P" if len(targets) == 1 else "K B P"))
    per_view = (z - targets).square() + (z - z.mean(0, keepdim=True)).square()
    return per_view.mean((1, 2)).sum()


def variance_covariance(z: Tensor, *, variance_weight: float = 5.0) -> Tensor:
    """Σ_views [ 5·mean_d ReLU(1 - √(var_d + 1e-4)) + Σ_{i≠j} Cov_ij² / P ], with the unbiased covariance.

    >>> collapsed, spread_out = torch.zeros(1, 4, 2), torch.tensor([[[1.0, 1], [1, -1], [-1, 1], [-1, -1]]])
    >>> variance_covariance(collapsed), variance_covariance(spread_out)
    (tensor(4.9500), tensor(0.))
    """
    check_axes(z=(z, "K B P"))
    _, batch, dim = z.shape
    centred = z - z.mean(1, keepdim=True)
    variance = centred.square().sum(1) / (batch - 1)
    too_small = F.relu(1 - (variance + 1e-4).sqrt()).mean(1)
    if batch < dim:
        squares = gram(centred).square().sum((1, 2)) / (batch - 1) ** 2
        off_diagonal = squares - variance.square().sum(1)
    else:
        covariance = centred.mT @ centred / (batch - 1)
        off_diagonal = without_diagonal(covariance).square().sum((1, 2))
    return (variance_weight * too_small + off_diagonal / dim).sum()


def cross_correlation(z: Tensor, *, off_diagonal_weight: float = 0.005) -> Tensor:
    """Σ over pairs of views [ Σ_i (C_ii - 1)² + 0.005·Σ_{i≠j} C_ij² ], C the two views' correlation matrix.

    Columns are standardised by the unbiased standard deviation and the product is divided by B, so C_ii of
    equal views is (B - 1) / B.

    Deviation: a dimension that is constant over the batch has correlation 0; the authors' program divides by
    zero.

    >>> view = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    >>> cross_correlation(torch.stack([view, view])), cross_correlation(torch.stack([view, -view]))
    (tensor(0.1250), tensor(6.1250))
    """
    check_axes(z=(z, "K B P"))
    views, batch, dim = z.shape
    first, second = torch.triu_indices(views, views, offset=1, device=z.device)
    standardised = (z - z.mean(1, keepdim=True)) / z.std(1, keepdim=True).clamp_min(SMALLEST_STD)
    a, b = standardised[first], standardised[second]
    diagonal = (a * b).sum(1) / batch
    if batch < dim:
        grams = gram(standardised).flatten(1)
        squares = (grams @ grams.mT)[first, second] / batch**2
        off_diagonal = squares - diagonal.square().sum(1)
    else:
        off_diagonal = without_diagonal(a.mT @ b / batch).square().sum((1, 2))
    return ((diagonal - 1).square().sum(1) + off_diagonal_weight * off_diagonal).sum()


def gram(z: Tensor) -> Tensor:
    """(K, B, P) → (K, B, B), the inner products of rows."""
    return z @ z.mT


def without_diagonal(square: Tensor) -> Tensor:
    """(K, P, P) with its diagonals set to zero."""
    return square - torch.diag_embed(square.diagonal(dim1=1, dim2=2))


class Spread(NamedTuple):
    """How well an embedding fills its space; both values fall when it collapses."""

    effective_rank: Tensor
    std: Tensor


@torch.no_grad()
def spread(z: Tensor) -> Spread:
    """Effective rank, and standard deviation averaged over dimensions; both are means over the views.

    The rank is the participation ratio (Σλ)² / Σλ² of the covariance's eigenvalues: 1 if one direction holds
    all the variance, and at most min(B - 1, P). The Gram matrix gives it without computing eigenvalues.

    >>> spread(torch.tensor([[[1.0, 1], [1, -1], [-1, 1], [-1, -1]]]))
    Spread(effective_rank=tensor(2.), std=tensor(1.1547))
    """
    check_axes(z=(z, "K B P"))
    grams = gram(z - z.mean(1, keepdim=True))
    trace = grams.diagonal(dim1=1, dim2=2).sum(1)
    squares = grams.square().sum((1, 2)).clamp_min(torch.finfo(z.dtype).tiny)
    return Spread((trace.square() / squares).mean(), z.std(1).mean())
