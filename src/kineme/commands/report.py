"""`kineme report`: an HTML report of runs."""

from __future__ import annotations

from pathlib import Path

from kineme.commands.outputs import hold
from kineme.commands.paths import check_stores
from kineme.commands.said import say
from kineme.evaluation.options import Device
from kineme.runs import check_run


def report(
    runs: list[Path],
    *,
    out: Path = Path("report.html"),
    store: list[Path] | None = None,
    device: Device = "auto",
) -> None:
    """Write an HTML report on one or more runs, in a single file that needs no network.

    It shows metrics with confidence intervals, training curves, confused classes, a map of the test clips,
    and animated test clips with their nearest training clips; for detection, true and predicted segments
    over time. Runs are compared where they were measured on the same clips. For results that a run lacks, the
    report says how to obtain them.

    Args:
        runs: Run directories.
        out: HTML file to write; an existing one is replaced.
        store: Clip stores that the runs were measured on, if not those they were trained on, or where those
            have moved to.
        device: Device for features that are not cached; `auto` picks the GPU if there is one.
    """
    check_stores(*store or ())
    for run in runs:
        check_run(run)
    from rich.console import Console

    from kineme.drawing.player import check_page
    from kineme.report.page import write_report

    check_page(out, "out")
    hold(out)
    console = Console(stderr=True, highlight=False)
    with console.status("report") as status:
        write_report(runs, out, stores=store or (), device=device, say=status.update)
    say(f"written to {out} ({out.stat().st_size / 1e6:.1f} MB)")
