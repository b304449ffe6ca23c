"""`kineme info`: what is in a clip store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from kineme.clips.store import ClipStore
    from kineme.clips.summary import Missing, Summary

WORST = 5  # joints that are named
NAMES = 12  # subjects, cameras and setups that are listed before they are only counted


def info(store: Path, *, json: bool = False, figure: Path | None = None) -> None:
    """Tells what is in a clip store: clips, people, classes, joints, splits, what is missing.

    Args:
        store: Clip store.
        json: Print it for programs.
        figure: Draw classes and lengths to this file, .png or .svg.
    """
    from rich.console import Console
    from rich.progress import Progress

    from kineme.clips.store import ClipStore
    from kineme.clips.summary import summarise

    opened = ClipStore(store)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading frames", total=len(opened.frames))
        summary = summarise(opened, lambda done, _: bar.update(task, completed=done))
    if json:
        from json import dumps

        print(dumps(summary.to_dict(), indent=1, ensure_ascii=False))
    else:
        console = Console()
        console.print(overview(opened, summary))
        if summary.class_clips.any():
            console.print("", classes(summary), sep="\n")
    if figure is not None:
        _draw(opened, summary, figure)
        Console(stderr=True).print(f"written to {figure}", highlight=False, soft_wrap=True, markup=False)


def overview(store: ClipStore, summary: Summary) -> Table:
    """All but the classes, a line each."""
    from rich.table import Table
    from rich.text import Text

    manifest, layout, lengths = summary.manifest, summary.manifest.layout, summary.lengths
    fps = manifest.fps
    rows = {
        "source": manifest.source,
        "preprocessing": manifest.preprocessing.id,
        "clips": f"{summary.clips:,}",
        "frames": f"{summary.frames:,} at {fps:g} a second: {_duration(summary.frames / fps)}",
        "clip lengths": f"{_frames(lengths.shortest, fps)} to {_frames(lengths.longest, fps)}, "
        f"median {_frames(lengths.median, fps)}",
        "labels": _labels(summary),
        "intervals": _intervals(summary),
        "subjects": _listed(summary.subjects),
        "cameras": _listed([str(camera) for camera in summary.cameras]),
        "setups": _listed([str(setup) for setup in summary.setups]),
        "bodies": ", ".join(f"{many} in {clips:,} clips" for many, clips in summary.bodies.items()),
        "joints": f"{layout.num_joints}, {layout.name}, in {manifest.units}: {', '.join(layout.joints)}",
        "missing joints": _missing(summary.missing, layout.joints),
        "splits": "\n".join(
            f"{name}: {train:,} train, {test:,} test" for name, (train, test) in summary.splits.items()
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
    """How many clips, or intervals, of each class."""
    from rich.table import Table
    from rich.text import Text

    what = "clips" if summary.intervals is None else "intervals"
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", justify="right")
    table.add_column("class", overflow="fold")
    table.add_column(what, justify="right")
    table.add_column("")
    most = max(1, int(summary.class_clips.max()))
    for number, (name, count) in enumerate(
        zip(summary.manifest.class_names, summary.class_clips.tolist(), strict=True)
    ):
        table.add_row(str(number), Text(name), f"{count:,}", "▇" * round(20 * count / most))
    return table


def _labels(summary: Summary) -> str:
    if summary.intervals is not None:
        return ""
    labelled = summary.clips - summary.unlabelled
    if labelled == 0:
        return "none"
    counts = summary.class_clips[summary.class_clips > 0]
    fewest, most = int(counts.min()), int(counts.max())
    each = f"clips of each: {f'{fewest:,} to ' if fewest < most else ''}{most:,}"
    without = f"; {summary.unlabelled:,} clips without" if summary.unlabelled else ""
    return f"{len(counts)} of {len(summary.class_clips)} classes; {each}{without}"


def _intervals(summary: Summary) -> str:
    if summary.intervals is None:
        return ""
    return f"{summary.intervals.count:,}, on {summary.intervals.labelled:.1%} of the frames"


def _missing(missing: Missing, joints: tuple[str, ...]) -> str:
    if missing.at_least and missing.share == 0:
        return "not known: the preprocessing moves them with the body, and the source gives no confidence"
    by_joint = zip(missing.by_joint.tolist(), joints, strict=True)
    worst = sorted((each for each in by_joint if each[0] > 0), key=lambda each: -each[0])[:WORST]
    names = f"; most of all {', '.join(f'{name} {share:.1%}' for share, name in worst)}" if worst else ""
    told = "of confidence 0" if missing.by_confidence else "at zero"
    return f"{'at least ' if missing.at_least else ''}{missing.share:.2%}, {told}{names}"


def _frames(count: float, fps: float) -> str:
    return f"{count:g} frames ({count / fps:.1f} s)"


def _duration(seconds: float) -> str:
    for unit, length in (("hours", 3600), ("minutes", 60)):
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} seconds"


def _listed(names: list[str]) -> str:
    """How many, and which if they are few."""
    if not names:
        return ""
    shown = names if len(names) <= NAMES else [*names[: NAMES - 2], "…", names[-1]]
    return f"{len(names)}: {', '.join(shown)}"


def _draw(store: ClipStore, summary: Summary, path: Path) -> None:
    from kineme.drawing.distributions import distributions
    from kineme.errors import KinemeError

    if path.suffix.lower() not in (".png", ".svg"):
        raise KinemeError(f"--figure {path}: ends in neither .png nor .svg")
    trimmed = summary.intervals is None
    lengths = store.index["frames"] if trimmed else store.intervals["end"] - store.intervals["start"]
    what = "clips" if trimmed else "intervals"
    names = summary.manifest.class_names if summary.class_clips.any() else ()
    counts = summary.class_clips[: len(names)]
    distributions(names, counts, lengths, summary.manifest.fps, path, what=what)
