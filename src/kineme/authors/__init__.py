"""Checkpoints of the published programs, one file per system.

Each turns the authors' state dict into one of our methods, its sizes inferred from the tensors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kineme.authors import aimclr, mamp, scdnet, slim, usdrl
from kineme.authors.state import State
from kineme.encoders import DSTE, STGCN, STTR, Disentangled, JointTransformer, RotaryTransformer
from kineme.layouts import Layout
from kineme.methods import MAMP, Method, SLiM
from kineme.methods.contrast import KeyQueue

SYSTEMS: dict[str, Callable[[State, Layout | None], Method]] = {
    "aimclr": aimclr.from_state,
    "usdrl": usdrl.from_state,
    "scdnet": scdnet.from_state,
    "mamp": mamp.from_state,
    "slim": slim.from_state,
}


def encoder_settings(method: Method) -> dict[str, Any]:
    """The settings of a published method's encoder that determine its weights."""
    encoder = method.encoder
    own: Any = encoder  # attributes of torch's module lists have no types
    match encoder:
        case STGCN():
            return {"name": "stgcn", "channels": [block.spatial.channels for block in own.blocks]}
        case STTR() | DSTE():
            layers = own.temporal.layers
            sizes = {"hidden": own.hidden, "heads": layers[0].attention.heads, "depth": len(layers)}
            return {"name": type(own).__name__.lower(), **sizes}
        case Disentangled():
            sizes = {"hidden": own.hidden, "heads": own.temporal.layer.attention.heads}
            stem = [unit.graph_norm.num_features for unit in own.temporal_stem.units]
            return {"name": "disentangled", **sizes, "stem": stem}
        case JointTransformer():
            sizes = {name: getattr(own, name) for name in ("hidden", "heads", "patch")}
            return {"name": "mamp", **sizes, "depth": len(own.blocks)}
        case RotaryTransformer():
            sizes = {name: getattr(own, name) for name in ("hidden", "heads", "patch")}
            return {"name": "slim", **sizes, "depth": len(own.blocks), "registers": len(own.registers)}
    raise AssertionError(f"the sizes of {type(own).__name__} are not known here")


def method_settings(system: str, method: Method) -> dict[str, Any]:
    """The settings of a published method that determine its weights."""
    if isinstance(method, MAMP):
        decoder = method.decoder
        sizes = {"decoder_hidden": decoder.head.in_features, "decoder_depth": len(decoder.blocks)}
        return {"name": system, **sizes}
    if isinstance(method, SLiM):
        prototypes, out = method.clip_head.direction.shape
        inner = method.clip_head.mlp[0].out_features
        return {"name": system, "prototypes": prototypes, "head_hidden": inner, "head_out": out}
    queue = next((part for part in method.modules() if isinstance(part, KeyQueue)), None)
    sizes = {} if queue is None else {"queue": len(queue.keys), "projection": queue.keys.shape[1]}
    return {"name": system, **sizes}
