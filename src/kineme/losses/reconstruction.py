"""Masked reconstruction: hidden patches are predicted from the visible ones."""

from __future__ import annotations

from torch import Tensor

from kineme import processes
from kineme.errors import KinemeError


def standardised(patches: Tensor) -> Tensor:
    """(..., P), each patch minus its mean, over √(its unbiased variance + 1e-6): (x - mean) / √(var + 1e-6).

    >>> import torch
    >>> standardised(torch.tensor([[1.0, 2.0, 3.0], [5.0, 5.0, 5.0]]))
    tensor([[-1.0000,  0.0000,  1.0000],
            [ 0.0000,  0.0000,  0.0000]])
    """
    variance = patches.var(-1, keepdim=True)
    return (patches - patches.mean(-1, keepdim=True)) / (variance + 1e-6).sqrt()


def masked_reconstruction(prediction: Tensor, target: Tensor, hidden: Tensor) -> Tensor:
    """Mean squared error of patches (..., L, P), averaged over those that are hidden (..., L) bool; float32.

    The mean of all processes' values is the average over the hidden patches of all.

    >>> import torch
    >>> target = torch.zeros(1, 3, 2)
    >>> prediction = torch.tensor([[[9.0, 9.0], [1.0, 1.0], [1.0, 2.0]]])
    >>> masked_reconstruction(prediction, target, torch.tensor([[False, True, True]]))  # mean of 1 and 2.5
    tensor(1.7500)
    """
    if not prediction.shape == target.shape == (*hidden.shape, *target.shape[-1:]):
        shapes = ", ".join(str(tuple(each.shape)) for each in (prediction, target, hidden))
        raise KinemeError(
            f"`prediction`, `target`, `hidden`: are {shapes}, not (..., L, P), (..., L, P), (..., L)"
        )
    error = (prediction.float() - target.float()).square().mean(-1)
    return (error * hidden).sum() / (processes.total(hidden.sum()) / processes.count())
