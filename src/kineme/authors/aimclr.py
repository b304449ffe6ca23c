"""AimCLR's checkpoints: `encoder_q.*`, `encoder_k.*`, `queue` (D, K), `queue_ptr`."""

from __future__ import annotations

import re

import torch

from kineme.authors.state import State, layout_of, load_renamed, size
from kineme.encoders.base import ClipShape
from kineme.encoders.stgcn import STGCN
from kineme.errors import KinemeError
from kineme.layouts import Layout, spatial_partitions
from kineme.methods.aimclr import AimCLR

FRAMES, BODIES = 50, 2
BLOCK_PARTS = {
    "spatial_norm": "tcn.0",
    "temporal_norm": "tcn.3",
    "temporal": "tcn.2",
    "spatial": "gcn.conv",
    "residual": "residual",
}


def from_state(state: State, layout: Layout | None = None) -> AimCLR:
    """An AimCLR with the weights, sizes and queue of an authors' state dict."""
    state = dict(state)
    blocks = sum(re.fullmatch(r"encoder_q\.edge_importance\.\d+", key) is not None for key in state)
    convolutions = [f"encoder_q.st_gcn_networks.{i}.tcn.2.weight" for i in range(blocks)]
    channels = [size(state, key, 0, "AimCLR") for key in convolutions]
    joints = size(state, "encoder_q.data_bn.weight", 0, "AimCLR") // 3
    layout = layout_of(joints, layout)
    graph = torch.from_numpy(spatial_partitions(layout))
    for side in ("encoder_q", "encoder_k"):
        stored = state.pop(f"{side}.A", graph)  # we compute it from the layout; only checked
        if stored.shape != graph.shape or not torch.allclose(stored.float(), graph, atol=1e-5):
            raise KinemeError(f"the checkpoint's graph {side}.A is not that of layout {layout.name!r}")
        for i in range(blocks):
            convolution = f"{side}.st_gcn_networks.{i}.gcn.conv"
            for key in (f"{convolution}.weight", f"{convolution}.bias"):
                if key in state and state[key].ndim and len(state[key]) == 3 * channels[i]:
                    weight = state[key].flatten(1) if state[key].ndim > 1 else state[key]
                    state[key] = weight.view(3, channels[i], *weight.shape[1:])
    queue = size(state, "queue", 1, "AimCLR")
    state["queue"] = state["queue"].mT
    if "queue_ptr" in state:
        state["queue_ptr"] = state["queue_ptr"].reshape(())
    method = AimCLR(
        STGCN(ClipShape(layout, FRAMES, BODIES), channels=channels),
        projection=size(state, "encoder_q.fc.2.weight", 0, "AimCLR"),
        queue=queue,
    )
    load_renamed(method, state, authors_name, "AimCLR")
    return method.eval()


def authors_name(name: str) -> str:
    """Our name of a tensor → the authors'."""
    if name.startswith("queue."):
        return {"queue.keys": "queue", "queue.next_row": "queue_ptr"}[name]
    room, _, rest = name.partition(".")
    side = "encoder_k" if room.startswith("key_") else "encoder_q"
    if room.endswith("head"):
        return f"{side}.fc.{rest}"
    if rest.startswith("input_norm."):
        return f"{side}.data_bn.{rest.removeprefix('input_norm.')}"
    _, block, part, *tail = rest.split(".")
    if (part, *tail) == ("spatial", "importance"):
        return f"{side}.edge_importance.{block}"
    return ".".join([f"{side}.st_gcn_networks", block, BLOCK_PARTS[part], *tail])
