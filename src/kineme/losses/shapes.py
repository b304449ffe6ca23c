"""Shapes that losses ask of their arguments: a mistake is told before PyTorch broadcasts it away."""

from __future__ import annotations

from torch import Tensor

from kineme.errors import KinemeError


def check_axes(**given: tuple[Tensor, str]) -> None:
    """Checks the axes of arguments: by name, a tensor and its axes; the same letter is the same length.

    Raises:
        KinemeError: a tensor has another number of axes, or one of another length than those before it.

    >>> import torch
    >>> check_axes(query=(torch.zeros(4, 8), "N D"), key=(torch.zeros(4, 6), "N D"))
    Traceback (most recent call last):
    kineme.errors.KinemeError: `key`: has the shape (4, 6); it must be (N=4, D=8)
    """
    lengths: dict[str, int] = {}
    for name, (tensor, letters) in given.items():
        axes = letters.split()
        wanted = ", ".join(f"{axis}={lengths[axis]}" if axis in lengths else axis for axis in axes)
        found = tuple(tensor.shape)
        if len(found) != len(axes) or any(
            lengths.setdefault(axis, length) != length for axis, length in zip(axes, found, strict=True)
        ):
            raise KinemeError(f"`{name}`: has the shape {found}; it must be ({wanted})")
