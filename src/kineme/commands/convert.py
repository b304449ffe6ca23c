"""`kineme convert`: a published checkpoint → a run directory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from kineme.encoders import Encoder
    from kineme.methods import Method

PREPROCESSINGS = {"aimclr": "crossclr", "scdnet": "agcn", "usdrl": "agcn"}  # their authors' preprocessings


def convert(
    system: Literal["aimclr", "scdnet", "usdrl"],
    checkpoint: Path,
    out: Path,
    *,
    stream: Literal["joint", "bone", "motion"] = "joint",
    split: str = "xsub",
    layout: str | None = None,
    overwrite: bool = False,
) -> None:
    """Turns a checkpoint of a published program into a run directory, to evaluate it like one's own.

    The sizes of the networks are read off the weights. What leaves no trace there is taken as published: the
    attention heads, the preprocessing (`crossclr` for AimCLR, `agcn` for the others), the settings of the
    method. Nothing in the file is executed.

    Args:
        system: The program that wrote the checkpoint.
        checkpoint: Its file, as PyTorch saves it.
        out: The new run directory.
        stream: What of the skeleton it was trained on; the file does not say.
        split: The split it was trained on; the file does not say.
        layout: Of the joints: a name, or a JSON file of one's own. Default: the one with as many joints.
        overwrite: Replace a run that is there.

    Raises:
        KinemeError: the file is no checkpoint of this system or `out` is in the way.
    """
    from kineme.checkpoints import WEIGHTS, from_authors, save_encoder
    from kineme.config import config_from_dict
    from kineme.layouts import get_layout
    from kineme.preprocessing import parse_preprocessing
    from kineme.training.run import open_run, write_config

    method = from_authors(system, checkpoint, get_layout(layout) if layout else None)
    encoder = method.encoder
    sections = {
        "data": {
            "split": split,
            "stream": stream,
            "frames": encoder.shape.frames,
            "preprocessing": PREPROCESSINGS[system],
        },
        "method": {"name": system, **_method_sizes(method)},
        "encoder": _encoder_sizes(encoder),
    }
    config = config_from_dict(sections, where=str(checkpoint))
    open_run(out, overwrite)
    write_config(out, config)
    save_encoder(out / WEIGHTS, encoder, parse_preprocessing(PREPROCESSINGS[system]), config.to_dict())
    print(f"the run is in {out}; measure it with: kineme evaluate linear {out} --store STORE")


def _encoder_sizes(encoder: Encoder) -> dict[str, Any]:
    """What of an encoder's settings its weights depend on."""
    from kineme.encoders import DSTE, STGCN, STTR, Disentangled

    own: Any = encoder  # attributes of torch's module lists have no types
    match encoder:
        case STGCN():
            return {"name": "stgcn", "channels": [block.spatial.channels for block in own.blocks]}
        case STTR() | DSTE():
            layers = own.temporal.layers
            sizes = {"hidden": own.hidden, "heads": layers[0].attention.heads, "depth": len(layers)}
            return {"name": type(encoder).__name__.lower(), **sizes}
        case Disentangled():
            sizes = {"hidden": own.hidden, "heads": own.temporal.layer.attention.heads}
            stem = [unit.graph_norm.num_features for unit in own.temporal_stem.units]
            return {"name": "disentangled", **sizes, "stem": stem}
    raise AssertionError(f"the sizes of {type(encoder).__name__} are not known here")


def _method_sizes(method: Method) -> dict[str, Any]:
    """What of a method's settings its weights depend on."""
    from kineme.methods.contrast import KeyQueue

    queue = next((part for part in method.modules() if isinstance(part, KeyQueue)), None)
    return {} if queue is None else {"queue": len(queue.keys), "projection": queue.keys.shape[1]}
