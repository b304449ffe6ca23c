"""SCD-Net's checkpoints: `encoder_q.*`, `encoder_k.*`, and the queues `t_queue`, `s_queue`, `i_queue` (D, K).

Tensors that we merge, such as the three subsets of a graph convolution, are listed in braces, as in a shell.
"""

from __future__ import annotations

import re

import torch
from torch import Tensor

from kineme.authors.state import State, layout_of, load_renamed, size
from kineme.encoders.base import COORDINATES, ClipShape
from kineme.encoders.disentangled import Disentangled
from kineme.layouts import Layout
from kineme.methods.scdnet import SCDNet

SYSTEM = "SCD-Net"
STEM = "encoder_q.encoder.gcn_t"

# Our names → theirs: regular expressions, applied from top to bottom.
NAMES = (
    (r"^(?=encoder|heads)", "encoder_q."),
    (r"^key_", "encoder_k."),
    (r"^queues\.(t|s|i)\w+\.keys$", r"\1_queue"),
    (r"^queues\.(t|s|i)\w+\.next_row$", r"\1_queue_ptr"),
    (r"\.heads\.(t|s|i)[a-z]+\.", r".\1_proj."),
    (r"\.encoder\.(t|s)\w+_stem\.", r".encoder.gcn_\1."),
    (r"\.encoder\.(t|s)[a-z]+\.embedding\.", r".encoder.channel_\1."),
    (r"\.encoder\.(t|s)[a-z]+\.layer\.", r".encoder.\1_encoder.layers.0."),
    (r"\.attention\.qkv\.", ".self_attn.in_proj_"),
    (r"\.attention\.out\.", ".self_attn.out_proj."),
    (r"\.input_norm\.", ".data_bn."),
    (r"\.units\.(\d+)\.", lambda found: f".l{int(found[1]) + 1}."),
    (r"\.graph\.adjacency$", ".gcn1.PA"),
    (r"\.graph\.strength$", ".gcn1.alpha"),
    (r"\.graph\.relation\.", ".gcn1.convs.{0.conv1,1.conv1,2.conv1,0.conv2,1.conv2,2.conv2}."),
    (r"\.graph\.value\.", ".gcn1.convs.{0,1,2}.conv3."),
    (r"\.graph\.refine\.", ".gcn1.convs.{0,1,2}.conv4."),
    (r"\.graph_norm\.", ".gcn1.bn."),
    (r"\.graph_residual\.0\.", ".gcn1.down.0."),
    (r"\.graph_residual\.1\.", ".gcn1.down.1."),
    (r"\.temporal\.mix\.", ".tcn1.branches.{0,1,2}.0."),
    (r"\.temporal\.mix_norm\.", ".tcn1.branches.{0,1,2}.1."),
    (r"\.temporal\.convolutions\.(\d)\.", r".tcn1.branches.\1.3.conv."),
    (r"\.temporal\.plain\.", ".tcn1.branches.3.0."),
    (r"\.temporal\.norm\.", ".tcn1.branches.{0.3.bn,1.3.bn,2.4,3.1}."),
    (r"\.residual\.0\.", ".residual.conv."),
    (r"\.residual\.1\.", ".residual.bn."),
)


def from_state(state: State, layout: Layout | None = None, *, heads: int = 8) -> SCDNet:
    """An SCD-Net with the weights, sizes and queues of an authors' state dict.

    Args:
        state: see `read_state`.
        layout: of the joints; default NTU's.
        heads: attention heads, which the weights do not reveal.

    Raises:
        KinemeError: keys are missing, unexpected or of another shape (it names them).
    """
    method = SCDNet(
        _encoder_of(state, layout, heads),
        projection=size(state, "t_queue", 0, SYSTEM),
        queue=size(state, "t_queue", 1, SYSTEM),
    )
    state = dict(state)
    for key in map(authors_name, method.state_dict()):
        parts = [state[part] for part in members(key) if part in state]
        if len(parts) == len(members(key)) and len({part.shape[1:] for part in parts}) == 1:
            for part in members(key):
                del state[part]
            state[key] = _joined(key, parts)
    load_renamed(method, state, authors_name, SYSTEM)
    return method.eval()


def authors_name(name: str) -> str:
    """Our name of a tensor → the authors', or those of several in braces."""
    for pattern, replacement in NAMES:
        name = re.sub(pattern, replacement, name)
    return name


def members(key: str) -> list[str]:
    """The authors' tensors that make up one of ours, in order along its first axis."""
    if not (braces := re.search(r"\{(.+)\}", key)):
        return [key]
    return [key[: braces.start()] + each + key[braces.end() :] for each in braces[1].split(",")]


def _joined(key: str, parts: list[Tensor]) -> Tensor:
    """The authors' tensors as ours: joined, queues with a key per row, convolutions along the last axis."""
    tensor = torch.cat(parts) if parts[0].ndim else parts[0]
    if key.endswith("_queue"):
        return tensor.T
    if key.endswith("_queue_ptr"):
        return tensor.reshape(())
    if tensor.ndim == 4:
        return tensor.mT
    return tensor


def _encoder_of(state: State, layout: Layout | None, heads: int) -> Disentangled:
    """An untrained encoder of the weights' sizes."""
    units = len({found[1] for key in state if (found := re.match(rf"{re.escape(STEM)}\.l(\d+)\.", key))})
    stem = [size(state, f"{STEM}.l{unit + 1}.gcn1.bn.weight", 0, SYSTEM) for unit in range(max(units, 1))]
    layout = layout_of(size(state, f"{STEM}.l1.gcn1.PA", 1, SYSTEM), layout)
    bodies = size(state, f"{STEM}.data_bn.weight", 0, SYSTEM) // (layout.num_joints * COORDINATES)
    frames = size(state, "encoder_q.encoder.channel_s.0.weight", 1, SYSTEM) // stem[-1]
    hidden = size(state, "encoder_q.encoder.channel_t.0.weight", 0, SYSTEM)
    return Disentangled(ClipShape(layout, frames, bodies), hidden=hidden, heads=heads, stem=stem)
