"""What processes that train one model together exchange, so that they do what one process would do.

Each has an equal part of a batch: rank r of W has the clips r·B to (r + 1)·B - 1 of W·B. Without a process
group, or in a group of one, nothing is exchanged and everything is returned as it is.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def count() -> int:
    """W, the number of processes.

    >>> count()
    1
    """
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """The number of this process, from 0.

    >>> rank()
    0
    """
    return dist.get_rank() if count() > 1 else 0


def total(value: Tensor) -> Tensor:
    """The sum over all processes, without gradient."""
    return _reduced(value, dist.ReduceOp.SUM) if count() > 1 else value


def greatest(value: Tensor) -> Tensor:
    """The maximum over all processes, without gradient."""
    return _reduced(value, dist.ReduceOp.MAX) if count() > 1 else value


def gather(rows: Tensor, dim: int = 0) -> Tensor:
    """The rows of all processes along an axis, in order of rank, without gradient."""
    if count() == 1:
        return rows
    parts = [torch.empty_like(rows, memory_format=torch.contiguous_format) for _ in range(count())]
    dist.all_gather(parts, rows.detach().contiguous())
    return torch.cat(parts, dim)


def gather_batch(rows: Tensor, dim: int = 0) -> Tensor:
    """The rows of all processes along an axis, in order of rank, with gradients.

    Every process then computes a loss of the whole batch, and the gradient is that of one process: each keeps
    its own part, times W, because DistributedDataParallel divides the sum of gradients by W.
    """
    if count() == 1:
        return rows
    gathered: Tensor = _GatherBatch.apply(rows, dim)  # type: ignore[no-untyped-call]
    return gathered


class _GatherBatch(torch.autograd.Function):
    """Without communication in the backward pass: every process has the gradient of the whole batch."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, dim: int) -> Tensor:
        ctx.dim = dim
        return gather(rows, dim)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0].chunk(count(), ctx.dim)[rank()] * count(), None


class WholeBatchNorm(nn.BatchNorm1d):
    """Batch norm of what `gather_batch` gave: its statistics are those of all processes already."""


def synchronise_norms(module: nn.Module) -> None:
    """Makes the batch norms inside a module take their statistics from the clips of all processes.

    Names and shapes of parameters stay.
    """
    for child in module.modules():
        if isinstance(child, _BatchNorm) and not isinstance(child, WholeBatchNorm):
            child.forward = MethodType(_synchronised, child)  # type: ignore[method-assign]


def _synchronised(norm: _BatchNorm, x: Tensor) -> Tensor:
    """What `norm(x)` is, x (N, C, ...), with the statistics of all processes.

    Deviation: `torch.nn.SyncBatchNorm` runs on accelerators only, and waits for them in every call.
    """
    if not norm.training or count() == 1:
        return type(norm).forward(norm, x)
    found = _Normalise.apply(x, norm.weight, norm.bias, norm.eps)  # type: ignore[no-untyped-call]
    normalised, mean, variance, rows = found
    if norm.running_mean is not None and norm.running_var is not None:
        assert norm.num_batches_tracked is not None
        norm.num_batches_tracked.add_(1)
        share = 1 / norm.num_batches_tracked if norm.momentum is None else norm.momentum
        norm.running_mean.lerp_(mean, share)
        norm.running_var.lerp_(variance * (rows / (rows - 1)), share)
    out: Tensor = normalised
    return out


class _Normalise(torch.autograd.Function):
    """(x - mean) / √(variance + ε) · weight + bias; mean and variance are those of all processes' x."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
    ) -> tuple[Tensor, Tensor, Tensor, int]:
        wide = torch.promote_types(x.dtype, torch.float32)
        like = torch.zeros(2, x.shape[1], dtype=wide, device=x.device)
        own = torch.stack(torch.batch_norm_update_stats(x, *like, 0.0))  # type: ignore[call-arg]
        means, variances = gather(own[None]).unbind(1)  # (W, C)
        mean = means.mean(0)
        variance = variances.mean(0) + (means - mean).square().mean(0)
        ctx.save_for_backward(x, weight, mean, variance)
        ctx.eps, ctx.rows = eps, count() * x.numel() // x.shape[1]
        ctx.mark_non_differentiable(mean, variance)
        return F.batch_norm(x, mean, variance, weight, bias, eps=eps), mean, variance, ctx.rows

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, Tensor | None, Tensor | None, None]:
        x, weight, mean, variance = ctx.saved_tensors
        # As if mean and variance were constants, in a kernel that goes over x once; then what they depend on.
        constants = None, None, False, ctx.eps, [True, True, True]
        back, *own = torch.ops.aten.native_batch_norm_backward(
            gradients[0], x, weight, mean, variance, *constants
        )
        along_weight, along_bias = total(torch.stack([each.to(mean.dtype) for each in own])) / ctx.rows
        scale = (variance + ctx.eps).rsqrt()
        factor = scale if weight is None else scale * weight
        slope = along_weight * scale * factor
        shape = [-1 if axis == 1 else 1 for axis in range(x.ndim)]
        back = torch.addcmul(back, x, slope.to(x.dtype).view(shape), value=-1)
        back.add_((slope * mean - along_bias * factor).view(shape))
        return back.to(x.dtype), *((None, None) if weight is None else own), None


def _reduced(value: Tensor, how: Any) -> Tensor:
    found = value.detach().clone()
    dist.all_reduce(found, how)
    return found
