"""Base of attention layers, whose activations can be recomputed instead of stored."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


class Layer(nn.Module):
    """One of a stack of layers, without batch norms, whose running moments would count a batch twice.

    Attributes:
        recomputes: keeps only its input for the backward pass, which computes the rest again (gradient
            checkpointing, Chen et al., arXiv 1604.06174). Gradients are the same.
    """

    recomputes = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What `forward` returns."""
        if self.recomputes and torch.is_grad_enabled():
            return checkpoint(super().__call__, *args, use_reentrant=False, **kwargs)
        return super().__call__(*args, **kwargs)


def recompute(network: nn.Module) -> int:
    """Lets every `Layer` of a network compute its activations again; returns how many there are."""
    layers = [module for module in network.modules() if isinstance(module, Layer)]
    for layer in layers:
        layer.recomputes = True
    return len(layers)
