"""The plain form of each method's training step, which the fast one is measured against and tested by.

Written as one writes it first: float32, padded arrays, augmentation clip by clip in Python, a pass of the
encoder for each view, and losses and graph networks as their equations stand. Weights and draws are those of
the method.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from benchmarks.plain import aimclr, mamp, scdnet, slim, usdrl
from kineme.encoders import View


@dataclass(frozen=True)
class Plain:
    """A method's plain form.

    Attributes:
        views: (method, clips, generator) → views, as `Method.views`.
        loss: (method, views) → the `loss` at the beginning of training, and what `after_step` takes.
    """

    views: Callable[..., list[View]]
    loss: Callable[[Any, list[View]], dict[str, Tensor]]


PLAIN = {
    "aimclr": Plain(aimclr.views, aimclr.loss),
    "scdnet": Plain(scdnet.views, scdnet.loss),
    "usdrl": Plain(usdrl.usdrl_views, usdrl.usdrl_loss),
    "mpct": Plain(usdrl.mpct_views, usdrl.mpct_loss),
    "mamp": Plain(mamp.views, mamp.loss),
    "slim": Plain(slim.views, slim.loss),
}
