"""Momentum contrast: key encoder and queue (He et al., MoCo, CVPR 2020)."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kineme.errors import KinemeError, check_between
from kineme.processes import gather

Network = TypeVar("Network", bound=nn.Module)


def check_contrast(momentum: float, temperature: float) -> None:
    """Raises a KinemeError if a setting is out of range."""
    check_between("momentum", momentum, 0, 1)
    if temperature <= 0:
        raise KinemeError(f"temperature: is {temperature}; it must be more than 0")


def momentum_copy(query: Network) -> Network:
    """A copy of the query network, without gradients, for the keys."""
    key = copy.deepcopy(query)
    key.requires_grad_(False)
    return key


@torch.no_grad()
def momentum_update(key: nn.Module, query: nn.Module, momentum: float) -> None:
    """key ← m · key + (1 - m) · query. Parameters only: the key network keeps its own batch statistics."""
    torch._foreach_lerp_(list(key.parameters()), list(query.parameters()), 1 - momentum)


class KeyQueue(nn.Module):
    """The newest K keys, first in, first out.

    Attributes:
        keys: (K, D) unit rows; random until the queue has been filled once.

    Raises:
        KinemeError: K or D is less than 1.
    """

    keys: Tensor
    next_row: Tensor

    def __init__(self, size: int, dim: int) -> None:
        super().__init__()
        check_between("queue", size, 1)
        check_between("projection", dim, 1)
        self.register_buffer("keys", F.normalize(torch.randn(size, dim), dim=1))
        self.register_buffer("next_row", torch.zeros((), dtype=torch.int64))

    def entries(self) -> Tensor:
        """(K, D), a copy of the keys, so that `enqueue` does not change what a backward pass needs."""
        return self.keys.clone()

    @torch.no_grad()
    def enqueue(self, keys: Tensor) -> None:
        """Replaces the oldest entries with the keys (N, D) of all processes, in order of rank.

        Raises:
            KinemeError: the queue's size is not a multiple of the whole batch.
        """
        keys = gather(keys)
        if len(self.keys) % len(keys):
            raise KinemeError(
                f"a queue of {len(self.keys)} entries is not a multiple of the batch of {len(keys)} clips; "
                "change method.queue or train.batch_size"
            )
        rows = self.next_row + torch.arange(len(keys), device=keys.device)
        self.keys[rows] = keys.to(self.keys.dtype)
        self.next_row.copy_((self.next_row + len(keys)) % len(self.keys))
