"""Small methods and encoders of all kinds; a training step as the loop makes it, on tensors."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from kineme.checkpoints import build_encoder, build_method
from kineme.clips.batches import Clips
from kineme.encoders import ENCODERS, ClipShape, View
from kineme.layouts import get_layout
from kineme.methods import METHODS, Method
from kineme.streams import TOGETHER

SMALL = {
    "stgcn": {"channels": (8, 16), "strided": (1,)},
    "sttr": {"hidden": 32},
    "dste": {"hidden": 32},
    "disentangled": {"hidden": 32, "stem": (8, 16, 8)},
    "mamp": {"hidden": 32, "depth": 1},
    "slim": {"hidden": 32, "depth": 1},
    "canonical": {"hidden": 32},
}
METHOD_SMALL = {
    "aimclr": {"queue": 8},
    "scdnet": {"queue": 8},
    "mamp": {"decoder_hidden": 32, "decoder_depth": 1},
    "slim": {"prototypes": 32, "head_hidden": 16, "head_out": 8, "local_crops": [(8, 0.2, 0.5)]},
}
PAIRS = [(m, e) for m in METHODS for e in ENCODERS if issubclass(ENCODERS[e], METHODS[m].encoder_type)]


def small_method(
    method: str, encoder: str, *, layout: str = "ntu25", bodies: int = 2, stream: str = "joint"
) -> Method:
    """In training, for clips of 16 frames; MPCT has all streams, as it must."""
    shape = ClipShape(get_layout(layout), 16, bodies, TOGETHER if method == "mpct" else stream)
    built = build_encoder({"name": encoder, **SMALL[encoder]}, shape)
    return build_method({"name": method, **METHOD_SMALL.get(method, {})}, built).train()


def ragged_clips(layout_name: str, bodies: int) -> Clips:
    """Eight clips of 20 to 41 frames of smooth random motion."""
    length = torch.arange(20, 44, 3)
    frames = torch.randn(int(length.sum()), bodies, get_layout(layout_name).num_joints, 3).cumsum(0) / 10
    return Clips(frames, length.cumsum(0) - length, length)


def some_clips(lacking: bool, device: str = "cpu") -> Clips:
    """Ragged clips of `ntu25`, all joints present or, in every other clip, all but the last five."""
    clips = ragged_clips("ntu25", 2)
    present = torch.ones(len(clips), 25, dtype=torch.bool)
    present[::2, 20:] = False
    return Clips(clips.frames, clips.start, clips.length, present if lacking else None).to(device)


def take_a_step(method: Method, clips: Clips, generator: torch.Generator) -> None:
    """Views, loss, hooks and gradients."""
    losses = step(method, method.views(clips, generator), progress=0.6)
    losses["loss"].backward()


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
