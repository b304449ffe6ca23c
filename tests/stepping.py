"""A training step of a method, as the training loop makes it, on tensors."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from kineme.clips.batches import Clips
from kineme.encoders import View
from kineme.methods import Method


def step(method: Method, views: Iterable[Tensor | View], progress: float = 0.0) -> dict[str, Tensor]:
    """The losses of views, with the hooks before and after; scalars only."""
    method.before_step(progress)
    seen = [view if isinstance(view, View) else View(view) for view in views]
    outputs = method.loss(seen, progress)
    method.after_step({name: value.detach() for name, value in outputs.items() if value.ndim}, progress)
    return {name: value for name, value in outputs.items() if not value.ndim}


def drawn(method: Method, clips: Clips, seed: int = 0) -> tuple[Tensor, ...]:
    """The views that a method draws from a seed."""
    return tuple(view.clips for view in method.views(clips, torch.Generator().manual_seed(seed)))
