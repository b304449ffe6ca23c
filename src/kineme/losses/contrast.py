"""Losses of contrastive methods: InfoNCE, its mined form, and the divergence of two distributions."""

from __future__ import annotations

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor


def contrast_logits(query: Tensor, key: Tensor, queue: Tensor, temperature: float) -> Tensor:
    """Similarities of unit queries (N, D) to their own key and to the queue (K, D): (N, 1 + K) in float32."""
    with torch.autocast(query.device.type, enabled=False):
        query, key = query.float(), key.float()
        own = (query * key).sum(dim=1, keepdim=True)
        return torch.cat([own, query @ queue.T], dim=1) / temperature


def batch_logits(query: Tensor, key: Tensor, temperature: float) -> Tensor:
    """Similarities of unit queries (N, D) to their own key (N, D) and to the others of the batch, in float32.

    Those of all processes count, so a row of the result has as many entries as the whole batch has clips.
    """
    with torch.autocast(query.device.type, enabled=False):
        query, key = query.float(), key.float()
        own = (query * key).sum(dim=1, keepdim=True)
        everyone = gather(key)
        first = dist.get_rank() * len(key) if len(everyone) > len(key) else 0
        similarity = query @ everyone.T
        others = torch.ones_like(similarity, dtype=torch.bool)
        others[:, first : first + len(key)].fill_diagonal_(False)
        return torch.cat([own, similarity[others].view(len(query), -1)], dim=1) / temperature


def info_nce(logits: Tensor) -> Tensor:
    """Cross-entropy of the positive, which stands first in each row (N, 1 + K)."""
    return -F.log_softmax(logits, dim=1)[:, 0].mean()


def distribution_divergence(target: Tensor, logits: Tensor) -> Tensor:
    """D3M: cross-entropy between the query's distribution over key and queue, held fixed, and another's."""
    with torch.no_grad():
        probability = F.softmax(target, dim=1)
    return -(probability * F.log_softmax(logits, dim=1)).sum(dim=1).mean()


def mined_info_nce(logits: list[Tensor], k: int) -> Tensor:
    """NNM: InfoNCE of the first query, its positives widened by the k nearest queue entries of every query.

    Args:
        logits: one (N, 1 + K) a query, the key first.
        k: neighbours a query adds; the union with the key makes a row's positives.
    """
    with torch.no_grad():
        positives = torch.zeros_like(logits[0], dtype=torch.bool)
        positives[:, 0] = True
        for each in logits:
            positives.scatter_(1, each[:, 1:].topk(k, dim=1).indices + 1, True)
    chosen = F.log_softmax(logits[0], dim=1).masked_fill(~positives, 0).sum(dim=1)
    return -(chosen / positives.sum(dim=1)).mean()


def gather(keys: Tensor) -> Tensor:
    """The keys (N, D) of all processes, (N · processes, D), without gradient."""
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return keys
    everyone = [torch.empty_like(keys) for _ in range(dist.get_world_size())]
    dist.all_gather(everyone, keys.contiguous())
    return torch.cat(everyone)
