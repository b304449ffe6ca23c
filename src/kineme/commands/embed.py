"""`kineme embed`: recordings → a table of their features."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

from kineme.commands.outputs import check_no_input, hold, name_of
from kineme.commands.paths import check_models, check_recordings
from kineme.commands.reading import AS_FILES_SAY, ReadingOptions
from kineme.commands.said import written
from kineme.evaluation.options import Device
from kineme.words import counted


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
    skip_bad: bool = False,
    reading: ReadingOptions = AS_FILES_SAY,
) -> None:
    """Write the features of recordings to a table: one row per clip, or per window.

    Columns are source, name, start and end in seconds, subject, label, and the features. The table is written
    block by block, so it can cover many long recordings. If interrupted, the same command continues where it
    stopped.

      kineme embed runs/mine recordings --window 2s --step 0.5s --out moments.csv

    Args:
        run: Run directory, model.safetensors or published checkpoint.
        inputs: Clip stores, and files or folders of poses: motion capture (.trc, .c3d, .bvh, AMASS), the
            output of pose estimators, .npy, .npz, CSV; or videos, which need `pip install "kineme[video]"`.
            Poses are prepared as the training clips were.
        out: Table to write: .npz, .csv or .parquet (default: features-INPUT.npz in the current directory); an
            existing one is replaced.
        window: Cut recordings into windows of this length, such as 2s. A shorter recording gets one row.
        step: Time from the start of one window to the start of the next, such as 0.5s; by default half a
            window.
        batch_size: Clips per pass of the encoder.
        device: Device to compute on; `auto` picks the GPU if there is one.
        precision: Precision of the encoder's arithmetic.
        allow_preprocessing: Accept a store whose preprocessing differs from the encoder's.
        skip_bad: Skip and list damaged recordings instead of stopping at the first.
    """
    from kineme.commands.times import seconds
    from kineme.inference.tables import check_table, write_table

    path = out or Path(f"features-{name_of(inputs[0])}.npz")
    check_table(path)
    check_no_input(path, inputs)
    hold(path)
    check_models(run)
    check_recordings(inputs)
    length, every = seconds(window, "window"), seconds(step, "step")
    from kineme.commands.bar import progress_bar
    from kineme.evaluation.task import chosen_device
    from kineme.inference.embed import embed_table
    from kineme.inference.parts import parts_of
    from kineme.loading import load

    try:
        with parts_of(path) as parts, progress_bar("embed") as progress:
            blocks = embed_table(
                load(run),
                inputs,
                window=length,
                step=every,
                allow_preprocessing=allow_preprocessing,
                skip_bad=skip_bad,
                batch_size=batch_size,
                device=chosen_device(device),
                precision=precision,
                parts=parts,
                progress=progress,
                **reading.stated(),
            )
            rows = write_table(blocks, path)
    except KeyboardInterrupt:
        print("\nto continue, run the same command again", end="", file=sys.stderr)
        raise
    written(path, what=counted(rows, "row"))
