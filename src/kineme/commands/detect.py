"""`kineme detect`: a trained detector → segments of new recordings, as a table."""

from __future__ import annotations

from pathlib import Path

from kineme.evaluation.options import Device


def detect(
    run: Path,
    *,
    store: Path,
    out: Path | None = None,
    detector: Path | None = None,
    device: Device = "auto",
    allow_preprocessing: bool = False,
) -> None:
    """Detect actions in new recordings, with a detector that `kineme evaluate detect` has trained.

    Writes a CSV table, one segment per line: recording, start and end in seconds, class, score.

    Args:
        run: Run directory.
        store: Clip store of the recordings.
        out: Where the table goes; by default RUN/results/segments-STORE.csv.
        detector: By default RUN/results/detect.safetensors.
        device: Where to compute; `auto` takes the GPU if there is one.
        allow_preprocessing: Accept a store of another preprocessing than the encoder's.
    """
    from rich.console import Console

    from kineme.clips.store import ClipStore
    from kineme.commands.bar import progress_bar
    from kineme.evaluation.detection.detector import Detector
    from kineme.evaluation.detection.found import find, write_table
    from kineme.model import load_run

    model, recordings = load_run(run), ClipStore(store)
    model.check(recordings, allow_preprocessing=allow_preprocessing)
    trained = Detector.load(detector or run / "results" / "detect.safetensors", model)
    with progress_bar("detect") as progress:
        found = find(trained, recordings, device=device, progress=progress)
    path = out or run / "results" / f"segments-{recordings.path.resolve().name}.csv"
    write_table(found, path)
    Console(stderr=True).print(
        f"{len(found)} segments in {len(recordings)} recordings, written to {path}",
        highlight=False,
        soft_wrap=True,
    )
