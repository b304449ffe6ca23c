"""`kineme cluster`: kinds of motion in recordings, without labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kineme.commands.outputs import hold, table_for
from kineme.commands.paths import check_models, check_recordings
from kineme.commands.reading import AS_FILES_SAY, ReadingOptions
from kineme.commands.said import written
from kineme.evaluation.options import Device
from kineme.words import counted

if TYPE_CHECKING:
    from kineme.inference.clustering.segments import Kinds


def cluster(
    run: Path,
    inputs: list[Path],
    *,
    out: Path | None = None,
    page: Path | None = None,
    k: int | None = None,
    cut: Literal["auto", "clips", "motions"] = "auto",
    window: str | None = None,
    step: str | None = None,
    prominence: float | None = None,
    seed: int = 0,
    batch_size: int = 256,
    device: Device = "auto",
    allow_preprocessing: bool = False,
    skip_bad: bool = False,
    reading: ReadingOptions = AS_FILES_SAY,
) -> None:
    """Find the kinds of motion in recordings, without labels: which occur, how often, and when.

    Each clip is one segment. Long recordings are first cut where one motion ends and the next begins. Similar
    segments form a kind; segments that are like nothing else belong to none. The command writes a table of
    segments and a page that plays examples of every kind. Labels are never used; if there are any, the
    agreement with them is printed.

      kineme cluster runs/mine stores/mine
      kineme cluster runs/mine long-recording.csv --k 6 --page kinds.html

    Args:
        run: Run directory, model.safetensors or published checkpoint.
        inputs: Clip stores, and files or folders of poses. Poses are prepared as the training clips were.
        out: CSV table of segments (default: segments-INPUT.csv in the current directory); an existing one is
            replaced.
        page: HTML page to write (default: next to the table, with its name and .html).
        k: Number of kinds; by default as many as are found.
        cut: `clips` takes each recording whole, `motions` cuts every one where motions begin and end; `auto`
            cuts those that are untrimmed (their store has intervals) and those longer than 10 s, but in a
            store only if most of its clips are that long.
        window: Cut recordings into windows of this length instead, such as 2s.
        step: Time from the start of one window to the start of the next; by default one window.
        prominence: How clearly a motion must depart from the pose between motions, in nats; smaller values
            find more motions (default: 0.07).
        seed: Random seed of the grouping.
        batch_size: Segments per pass of the encoder.
        device: Device to compute on; `auto` picks the GPU if there is one.
        allow_preprocessing: Accept a store whose preprocessing differs from the encoder's.
        skip_bad: Skip and list damaged recordings instead of stopping at the first.
    """
    from kineme.commands.times import seconds
    from kineme.drawing.player import check_page

    table = table_for(inputs, "segments", out)
    drawn = page or table.with_suffix(".html")
    check_page(drawn)
    hold(table, drawn)
    check_models(run)
    check_recordings(inputs)
    length, every = seconds(window, "window"), seconds(step, "step")
    from rich.console import Console

    from kineme.commands.bar import progress_bar
    from kineme.evaluation.task import chosen_device
    from kineme.inference.clustering.changes import DEFAULTS, Changes
    from kineme.inference.clustering.cluster import cluster_opened
    from kineme.inference.clustering.segments import write_segments
    from kineme.inference.recordings import open_inputs
    from kineme.loading import load
    from kineme.report.kinds import write_kinds

    model = load(run)
    opened = open_inputs(
        model, inputs, reading.stated(), allow_preprocessing=allow_preprocessing, skip_bad=skip_bad
    )
    with progress_bar("segments") as progress:
        found = cluster_opened(
            model,
            opened,
            k=k,
            cut=cut,
            window=length,
            step=every,
            changes=DEFAULTS if prominence is None else Changes(prominence=prominence),
            seed=seed,
            batch_size=batch_size,
            device=chosen_device(device),
            progress=progress,
        )
    write_segments(found.segments, table)
    write_kinds(found, drawn, opened)
    _show(found)
    console = Console()
    for metric, value in found.agreement.items():
        console.print(f"{metric} with labels: {value:.1f} %", highlight=False, soft_wrap=True)
    if not any(kind.number for kind in found.kinds):
        line = _remedy(found, uncut=cut != "motions" and length is None)
        console.print(line, highlight=False, soft_wrap=True)
    written(table, drawn)


def _remedy(found: Kinds, *, uncut: bool) -> str:
    """What to do where no segments form a kind; `uncut`: long recordings may be whole."""
    from kineme.inference.clustering.cluster import LONG

    long = uncut and any(each.length > LONG for each in found.segments)
    cuts = "cut long recordings into motions with --cut motions, or " if long else ""
    return f"too few similar segments to form a kind; {cuts}set a number of kinds with --k"


def _show(found: Kinds) -> None:
    """Prints a row for each kind."""
    from kineme.commands.listing import show_listing

    recordings = len({(each.source, each.name) for each in found.segments})
    known = any(kind.people for kind in found.kinds)
    labelled = any(kind.labels for kind in found.kinds)
    rows = []
    for kind in found.kinds:
        said = ", ".join(f"{label} {100 * count / kind.segments:.0f} %" for label, count in kind.labels[:2])
        figures = (f"{kind.segments:,}", f"{100 * kind.share:.1f} %", f"{kind.mean_length:.2f} s")
        people = [str(kind.people or "")] if known else []
        name = str(kind.number) if kind.number else "like no other"
        rows.append([name, *figures, *people, *([said] if labelled else [])])
    show_listing(
        f"{counted(len(found.segments), 'segment')} of {counted(recordings, 'recording')}",
        [
            "kind",
            "segments",
            "time",
            "mean length",
            *(["people"] if known else []),
            *(["labels"] if labelled else []),
        ],
        rows,
        texts=("kind", "labels"),
    )
