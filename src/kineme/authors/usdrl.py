"""USDRL's checkpoints, of one encoder and one stream: `backbone.*`, `t_proj.*`, `s_proj.*`, `i_proj.*`."""

from __future__ import annotations

import re

from kineme.authors.state import State, layout_of, load_renamed, size
from kineme.encoders.base import COORDINATES, ClipShape
from kineme.encoders.dste import DSTE
from kineme.encoders.sttr import STTR
from kineme.errors import KinemeError
from kineme.layouts import Layout
from kineme.methods.usdrl import USDRL

BODIES = 2  # in the authors' checkpoints; inferred where a layout is given
SYSTEM = "USDRL"

# Our names → theirs: regular expressions, applied from top to bottom.
NAMES = (
    (r"^encoder\.spatial\.position$", "backbone.spe"),
    (r"^encoder\.(t|s)\w+\.embedding\.", r"backbone.ske_emb.\1_embedding."),
    (r"^(t|s|i)\w+_projector\.", r"\1_proj."),
    (r"\.linears\.0\.", ".0."),
    (r"\.norms\.0\.", ".1."),
    (r"\.linears\.1\.", ".3."),
    (r"\.norms\.1\.", ".4."),
    (r"\.linears\.2\.", ".6."),
    (r"\.attention\.qkv\.", ".attention.in_proj_"),
    (r"\.attention\.out\.", ".attention.out_proj."),
)
STTR_NAMES = (
    *NAMES,
    (r"^encoder\.(t|s)\w+\.layers\.", r"backbone.\1_tr.layers."),
    (r"\.attention\.", ".self_attn."),
)
DSTE_NAMES = (
    *NAMES,
    (r"^encoder\.(t|s)\w+\.layers\.0\.", r"backbone.\1_tr."),
    (r"^encoder\.(t|s)\w+\.layers\.(\d+)\.", r"backbone.\1_tr\2."),
    (r"\.attention\.", ".CA.attn."),
    (r"\.convolutional\.", ".CA."),
    (r"\.convolution\.", ".conv1."),
    (r"\.shift\.", ".DSA."),
    (r"\.mix(1|2)\.", r".wt\1."),
    (r"\.mlp\.linear(1|2)\.", r".mlp.fc\1."),
)


def from_state(state: State, layout: Layout | None = None, *, heads: int = 1) -> USDRL:
    """A USDRL with the weights of an authors' state dict; encoder, sizes and depth follow from the tensors.

    Args:
        state: see `read_state`.
        layout: of the joints; by default the one that fits two bodies.
        heads: attention heads, which the weights do not reveal.

    Raises:
        KinemeError: keys are missing, unexpected or of another shape (it names them), or the widths of the
            embeddings do not fit a whole number of frames, joints and bodies.
    """
    state = dict(state)
    method = USDRL(_encoder_of(state, layout, heads))
    dste = isinstance(method.encoder, DSTE)
    state.pop("backbone.tpe.pe", None)  # computed
    for key, tensor in list(state.items()):
        if ".DSA.attn." in key:  # the shared attention, listed again
            if not tensor.equal(state.get(key.replace(".DSA.", ".CA."), tensor)):
                raise KinemeError(
                    f"not a checkpoint of {SYSTEM}: {key} differs from that of CA, which shares it"
                )
            state.setdefault(key.replace(".DSA.", ".CA."), state.pop(key))
        elif key == "backbone.spe":
            state[key] = tensor.squeeze(0)
        elif key.endswith(".conv1.weight"):
            state[key] = tensor.squeeze(-1)
    load_renamed(method, state, lambda name: authors_name(name, dste), SYSTEM)
    return method.eval()


def authors_name(name: str, dste: bool) -> str:
    """Our name of a tensor → the authors'."""
    for pattern, replacement in DSTE_NAMES if dste else STTR_NAMES:
        name = re.sub(pattern, replacement, name)
    return name


def _encoder_of(state: State, layout: Layout | None, heads: int) -> STTR | DSTE:
    """An untrained encoder of the weights' sizes."""
    frame_width, joint_width = (
        size(state, f"backbone.ske_emb.{s}_embedding.0.weight", 1, SYSTEM) for s in "ts"
    )
    hidden = size(state, "backbone.ske_emb.t_embedding.0.weight", 0, SYSTEM)
    tokens = size(state, "backbone.spe", 1, SYSTEM)
    layout = layout or layout_of(tokens // BODIES, None)
    bodies, frames = tokens // layout.num_joints, joint_width // COORDINATES
    fitting = (bodies * layout.num_joints * COORDINATES, frames * COORDINATES, bodies * layout.num_joints)
    if fitting != (frame_width, joint_width, tokens) or not tokens * joint_width:
        raise KinemeError(
            f"not a checkpoint of {SYSTEM} for layout {layout.name!r} ({layout.num_joints} joints): it has "
            f"{tokens} positions, {frame_width} numbers a frame and {joint_width} a joint"
        )
    dste = any(".DSA." in key for key in state)
    layer = re.compile(r"backbone\.t_tr(\d*)\." if dste else r"backbone\.t_tr\.layers\.(\d+)\.")
    depth = len({found[1] for key in state if (found := layer.match(key))})
    if not depth:
        raise KinemeError(f"not a checkpoint of {SYSTEM}: missing: backbone.t_tr.*")
    return (DSTE if dste else STTR)(
        ClipShape(layout, frames, bodies), hidden=hidden, heads=heads, depth=depth
    )
