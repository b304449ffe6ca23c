"""What methods of momentum contrast share: key encoder and queue (He et al., MoCo, CVPR 2020)."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kineme.errors import KinemeError, check_between
from kineme.losses.contrast import gather

Network = TypeVar("Network", bound=nn.Module)


def check_contrast(momentum: float, temperature: float) -> None:
    """Refuses settings of momentum contrast that mean nothing."""
    check_between("momentum", momentum, 0, 1)
    if temperature <= 0:
        raise KinemeError(f"temperature: is {temperature}; it must be more than 0")


def momentum_copy(query: Network) -> Network:
    """A gradient-free copy of the query network, to give the keys."""
    key = copy.deepcopy(query)
    key.requires_grad_(False)
    return key


@torch.no_grad()
def momentum_update(key: nn.Module, query: nn.Module, momentum: float) -> None:
    """key ← m · key + (1 - m) · query. Parameters only: the key network's batch statistics are its own."""
    torch._foreach_lerp_(list(key.parameters()), list(query.parameters()), 1 - momentum)


class KeyQueue(nn.Module):
    """The newest K keys, first in, first out.

    Attributes:
        keys: (K, D) unit rows; random until the first K keys have come.

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
        """(K, D) a copy of the keys, since the queue moves on before a loss runs backward."""
        return self.keys.clone()

    @torch.no_grad()
    def enqueue(self, keys: Tensor) -> None:
        """Replaces the oldest entries by a batch's keys (N, D), those of all processes, in order of rank.

        Raises:
            KinemeError: the queue's size is no multiple of the whole batch.
        """
        keys = gather(keys)
        if len(self.keys) % len(keys):
            raise KinemeError(
                f"queue of {len(self.keys)} entries is no multiple of the batch of {len(keys)} clips; "
                f"choose method.queue or train.batch_size accordingly"
            )
        rows = self.next_row + torch.arange(len(keys), device=keys.device)
        self.keys[rows] = keys.to(self.keys.dtype)
        self.next_row.copy_((self.next_row + len(keys)) % len(self.keys))
