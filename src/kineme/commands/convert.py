"""`kineme convert`: a published checkpoint → a run directory."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from kineme.commands.said import command
from kineme.errors import KinemeError


def convert(
    system: Literal["aimclr", "mamp", "scdnet", "slim", "usdrl"],
    checkpoint: Path,
    out: Path,
    *,
    stream: Literal["joint", "bone", "motion"] = "joint",
    split: str = "xsub",
    layout: str | None = None,
    overwrite: bool = False,
) -> None:
    """Turn a published checkpoint into a run directory, to evaluate it like a run of your own.

    Layer sizes are read from the weights. What the weights do not reveal is taken from the publication:
    attention heads, preprocessing, and the settings of the method and of evaluation. Nothing in the file is
    executed.

    Args:
        system: Program that wrote the checkpoint: aimclr, mamp, scdnet, slim or usdrl.
        checkpoint: File saved by PyTorch.
        out: The new run directory.
        stream: Input modality it was trained on, which the file does not say.
        split: Split it was trained on, which the file does not say. Settings are those published for xsub
            (of NTU RGB+D 60), xview, xsub120 or xset, and for any other split those for xsub.
        layout: Joint layout it was trained on: a name or a layout file. Default: the built-in layout with the
            same number of joints.
        overwrite: Replace an existing run.
    """
    from kineme.layouts import get_layout

    joints = get_layout(layout) if layout else None
    if not checkpoint.is_file():
        raise KinemeError(f"{checkpoint}: no such checkpoint file")
    from kineme.loading import from_authors

    model = from_authors(checkpoint, system=system, layout=joints, stream=stream, split=split)
    model.save(out, overwrite=overwrite)
    print(f"the run is in {out}; next: {command('kineme', 'evaluate', 'linear', out)} --store STORE")
