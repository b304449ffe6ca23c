"""Soft assignments of features to prototypes, and what keeps features apart; everything in float32.

Sinkhorn-Knopp assignments are from SwAV (Caron et al., NeurIPS 2020), KoLeo is from Sablayrolles et al.
(ICLR 2019); DINOv2 combined them, and SLiM applied them to skeletons.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from kineme import processes
from kineme.errors import KinemeError
from kineme.losses.shapes import check_axes

ROUNDS = 3
LOGITS = {"cpu": 2**22, "cuda": 2**28}  # float32 numbers at once: on a CPU few enough for its caches


@torch.no_grad()
def sinkhorn(logits: Tensor, temperature: float, rounds: int = ROUNDS) -> Tensor:
    """Assigns rows (N, K) to prototypes so that all prototypes get about the same share of them.

    In each round, the columns of Q = exp(logits / τ) are scaled to sum to 1/K, then its rows to 1/N; finally
    the rows are scaled to 1. The rows of all processes count, but each process gets only its own; there may
    be none.

    A round computes only the factors of columns and rows, in one pass over Q.

    >>> sinkhorn(torch.zeros(2, 4), temperature=0.1)
    tensor([[0.2500, 0.2500, 0.2500, 0.2500],
            [0.2500, 0.2500, 0.2500, 0.2500]])
    >>> both_like_the_first = torch.tensor([[1.0, 0.0], [0.8, 0.0]])
    >>> sinkhorn(both_like_the_first, temperature=0.1).round(decimals=2)
    tensor([[0.7300, 0.2700],
            [0.2700, 0.7300]])
    """
    check_axes(logits=(logits, "N K"))
    with torch.autocast(logits.device.type, enabled=False):
        q = torch.empty_like(logits, dtype=torch.promote_types(logits.dtype, torch.float32))
        row, sums = q.new_ones(len(q)), q.new_zeros(q.shape[1])
        greatest = processes.greatest(logits.amax().to(q) if len(q) else q.new_full((), -torch.inf))
        for given, part in _parts(logits, q):
            part.copy_(given).sub_(greatest).div_(temperature).exp_()
            sums += part.sum(0)
        total, prototypes = processes.total(q.new_full((), len(q))), q.shape[1]
        tiny = torch.finfo(q.dtype).tiny
        column = torch.ones_like(sums)
        for _ in range(rounds):
            column = 1 / (prototypes * processes.total(sums)).clamp_min(tiny)
            sums.zero_()
            for part, factors in _parts(q, row):
                factors.copy_(1 / (total * (part @ column)).clamp_min(tiny))
                sums += factors @ part
        for part, factors in _parts(q, row):
            part.mul_(column).mul_((factors * total)[:, None])
        return q


def prototype_cross_entropy(
    target: Tensor, features: Tensor, prototypes: Tensor, temperature: float, weight: Tensor
) -> Tensor:
    """Σ_n w_n (-Σ_k P_nk log softmax(x_n · c_k / τ)_k), where only the student has a gradient.

    Logits are computed a few rows at a time and discarded; of the N × K arrays only their gradient is kept,
    in the precision of the product. With 65,536 prototypes they would take most of a step's memory and time.

    Args:
        target: P (N, K), in the precision in which everything but the products is computed.
        features: x (N, D).
        prototypes: c (K, D).
        temperature: τ.
        weight: w (N,).

    >>> target, features = torch.tensor([[0.5, 0.5], [1.0, 0.0]]), torch.tensor([[0.0, 0.0], [0.2, 0.0]])
    >>> once = torch.ones(2)
    >>> prototype_cross_entropy(target, features, torch.eye(2), 0.1, once)  # log 2 + log(1 + exp(-2))
    tensor(0.8201)
    """
    check_axes(
        target=(target, "N K"),
        features=(features, "N D"),
        prototypes=(prototypes, "K D"),
        weight=(weight, "N"),
    )
    device = features.device.type
    mixed = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else features.dtype
    given = features.to(mixed), prototypes.to(mixed)
    summed: Tensor = _CrossEntropy.apply(target, *given, temperature, weight.to(target))  # type: ignore[no-untyped-call]
    return summed


class _CrossEntropy(torch.autograd.Function):
    """The gradient of logits is found with the loss, as all it waits for is a single factor."""

    @staticmethod
    def forward(
        ctx: Any, target: Tensor, features: Tensor, prototypes: Tensor, temperature: float, weight: Tensor
    ) -> Tensor:
        """(N, K), (N, D), (K, D), (N,) → ()."""
        gradient = features.new_empty(target.shape)
        error = weight.new_zeros(())
        room = target.new_empty(_rows_at_once(target), len(prototypes))
        with torch.autocast(features.device.type, enabled=False):
            for goal, x, w, found in _parts(target, features, weight, gradient):
                torch.mm(x, prototypes.T, out=found)
                logits = room[: len(x)].copy_(found).div_(temperature)
                aimed = torch.bmm(goal[:, None], logits[:, :, None])[:, 0, 0]
                top = logits.amax(1, keepdim=True)
                likely = logits.sub_(top).exp_()
                mass, whole = likely.sum(1), goal.sum(1)
                error += w @ ((mass.log() + top[:, 0]) * whole - aimed)
                likely.mul_((whole / mass)[:, None]).sub_(goal)
                found.copy_(likely.mul_((w / temperature)[:, None]))
        ctx.save_for_backward(features, prototypes, gradient)
        return error

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Of the logits' gradient G: dx = G c, dc = Gᵀ x."""
        features, prototypes, found = ctx.saved_tensors
        of_features = (found @ prototypes).mul_(gradients[0])
        of_prototypes = (found.T @ features).mul_(gradients[0])
        return None, of_features, of_prototypes, None, None


def _parts(rows: Tensor, *others: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Some rows (N, K), and what else there is of them."""
    size = _rows_at_once(rows)
    return zip(*(torch.split(each, size) for each in (rows, *others)), strict=True)


def _rows_at_once(rows: Tensor) -> int:
    most = LOGITS["cpu" if rows.device.type == "cpu" else "cuda"]
    return min(len(rows), max(1, most // rows.shape[1]))


def koleo(features: Tensor) -> Tensor:
    """-mean log(distance to the nearest other row + 1e-6) of the normalised rows (N, D).

    It is smallest when the rows are spread out. The rows of all processes count, and every process gets the
    mean over all of them.

    Raises:
        KinemeError: there is only one row, or features have other axes.

    >>> koleo(torch.tensor([[3.0, 0.0], [0.0, 2.0], [-1.0, 0.0]]))  # all √2 apart: -log √2
    tensor(-0.3466)
    """
    check_axes(features=(features, "N D"))
    with torch.autocast(features.device.type, enabled=False):
        x = F.normalize(processes.gather_batch(features.float()), dim=1)
        if len(x) < 2:
            raise KinemeError("nearest neighbours need at least 2 clips per batch; raise train.batch_size")
        with torch.no_grad():
            nearest = (x @ x.T).fill_diagonal_(-torch.inf).argmax(1)
        distance = torch.linalg.vector_norm(x - x[nearest], dim=1)
        apart: Tensor = (distance + 1e-6).log().mean()
        return -apart
