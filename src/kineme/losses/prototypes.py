"""Soft assignments of features to prototypes, and what keeps features apart; everything in float32.

Sinkhorn-Knopp assignments are those of SwAV (Caron et al., NeurIPS 2020), KoLeo that of Sablayrolles et al.
(ICLR 2019); DINOv2 brought them together, SLiM brought them to skeletons.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from kineme import processes
from kineme.errors import KinemeError

ROUNDS = 3


@torch.no_grad()
def sinkhorn(logits: Tensor, temperature: float, rounds: int = ROUNDS) -> Tensor:
    """Assigns rows (N, K) to prototypes so that all prototypes get about the same share of them.

    Of Q = exp(logits / τ), in each round columns are scaled to sum 1/K, then rows to 1/N; at last rows to 1.
    Rows of all processes count, though every process gets its own only; there may be none.

    Q is written once: a round only finds the factors of columns and rows, by two products with a vector.

    >>> sinkhorn(torch.zeros(2, 4), temperature=0.1)
    tensor([[0.2500, 0.2500, 0.2500, 0.2500],
            [0.2500, 0.2500, 0.2500, 0.2500]])
    >>> both_like_the_first = torch.tensor([[1.0, 0.0], [0.8, 0.0]])
    >>> sinkhorn(both_like_the_first, temperature=0.1).round(decimals=2)
    tensor([[0.7300, 0.2700],
            [0.2700, 0.7300]])
    """
    with torch.autocast(logits.device.type, enabled=False):
        q = logits.float() / temperature  # a copy, which takes all the steps that follow
        greatest = q.amax() if len(q) else q.new_full((), -torch.inf)
        q.sub_(processes.greatest(greatest)).exp_()
        total, prototypes = processes.total(q.new_full((), len(q))), q.shape[1]
        tiny = torch.finfo(q.dtype).tiny
        row, column = q.new_ones(len(q)), q.new_ones(prototypes)
        for _ in range(rounds):
            column = 1 / (prototypes * processes.total(row @ q)).clamp_min(tiny)
            row = 1 / (total * (q @ column)).clamp_min(tiny)
        return q.mul_(column).mul_((row * total)[:, None])


def prototype_cross_entropy(target: Tensor, logits: Tensor, temperature: float) -> Tensor:
    """-Σ_k P_k log softmax(logits / τ)_k of each row: targets and logits (N, K) → (N,).

    >>> target, logits = torch.tensor([[0.5, 0.5], [1.0, 0.0]]), torch.tensor([[0.0, 0.0], [0.2, 0.0]])
    >>> prototype_cross_entropy(target, logits, temperature=0.1)  # log 2, and log(1 + exp(-2))
    tensor([0.6931, 0.1269])
    """
    with torch.autocast(logits.device.type, enabled=False):
        return F.cross_entropy(logits.float() / temperature, target.float(), reduction="none")


def koleo(features: Tensor) -> Tensor:
    """-mean log(distance to the nearest other row + 1e-6) of the normalised rows (N, D): least if spread out.

    Rows of all processes count, and every process gets the mean over all of them.

    Raises:
        KinemeError: there is only one row.

    >>> koleo(torch.tensor([[3.0, 0.0], [0.0, 2.0], [-1.0, 0.0]]))  # all √2 apart: -log √2
    tensor(-0.3466)
    """
    with torch.autocast(features.device.type, enabled=False):
        x = F.normalize(processes.gather_batch(features.float()), dim=1)
        if len(x) < 2:
            raise KinemeError("nearest neighbours need at least 2 clips per batch; raise train.batch_size")
        with torch.no_grad():
            nearest = (x @ x.T).fill_diagonal_(-torch.inf).argmax(1)
        distance = torch.linalg.vector_norm(x - x[nearest], dim=1)
        apart: Tensor = (distance + 1e-6).log().mean()
        return -apart
