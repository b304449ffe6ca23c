"""What a reader must know before any figure: what the terminal said of a run, at the head of its page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from kineme.drawing.projection import has_collapsed
from kineme.report.examined import Examined
from kineme.report.runs import Run
from kineme.report.templating import render
from kineme.training.faults import told
from kineme.words import counted


def notes(runs: Sequence[Run], seen: Sequence[Examined | str]) -> Markup:
    """The notes of all runs, each with the run's name where there are several."""
    found = [
        (run.name if len(runs) > 1 else "", note)
        for run, each in zip(runs, seen, strict=True)
        for note in notes_of(run, each)
    ]
    return render("notes.html", notes=found)


def notes_of(run: Run, seen: Examined | str) -> Iterator[str]:
    """A line each: training that did not finish, what went wrong in it, test clips that it saw, no labels."""
    train = run.config.train
    if run.history and int(run.history[-1]["epoch"]) < train.epochs:
        done = f"{int(run.history[-1]['epoch'])} of {counted(train.epochs, 'epoch')}"
        yield f"Training has not finished: {done}. To continue: kineme pretrain --resume {run.path}"
    faults = told(run.history, train.epochs)
    if isinstance(seen, Examined) and has_collapsed(seen.features) and len(seen.test) > 1 and not seen.alike:
        alarmed = any("collapsed" in fault for fault in faults)
        faults += [] if alarmed else ["the embedding has collapsed: all clips have the same feature"]
    yield from (f"{fault[0].upper()}{fault[1:]}." for fault in faults)
    for each in run.measured:
        if each.result.seen_clips:
            share = f"{each.result.seen_clips:,} of {counted(each.result.test_clips, 'test clip')}"
            yield f"{each.file}: {share} were seen in pre-training, so its figures are too high."
    if isinstance(seen, Examined) and not run.measured and not (seen.labels >= 0).any():
        clips = counted(seen.clips, seen.noun)
        these = "this" if seen.clips == 1 else "these"
        yield f"No labels to evaluate with on {these} {clips}; map and neighbours show similar motions."
