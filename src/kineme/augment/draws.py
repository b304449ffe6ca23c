"""Draws that several transforms share. All randomness is drawn by `rand`, `randn` and `randint`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor


class Share(torch.Generator):
    """Gives the clips of one process what they would get if one process drew for the clips of all.

    Every process draws for all clips, from one seed, and keeps what is its own. What a method draws from this
    generator itself, not by the functions of `kineme.augment`, is each process's own.

    Args:
        device: of the draws.
        clips: B, of this process's part of a batch.
        rank: of this process; it has the clips rank·B to (rank + 1)·B - 1.
        processes: W.

    >>> both = draw_coin(2 * 4, 0.5, torch.Generator().manual_seed(0)).view(2, 4)  # two views of four clips
    >>> parts = [Share("cpu", clips=2, rank=rank, processes=2).seeded(0, rank) for rank in range(2)]
    >>> torch.equal(torch.cat([draw_coin(2 * 2, 0.5, part).view(2, 2) for part in parts], dim=1), both)
    True
    """

    def __new__(cls, device: torch.device | str, **_: int) -> Share:
        """A generator on a device, as `torch.Generator` makes it."""
        return super().__new__(cls, device)  # type: ignore[call-arg]

    def __init__(self, device: torch.device | str, *, clips: int, rank: int, processes: int) -> None:
        self.clips, self.rank, self.processes = clips, rank, processes
        self.all = torch.Generator(device)

    def seeded(self, seed: int, own: int) -> Share:
        """With the seed of what all processes draw together, and that of what this one draws alone."""
        self.all.manual_seed(seed)
        self.manual_seed(own)
        return self

    def part(self, rows: Tensor) -> Tensor:
        """Of rows (K·W·B, ...), K views of the clips of all processes, those of its own clips (K·B, ...)."""
        views = rows.view(-1, self.processes, self.clips, *rows.shape[1:])
        return views[:, self.rank].flatten(0, 1)


def of_all(generator: torch.Generator) -> tuple[torch.Generator, int, Callable[[Tensor], Tensor]]:
    """For draws in which the clips of a batch take part together.

    Returns:
        a generator that all processes have in common, their number, and what takes this process's rows, see
        `Share.part`.

    >>> alone = torch.Generator()
    >>> common, processes, part = of_all(alone)
    >>> common is alone, processes, part(torch.arange(3))
    (True, 1, tensor([0, 1, 2]))
    """
    if isinstance(generator, Share):
        return generator.all, generator.processes, generator.part
    return generator, 1, lambda rows: rows


def _drawn(draw: Callable[..., Tensor], shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """(n, ...) by `draw(shape)`, for n rows in the order of views and clips."""
    common, processes, part = of_all(generator)
    return part(draw((processes * shape[0], *shape[1:]), generator=common, device=generator.device))


def rand(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Uniform in [0, 1), of shape (n, ...), where n counts clips, or all clips of one view after another.

    >>> rand((3,), torch.Generator().manual_seed(0))
    tensor([0.4963, 0.7682, 0.0885])
    """
    return _drawn(torch.rand, shape, generator)


def randn(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Normal with mean 0 and variance 1; the shape is as in `rand`.

    >>> randn((3,), torch.Generator().manual_seed(0))
    tensor([ 1.5410, -0.2934, -2.1788])
    """
    return _drawn(torch.randn, shape, generator)


def randint(high: int, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Whole numbers from 0 to high - 1, int64; the shape is as in `rand`.

    >>> randint(10, (5,), torch.Generator().manual_seed(0))
    tensor([4, 9, 3, 0, 3])
    """
    return _drawn(partial(torch.randint, high), shape, generator)


def draw_coin(n: int, probability: float, generator: torch.Generator) -> Tensor:
    """(n,) bool, true with the given probability.

    >>> draw_coin(6, 0.5, torch.Generator().manual_seed(0)).tolist()
    [True, False, True, True, True, False]
    """
    return rand((n,), generator) < probability


def draw_uniform(shape: tuple[int, ...], low: float, high: float, generator: torch.Generator) -> Tensor:
    """Uniform in [low, high); the shape is as in `rand`.

    >>> draw_uniform((3,), -1.0, 1.0, torch.Generator().manual_seed(0))
    tensor([-0.0075,  0.5364, -0.8230])
    """
    return rand(shape, generator) * (high - low) + low


def draw_subset(n: int, chosen: int, size: int, generator: torch.Generator) -> Tensor:
    """(n, size) bool with exactly `chosen` true entries per row.

    >>> draw_subset(2, 2, 4, torch.Generator().manual_seed(0)).int().tolist()
    [[1, 1, 0, 0], [0, 1, 0, 1]]
    """
    return mark(rand((n, size), generator).topk(chosen).indices, size)


def mark(indices: Tensor, size: int) -> Tensor:
    """(N, K) indices → (N, size) bool, true at the indices."""
    marks = torch.zeros(len(indices), size, dtype=torch.bool, device=indices.device)
    return marks.scatter_(1, indices, True)


def where(apply: Tensor, changed: Tensor, otherwise: Tensor | float) -> Tensor:
    """`changed` in the rows where `apply` (N,) is true; works on clips and on parameters of a transform.

    >>> where(torch.tensor([True, False]), torch.tensor([[1, 2], [3, 4]]), 0).tolist()
    [[1, 2], [0, 0]]
    """
    apply = apply.view(-1, *[1] * (changed.ndim - 1))
    return torch.where(apply, changed, otherwise)
