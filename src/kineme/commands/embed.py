"""`kineme embed`: recordings → a table of their features."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

from kineme.commands.outputs import check_no_input, hold
from kineme.commands.said import written
from kineme.evaluation.options import Device


def embed(
    run: Path,
    inputs: list[Path],
    *,
    out: Path | None = None,
    window: str | None = None,
    step: str | None = None,
    batch_size: int = 256,
    device: Device = "auto",
    precision: Literal["float32", "bfloat16"] = "float32",
    allow_preprocessing: bool = False,
    joint_map: Path | None = None,
    layout: str | None = None,
    fps: float | None = None,
    axes: Literal["y-up", "y-down", "z-up"] | None = None,
    units: str | None = None,
    image: str | None = None,
    body_model: Path | None = None,
) -> None:
    """Write the features of recordings to a table: one row per clip, or per window.

    Columns are source, name, start and end in seconds, subject, label, and the features. The table is written
    block by block, so recordings may be many and long. If it is interrupted, the same command goes on where
    it stopped.

      kineme embed runs/mine recordings --window 2s --step 0.5s --out moments.csv

    Args:
        run: Run directory, model.safetensors or published checkpoint.
        inputs: Clip stores, and files or folders of poses: motion capture (.trc, .c3d, .bvh, AMASS), the
            output of pose estimators, .npy, .npz, CSV; or videos, which need `pip install "kineme[video]"`.
            Poses are prepared as the training clips were.
        out: Table to write: .npz, .csv or .parquet (default: features-INPUT.npz in the current directory); an
            existing one is replaced.
        window: Cut recordings into windows of so many seconds, such as 2s. A shorter recording is one row.
        step: Seconds from the start of a window to that of the next, such as 0.5s; by default half a window.
        batch_size: Clips per pass of the encoder.
        device: Where to compute; `auto` takes the GPU if there is one.
        precision: Of the encoder's arithmetic.
        allow_preprocessing: Accept a store of another preprocessing than the encoder's.
        joint_map: YAML file with the joints or markers of those joints that cannot be found by name
            (`head: helmet`, `neck: [C7, CLAV]`).
        layout: Of poses: a built-in layout or a layout file. Default: what the files say.
        fps: Of poses: frames per second. Default: what the files say, else 30.
        axes: Of poses: which way y or z points, as of `kineme prepare poses`.
        units: Of poses in three dimensions: the unit of the coordinates, as of `kineme prepare poses`.
        image: Of poses in an image: its size, such as 1920x1080.
        body_model: Of poses from AMASS: the .npz or .pkl of an SMPL body model.
    """

    from kineme.clips.published import counted
    from kineme.commands.bar import progress_bar
    from kineme.commands.times import seconds
    from kineme.evaluation.task import chosen_device
    from kineme.inference.embed import embed_table
    from kineme.inference.parts import parts_of
    from kineme.inference.tables import check_table, write_table
    from kineme.layouts.correspondence import read_joint_map
    from kineme.model import load

    path = out or Path(f"features-{inputs[0].resolve().stem}.npz")
    check_table(path)
    check_no_input(path, inputs)
    hold(path)
    try:
        with parts_of(path) as parts, progress_bar("embed") as progress:
            blocks = embed_table(
                load(run),
                inputs,
                window=seconds(window, "window"),
                step=seconds(step, "step"),
                layout=layout,
                fps=fps,
                axes=axes,
                units=units,
                image=image,
                body_model=body_model,
                allow_preprocessing=allow_preprocessing,
                joint_map=read_joint_map(joint_map) if joint_map else None,
                batch_size=batch_size,
                device=chosen_device(device),
                precision=precision,
                parts=parts,
                progress=progress,
            )
            rows = write_table(blocks, path)
    except KeyboardInterrupt:
        print("\nto go on, give the same command again", end="", file=sys.stderr)
        raise
    written(path, what=counted(rows, "row"))
