"""`kineme report`: what runs are worth, on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Literal


def report(
    runs: list[Path],
    *,
    out: Path = Path("report.html"),
    store: list[Path] | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
) -> None:
    """Show what runs are worth, on one HTML page that needs nothing else.

    Numbers with their intervals, training curves, confused classes, a map of the test clips, and test clips
    with their nearest training clips as moving skeletons; of detection, truth and prediction over time.
    Several runs stand side by side where they were measured on the same clips. What a run has no results for
    is left out, with a word on how to get it.

    Args:
        runs: Run directories.
        out: The page; an earlier one is replaced.
        store: Clip stores that were measured on, where they are not the one that a run was trained on, or
            where that has moved.
        device: Where features are computed that are not kept yet; auto takes the GPU if there is one.
    """
    from rich.console import Console

    from kineme.report.page import write_report

    console = Console(stderr=True, highlight=False)
    with console.status("report") as status:
        write_report(runs, out, stores=store or (), device=device, say=status.update)
    console.print(f"written to {out} ({out.stat().st_size / 1e6:.1f} MB)", soft_wrap=True)
