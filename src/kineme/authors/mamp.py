"""MAMP's checkpoints: pre-trained (`blocks.*`, `decoder_*`, `mask_token`), or classifiers with a `head.*`."""

from __future__ import annotations

import re

import torch.nn.functional as F
from torch import Tensor

from kineme.authors.state import State, layout_of, load_renamed, size
from kineme.encoders.base import COORDINATES, ClipShape
from kineme.encoders.mamp import JointTransformer
from kineme.layouts import Layout
from kineme.methods.mamp import MAMP

SYSTEM = "MAMP"
BODIES = 2  # which the weights do not reveal
HEAD_WIDTH = 32  # channels of an attention head, always

# Our names → theirs: regular expressions, applied from top to bottom.
NAMES = (
    (r"^encoder\.embedding\.", "joints_embed.proj."),
    (r"^encoder\.", ""),
    (r"^decoder\.embedding\.", "decoder_embed."),
    (r"^decoder\.head\.", "decoder_pred."),
    (r"^decoder\.mask_token$", "mask_token"),
    (r"^decoder\.", "decoder_"),
    (r"joint_position$", "pos_embed"),
    (r"segment_position$", "temp_embed"),
    (r"\.attention\.qkv\.", ".attn.qkv."),
    (r"\.attention\.out\.", ".attn.proj."),
    (r"\.linear(1|2)\.", r".mlp.fc\1."),
)


def from_state(state: State, layout: Layout | None = None, *, frames: int | None = None) -> MAMP:
    """A MAMP with the weights of an authors' state dict, its sizes inferred from the tensors.

    A classifier's head is left out, and where there is no decoder, as in a classifier, it is a fresh one.

    Args:
        state: see `read_state`.
        layout: of the joints; default NTU's.
        frames: T of the clips, a multiple of a patch, if another than in training; the positions in time are
            interpolated.

    Raises:
        KinemeError: keys are missing, unexpected or of another shape (it names them), or `frames` does not
            fit.
    """
    state = {key: _as_ours(key, tensor) for key, tensor in state.items() if not key.startswith("head.")}
    method = _untrained(state, layout, frames)
    for key in ("temp_embed", "decoder_temp_embed"):
        if key in state and state[key].ndim == 2:
            state[key] = resized(state[key], method.encoder.segments)
    if "mask_token" in state:
        load_renamed(method, state, authors_name, SYSTEM)
    else:
        load_renamed(method.encoder, state, lambda name: authors_name(f"encoder.{name}"), SYSTEM)
    return method.eval()


def authors_name(name: str) -> str:
    """Our name of a tensor → the authors'."""
    for pattern, replacement in NAMES:
        name = re.sub(pattern, replacement, name)
    return name


def resized(positions: Tensor, segments: int) -> Tensor:
    """(S, D) positions in time → (segments, D), by bicubic interpolation."""
    if len(positions) == segments:
        return positions
    image = positions.T[None, :, :, None]  # (1, D, S, 1)
    return F.interpolate(image, size=(segments, 1), mode="bicubic")[0, :, :, 0].T


def _as_ours(key: str, tensor: Tensor) -> Tensor:
    """Positions without axes of length 1; the convolution over patches as a matrix, frames before axes."""
    if key.endswith("_embed") and tensor.ndim == 4:
        return tensor.flatten(0, 2)
    if key == "mask_token" and tensor.ndim == 3:
        return tensor[0]
    if key == "joints_embed.proj.weight" and tensor.ndim == 4:  # (D, C, frames, 1)
        return tensor[..., 0].mT.flatten(1)
    return tensor


def _untrained(state: State, layout: Layout | None, frames: int | None) -> MAMP:
    """A method of the weights' sizes."""
    hidden = size(state, "joints_embed.proj.weight", 0, SYSTEM)
    patch = size(state, "joints_embed.proj.weight", 1, SYSTEM) // COORDINATES
    layout = layout_of(size(state, "pos_embed", 0, SYSTEM), layout)
    frames = frames or patch * size(state, "temp_embed", 0, SYSTEM)
    encoder = JointTransformer(
        ClipShape(layout, frames, BODIES),
        hidden=hidden,
        heads=max(hidden // HEAD_WIDTH, 1),
        depth=_depth(state, "blocks"),
        patch=patch,
    )
    if "mask_token" not in state:
        return MAMP(encoder, decoder_hidden=hidden)
    width = size(state, "decoder_embed.weight", 0, SYSTEM)
    return MAMP(encoder, decoder_hidden=width, decoder_depth=_depth(state, "decoder_blocks"))


def _depth(state: State, blocks: str) -> int:
    return len({key.split(".")[1] for key in state if key.startswith(f"{blocks}.")})
