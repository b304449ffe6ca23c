"""Contrastive losses."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from kineme import processes
from kineme.errors import KinemeError
from kineme.losses.shapes import check_axes


def contrast_logits(query: Tensor, key: Tensor, queue: Tensor, temperature: float) -> Tensor:
    """Similarities of unit queries (N, D) to their own key and to the queue (K, D): (N, 1 + K) in float32.

    >>> query, queue = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
    >>> contrast_logits(query, query, queue, temperature=0.1)
    tensor([[ 10.,   0., -10.]])
    """
    check_axes(query=(query, "N D"), key=(key, "N D"), queue=(queue, "K D"))
    with torch.autocast(query.device.type, enabled=False):
        query, key = query.float(), key.float()
        own = (query * key).sum(dim=1, keepdim=True)
        return torch.cat([own, query @ queue.T], dim=1) / temperature


def batch_logits(query: Tensor, key: Tensor, temperature: float) -> Tensor:
    """Similarities of unit queries (N, D) to their own key and to the batch's other keys (N, D), in float32.

    The batch is that of all processes: a row of the result has one entry for each of its clips.

    >>> batch_logits(torch.eye(3), torch.eye(3), temperature=0.5)
    tensor([[2., 0., 0.],
            [2., 0., 0.],
            [2., 0., 0.]])
    """
    check_axes(query=(query, "N D"), key=(key, "N D"))
    with torch.autocast(query.device.type, enabled=False):
        query, key = query.float(), key.float()
        own = (query * key).sum(dim=1, keepdim=True)
        everyone = processes.gather(key)
        number = processes.rank() * len(key) + torch.arange(len(key), device=key.device)[:, None]
        others = torch.arange(len(everyone) - 1, device=key.device).expand(len(key), -1)
        similarity = (query @ everyone.T).gather(1, others + (others >= number))
        return torch.cat([own, similarity], dim=1) / temperature


def info_nce(logits: Tensor) -> Tensor:
    """InfoNCE: cross-entropy of the positive, the first entry of each row (N, 1 + K).

    -mean_n log softmax(logits)_n0.

    >>> info_nce(torch.tensor([[2.0, 0.0, 0.0]]))  # log(1 + 2·exp(-2))
    tensor(0.2395)
    """
    check_axes(logits=(logits, "N 1+K"))
    return -F.log_softmax(logits, dim=1)[:, 0].mean()


def distribution_divergence(target: Tensor, logits: Tensor) -> Tensor:
    """D3M (AimCLR): cross-entropy of two distributions over key and queue; `target` gets no gradient.

    Of logits (N, 1 + K) each, -mean_n Σ_j softmax(target)_nj log softmax(logits)_nj.

    >>> uniform, peaked = torch.zeros(1, 2), torch.tensor([[2.0, 0.0]])
    >>> distribution_divergence(uniform, uniform), distribution_divergence(uniform, peaked)
    (tensor(0.6931), tensor(1.1269))
    """
    check_axes(target=(target, "N 1+K"), logits=(logits, "N 1+K"))
    with torch.no_grad():
        probability = F.softmax(target, dim=1)
    return -(probability * F.log_softmax(logits, dim=1)).sum(dim=1).mean()


def mined_info_nce(logits: list[Tensor], k: int) -> Tensor:
    """NNM (AimCLR): InfoNCE of the first query, with every query's k nearest queue entries also positive.

    -mean_n mean_{j ∈ P_n} log softmax(logits_0)_nj, where P_n are the key and these entries.

    Args:
        logits: one (N, 1 + K) per query, the key first.
        k: number of neighbours that each query adds to the positives.

    >>> mined_info_nce([torch.tensor([[2.0, 1.0, 0.0]])], k=1)  # the entry with logit 1 is a positive
    tensor(0.9076)
    """
    check_axes(**{f"logits[{i}]": (each, "N 1+K") for i, each in enumerate(logits)})
    if not 1 <= k < logits[0].shape[1]:
        entries = logits[0].shape[1] - 1
        raise KinemeError(
            f"`k`: is {k}; it must be at least 1 and at most {entries}, the entries of the queue"
        )
    with torch.no_grad():
        positives = torch.zeros_like(logits[0], dtype=torch.bool)
        positives[:, 0].fill_(True)
        for each in logits:
            positives.scatter_(1, each[:, 1:].topk(k, dim=1).indices + 1, True)
    chosen = F.log_softmax(logits[0], dim=1).masked_fill(~positives, 0).sum(dim=1)
    return -(chosen / positives.sum(dim=1)).mean()
