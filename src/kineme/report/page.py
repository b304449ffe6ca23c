"""The page: its parts in order, in one self-contained file."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from markupsafe import Markup

from kineme import __version__
from kineme.drawing.player import head
from kineme.errors import KinemeError
from kineme.files import atomic_write
from kineme.report.confusion import confusion
from kineme.report.detection import detection
from kineme.report.embedding import embedding
from kineme.report.examined import Examined, examine
from kineme.report.groups import grouped, groups
from kineme.report.notes import notes
from kineme.report.numbers import headline, numbers
from kineme.report.retrieval import retrieval
from kineme.report.runs import Run, read_runs
from kineme.report.summary import described, summary
from kineme.report.templating import TEMPLATES, render
from kineme.report.training import training

# Clips take most of a page's size, so several runs share what one would have.
PLAYABLE, QUERIES, RECORDINGS = 500, 12, 4
FEWEST_QUERIES = 4


def write_report(
    paths: Sequence[str | Path],
    out: str | Path,
    *,
    stores: Sequence[str | Path] = (),
    device: str = "auto",
    say: Callable[[str], None] = lambda _: None,
) -> None:
    """Writes the report of some runs, one HTML file.

    Args:
        paths: run directories.
        out: the file.
        stores: clip stores, in addition to those that the runs were trained on.
        device: where features are computed that are not kept yet.
        say: called with what is being done.

    Raises:
        KinemeError: a path is not a run directory, or the file cannot be written. What is missing within a
            run is named on the page instead.
    """
    runs, places = read_runs([*map(Path, paths)]), [*map(Path, stores)]
    details, examined = [], []
    for number, run in enumerate(runs):
        say(f"clips of {run.name}")
        seen = _examined(run, places, device)
        examined.append(seen)
        details.append(list(_parts(number, run, seen, places, len(runs))))
    page = render(
        "page.html",
        runs=runs,
        described=described,
        head=head(),
        style=TEMPLATES.asset("report.css"),
        script=TEMPLATES.asset("report.js"),
        headline=headline(runs[0]),
        notes=notes(runs, examined),
        sections=[summary(runs), numbers(runs, examined), training(runs)],
        details=details,
        version=__version__,
    )
    with atomic_write(Path(out)) as aside:
        aside.write_text(page, encoding="utf-8")


def _examined(run: Run, stores: Sequence[Path], device: str) -> Examined | str:
    """The clips as the run's encoder embeds them, or why there are none."""
    try:
        return examine(run, stores, device)
    except KinemeError as error:
        return str(error)


def _parts(
    number: int, run: Run, seen: Examined | str, stores: Sequence[Path], runs: int
) -> Iterator[tuple[str, Markup | str]]:
    """Heading and content of the parts about one run; without a heading, why parts are missing."""
    if run.measured:
        yield "Classes", confusion(run)
    if run.detections:
        yield "Detection", detection(number, run, stores, max(1, RECORDINGS // runs))
    if isinstance(seen, str):
        yield "", seen
        return
    labelled = bool((seen.labels >= 0).any())
    found = None if labelled else grouped(seen)
    yield f"Map of the {seen.noun}s", embedding(number, seen, PLAYABLE // runs, found and found[0])
    if found is not None:
        yield (
            "Kinds of motion",
            groups(number, seen, found, shlex.join(["kineme", "cluster", str(run.path), seen.store.address])),
        )
    yield "Nearest neighbours", retrieval(number, seen, max(FEWEST_QUERIES, QUERIES // runs))
