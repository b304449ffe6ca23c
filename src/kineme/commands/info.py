"""`kineme info`: a description of a clip store."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING

from kineme.commands.outputs import check_figure, hold
from kineme.commands.said import written
from kineme.words import counted

if TYPE_CHECKING:
    from rich.table import Table

    from kineme.clips.store import ClipStore
    from kineme.clips.summary import Lacking, Missing, Summary

WORST = 5  # joints listed as missing most often
_NOT_KNOWN = {
    "assumed": " (assumed: the recordings do not say)",
    "missing": " (from an older store: may be assumed)",
}
NAMES = 12  # subjects, cameras or setups listed in full; of more, the first and the last


def info(store: Path, *, json: bool = False, figure: Path | None = None) -> None:
    """Describe a clip store: clips, people, classes, joints, splits and missing joints.

    Args:
        store: Clip store.
        json: Print JSON instead of tables.
        figure: Also plot class sizes and clip lengths to this file, .png or .svg.
    """
    from rich.console import Console

    from kineme.clips.store import ClipStore
    from kineme.clips.summary import summarise
    from kineme.commands.bar import progress_bar

    if figure is not None:
        check_figure(figure, "figure")
        hold(figure)
    opened = ClipStore(store)
    with progress_bar("reading frames") as progress:
        summary = summarise(opened, progress)
    if json:
        print(dumps(summary.to_dict(), indent=1, ensure_ascii=False))
    else:
        console = Console()
        console.print(overview(opened, summary))
        if summary.class_clips.any():
            console.print("", classes(summary), sep="\n")
    if figure is not None:
        _draw(opened, summary, figure)
        written(figure)


def overview(store: ClipStore, summary: Summary) -> Table:
    """Everything but the classes, one row each."""
    from rich.table import Table
    from rich.text import Text

    manifest, layout, lengths = summary.manifest, summary.manifest.layout, summary.lengths
    fps, intervals = manifest.fps, summary.intervals
    rows = {
        "source": manifest.source,
        "preprocessing": manifest.preprocessing.id,
        "clips": f"{summary.clips:,}",
        "frames": f"{summary.frames:,} at {fps:g} fps{_NOT_KNOWN.get(manifest.fps_status, '')}: "
        f"{_duration(summary.frames / fps)}",
        "clip lengths": f"{_frames(lengths.shortest, fps)} to {_frames(lengths.longest, fps)}, "
        f"median {_frames(lengths.median, fps)}",
        "labels": _labels(summary) if intervals is None else "",
        "intervals": f"{intervals.count:,}, covering {intervals.labelled:.1%} of the frames"
        if intervals
        else "",
        "subjects": _listed(summary.subjects),
        "cameras": _listed(list(map(str, summary.cameras))),
        "setups": _listed(list(map(str, summary.setups))),
        "bodies": ", ".join(f"{many} in {counted(clips, 'clip')}" for many, clips in summary.bodies.items()),
        "joints": f"{layout.num_joints} ({layout.name}), in {manifest.units}: {', '.join(layout.joints)}",
        "missing joints": _missing(summary.missing, layout.joints),
        "absent joints": _lacking(summary.lacking, layout.joints),
        "splits": "\n".join(
            f"{name}: {train:,} train, {test:,} test"
            for name, (train, test) in summary.splits.items()
            if train and test
        ),
        "fingerprint": manifest.fingerprint,
    }
    table = Table(title=str(store.path), title_justify="left", show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, words in rows.items():
        if words:
            table.add_row(name, Text(words))
    return table


def classes(summary: Summary) -> Table:
    """Clips, or intervals, per class."""
    from rich.table import Table
    from rich.text import Text

    what = "clips" if summary.intervals is None else "intervals"
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", justify="right")
    table.add_column("class", overflow="fold")
    table.add_column(what, justify="right")
    table.add_column("")
    most = max(1, int(summary.class_clips.max()))
    for number, name in enumerate(summary.manifest.class_names):
        count = int(summary.class_clips[number])
        if not count:
            continue
        table.add_row(str(number), Text(name), f"{count:,}", "▇" * round(20 * count / most))
    if empty := int((summary.class_clips[: len(summary.manifest.class_names)] == 0).sum()):
        table.add_row("", Text(f"{empty} more without {what}"), "0", "")
    return table


def _labels(summary: Summary) -> str:
    if summary.unlabelled == summary.clips:
        return "none"
    counts = summary.class_clips[summary.class_clips > 0]
    fewest, most = int(counts.min()), int(counts.max())
    each = f"{f'{fewest:,} to ' if fewest < most else ''}{counted(most, 'clip')} per class"
    without = f"; {counted(summary.unlabelled, 'clip')} without a label" if summary.unlabelled else ""
    return f"{len(counts)} of {len(summary.class_clips)} classes, {each}{without}"


def _missing(missing: Missing, joints: tuple[str, ...]) -> str:
    if missing.at_least and missing.share == 0:
        return "unknown: preprocessed coordinates do not show it, and the source gives no confidences"
    by_joint = zip(missing.by_joint.tolist(), joints, strict=True)
    worst = sorted((each for each in by_joint if each[0] > 0), key=lambda each: -each[0])[:WORST]
    names = f"; most often {', '.join(f'{name} {share:.1%}' for share, name in worst)}" if worst else ""
    sign = "confidence 0" if missing.by_confidence else "at the origin"
    return f"{'at least ' if missing.at_least else ''}{missing.share:.2%} ({sign}){names}"


def _lacking(lacking: Lacking, joints: tuple[str, ...]) -> str:
    """How many clips lack joints altogether, and which; empty if none does."""
    if not lacking.clips:
        return ""

    by_joint = sorted(zip(lacking.by_joint.tolist(), joints, strict=True), key=lambda each: -each[0])
    names = [f"{name} in {clips:,}" for clips, name in by_joint if clips]
    more = f" and {len(names) - NAMES} more" if len(names) > NAMES else ""
    return f"{counted(lacking.clips, 'clip')} without some: {', '.join(names[:NAMES])}{more}"


def _frames(count: float, fps: float) -> str:
    return f"{count:g} {'frame' if count == 1 else 'frames'} ({count / fps:.1f} s)"


def _duration(seconds: float) -> str:
    units = {"hours": 3600, "minutes": 60, "seconds": 1}
    unit = next((unit for unit, length in units.items() if seconds >= length), "seconds")
    return f"{seconds / units[unit]:.1f} {unit}"


def _listed(names: list[str]) -> str:
    """How many there are, and which."""
    if not names:
        return ""
    shown = names if len(names) <= NAMES else [*names[: NAMES - 2], "…", names[-1]]
    return f"{len(names)}: {', '.join(shown)}"


def _draw(store: ClipStore, summary: Summary, path: Path) -> None:
    from kineme.drawing.distributions import distributions

    trimmed = summary.intervals is None
    lengths = store.index["frames"] if trimmed else store.intervals["end"] - store.intervals["start"]
    what = "clips" if trimmed else "intervals"
    names = summary.manifest.class_names if summary.class_clips.any() else ()
    counts = summary.class_clips[: len(names)]
    distributions(names, counts, lengths, summary.manifest.fps, path, what=what)
