"""SLiM's checkpoints: the teacher with its heads (`backbone.*`, `dino_head.*`, `ibot_head.*`), or bare."""

from __future__ import annotations

import re

from torch import Tensor

from kineme.authors.state import State, layout_of, load_renamed, size
from kineme.encoders.base import COORDINATES, ClipShape
from kineme.encoders.slim import RotaryTransformer
from kineme.layouts import Layout
from kineme.methods.slim import SLiM

SYSTEM = "SLiM"
FRAMES, BODIES = 64, 2  # which the weights do not reveal
HEADS = ("dino_head.", "ibot_head.")
HEAD_WIDTH = 32  # channels of an attention head, always

# Our names → theirs: regular expressions, applied from top to bottom.
NAMES = (
    (r"^teacher_(clip|patch)_head\.", r"\1_head."),
    (r"^clip_head\.", "dino_head."),
    (r"^patch_head\.", "ibot_head."),
    (r"^(teacher|encoder)\.", "backbone."),
    (r"\.direction$", ".last_layer.weight_v"),
    (r"\.gain$", ".last_layer.weight_g"),
    (r"\.embedding\.", ".patch_embed.proj."),
    (r"\.class_token$", ".cls_token"),
    (r"\.registers$", ".register_tokens"),
    (r"\.position$", ".pos_embed"),
    (r"\.attention\.qkv\.", ".attn.qkv."),
    (r"\.attention\.out\.", ".attn.proj."),
    (r"\.linear(12|3)\.", r".mlp.w\1."),
)


def from_state(state: State, layout: Layout | None = None) -> SLiM:
    """A SLiM with the weights of an authors' state dict, its sizes inferred from the tensors.

    The file holds the teacher only, so the student gets the same weights. Where there are no heads, they are
    fresh ones of the published size.

    Args:
        state: see `read_state`.
        layout: of the joints; default NTU's.

    Raises:
        KinemeError: keys are missing, unexpected or of another shape (it names them).
    """
    prefix = "" if any(key.startswith("backbone.") for key in state) else "backbone."
    state = {f"{prefix}{key}": _as_ours(f"{prefix}{key}", tensor) for key, tensor in state.items()}
    method = _untrained(state, layout)
    if any(key.startswith(HEADS) for key in state):
        load_renamed(method, state, authors_name, SYSTEM)
    else:
        for encoder in (method.encoder, method.teacher):
            load_renamed(encoder, state, lambda name: authors_name(f"encoder.{name}"), SYSTEM)
    return method.eval()


def authors_name(name: str) -> str:
    """Our name of a tensor → the authors'."""
    for pattern, replacement in NAMES:
        name = re.sub(pattern, replacement, name)
    return name


def _as_ours(key: str, tensor: Tensor) -> Tensor:
    """Tokens without a leading axis; the convolution over patches as a matrix, frames before axes."""
    if key == "backbone.patch_embed.proj.weight" and tensor.ndim == 4:  # (D, C, frames, 1)
        return tensor[..., 0].mT.flatten(1)
    if key.endswith(("_token", "_tokens", "pos_embed")) and tensor.ndim == 3:
        return tensor[0]
    return tensor


def _untrained(state: State, layout: Layout | None) -> SLiM:
    """A method of the weights' sizes."""
    hidden = size(state, "backbone.patch_embed.proj.weight", 0, SYSTEM)
    patch = size(state, "backbone.patch_embed.proj.weight", 1, SYSTEM) // COORDINATES
    layout = layout_of(size(state, "backbone.pos_embed", 0, SYSTEM) - 1, layout)
    encoder = RotaryTransformer(
        ClipShape(layout, FRAMES, BODIES),
        hidden=hidden,
        heads=max(hidden // HEAD_WIDTH, 1),
        depth=len({key.split(".")[2] for key in state if key.startswith("backbone.blocks.")}),
        patch=patch,
        registers=size(state, "backbone.register_tokens", 0, SYSTEM),
    )
    if "dino_head.last_layer.weight_v" not in state:
        return SLiM(encoder)
    return SLiM(
        encoder,
        prototypes=size(state, "dino_head.last_layer.weight_v", 0, SYSTEM),
        head_out=size(state, "dino_head.last_layer.weight_v", 1, SYSTEM),
        head_hidden=size(state, "dino_head.mlp.0.weight", 0, SYSTEM),
    )
