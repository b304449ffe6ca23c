"""The page: its parts in their order, one file without references to any other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path

from kineme import __version__
from kineme.drawing.player import head
from kineme.errors import KinemeError
from kineme.files import atomic_write
from kineme.report.confusion import confusion
from kineme.report.detection import detection
from kineme.report.embedding import embedding
from kineme.report.examined import Examined, examine, missing
from kineme.report.html import Html, join, tag
from kineme.report.numbers import headline, numbers
from kineme.report.retrieval import retrieval
from kineme.report.runs import Run, read_runs
from kineme.report.summary import described, summary
from kineme.report.training import training

# Clips weigh most of a page, so several runs share what one would have.
PLAYABLE, QUERIES, RECORDINGS = 500, 12, 4
FEWEST_QUERIES = 4


def write_report(
    paths: Sequence[Path],
    out: Path,
    *,
    stores: Sequence[Path] = (),
    device: str = "auto",
    say: Callable[[str], None] = lambda _: None,
) -> None:
    """Writes the report of some runs, one HTML file.

    Args:
        paths: run directories.
        out: the file.
        stores: clip stores, beside those that the runs were trained on.
        device: where features are computed that are not kept yet.
        say: is told what is being done.

    Raises:
        KinemeError: a path is no run directory, or the file cannot be written. What is missing within a run
            is named on the page instead.
    """
    runs = read_runs(paths)
    with atomic_write(out) as aside:
        aside.write_text(page(runs, stores=stores, device=device, say=say), encoding="utf-8")


def page(
    runs: Sequence[Run], *, stores: Sequence[Path] = (), device: str = "auto", say: Callable[[str], None]
) -> str:
    """The page's text; arguments as of `write_report`."""
    several = len(runs) > 1
    title = ", ".join(run.name for run in runs) if several else f"{runs[0].name}: {described(runs[0])}"
    parts = [summary(runs), numbers(runs), training(runs)]
    for number, run in enumerate(runs):
        say(f"clips of {run.name}")
        parts.append(_run(number, run, stores, device, len(runs)))
    links = [("trained", "What was trained"), ("numbers", "Numbers"), ("training", "Training")]
    links += [(f"run-{i}", run.name if several else "In detail") for i, run in enumerate(runs)]
    heading = f"{len(runs)} runs compared" if several else f"Run {runs[0].name}"
    under = "; ".join(f"{run.name}: {described(run)}" for run in runs) if several else described(runs[0])
    body = tag(
        "body",
        tag("header", tag("h1", heading), tag("p", under), "" if several else headline(runs[0])),
        tag(
            "nav",
            tag("ul", [tag("li", tag("a", text, href=f"#{to}")) for to, text in links]),
            aria_label="Parts",
        ),
        tag("main", parts),
        tag("footer", tag("p", f"Kineme {__version__}. All of this page is in this one file.")),
        class_="kineme-page kineme-report",
    )
    own = join(tag("style", _asset("report.css")), tag("script", _asset("report.js")))
    meta = join(
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"Kineme: {title}"),
    )
    whole = tag("html", tag("head", meta, Html(head()), own), body, lang="en")
    return f"<!doctype html>\n{whole}\n"


def _run(number: int, run: Run, stores: Sequence[Path], device: str, runs: int) -> Html:
    """All that is of one run alone."""
    seen: Examined | KinemeError
    try:
        if run.pretrained is None:
            raise KinemeError(f"{run.name} has no weights yet; train it to its first checkpoint")
        seen = examine(run, stores, device)
    except KinemeError as error:
        seen = error

    def parts() -> Iterator[Html]:
        if run.measured:
            yield join(tag("h3", "Classes"), confusion(run))
        if any(each.detections for each in run.measured):
            yield join(tag("h3", "Detection"), detection(number, run, stores, max(1, RECORDINGS // runs)))
        if isinstance(seen, KinemeError):
            yield missing("Map and nearest neighbours are left out", seen)
        else:
            yield join(tag("h3", "Map of the test clips"), embedding(number, seen, PLAYABLE // runs))
            queries = max(FEWEST_QUERIES, QUERIES // runs)
            yield join(tag("h3", "Nearest neighbours"), retrieval(number, seen, queries))

    heading = f"{run.name}: {described(run)}" if runs > 1 else "In detail"
    return tag("section", tag("h2", heading), parts(), id=f"run-{number}")


def _asset(name: str) -> Html:
    return Html(files("kineme.report").joinpath(name).read_text(encoding="utf-8"))
