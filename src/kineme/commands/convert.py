"""`kineme convert`: a published checkpoint → a run directory."""

from __future__ import annotations

from pathlib import Path
from typing import Literal


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
    """Turn a checkpoint of a published program into a run directory, to evaluate it like one of your own.

    The sizes of the networks are read from the weights. What leaves no trace there is taken as published: the
    attention heads, the preprocessing of the clips, the settings of the method and of the protocols. Nothing
    in the file is executed.

    Args:
        system: Program that wrote the checkpoint.
        checkpoint: Its file, as PyTorch saves it.
        out: The new run directory.
        stream: Input modality it was trained on; the file does not say.
        split: Split it was trained on; the file does not say.
        layout: Joints it was trained on: the name of a layout, or a layout file. Default: the built-in layout
            with as many joints.
        overwrite: Replace a run that is there.
    """
    from kineme.layouts import get_layout
    from kineme.model import from_authors

    named = get_layout(layout) if layout else None
    model = from_authors(checkpoint, system=system, layout=named, stream=stream, split=split)
    model.save(out, overwrite=overwrite)
    print(f"the run is in {out}; measure it with: kineme evaluate linear {out} --store STORE")
