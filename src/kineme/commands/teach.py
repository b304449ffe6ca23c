"""`kineme teach`: a handful of labelled motions → a classifier."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kineme.commands.outputs import check_no_input, hold
from kineme.commands.paths import check_models, check_recordings, check_stores
from kineme.commands.reading import AS_FILES_SAY, ReadingOptions
from kineme.commands.said import command, say, written
from kineme.errors import KinemeError, check_between
from kineme.evaluation.options import Device

if TYPE_CHECKING:
    from kineme.inference import Classifier, Suggestion

SHOWN = 5  # confusions


def teach(
    run: Path,
    labels: list[Path],
    *,
    name: str | None = None,
    store: Path | None = None,
    out: Path | None = None,
    suggest: int | None = None,
    suggestions: Path | None = None,
    batch_size: int = 256,
    device: Device = "auto",
    allow_preprocessing: bool = False,
    reading: ReadingOptions = AS_FILES_SAY,
) -> None:
    """Train a classifier on a handful of labelled clips or moments, in seconds; the encoder is not changed.

    LABELS are CSV tables with the columns name and label, plus start and end, in seconds, if only a part of
    the clip shows the class. A name is that of a clip in the store, or of a file of poses next to the table.
    Rows without a label are skipped.

      kineme teach runs/mine labels.csv --suggest 20
      kineme predict runs/mine recordings/

    It prints the cross-validated accuracy, how it grows with the number of examples, and which class would
    gain most from more.

    Args:
        run: Run directory, model.safetensors or published checkpoint.
        labels: Tables of examples.
        name: Name of the classifier; by default that of the first table.
        store: Clip store with the examples, and with the clips to label next. Default: the one used for
            pre-training.
        out: File to write instead of RUN/classifiers/NAME.safetensors, for instance if the run is read-only.
        suggest: List this many clips, or moments of long recordings, whose labels would help most.
        suggestions: File for that list, to be filled in and given as another of LABELS; by default
            LABELS-next.csv.
        batch_size: Clips per pass of the encoder.
        device: Device to compute on; `auto` picks the GPU if there is one.
        allow_preprocessing: Accept a store whose preprocessing differs from the encoder's.
    """
    named = labels[0].stem if name is None else name
    _check(named, suggest, suggestions)
    check_models(run)
    check_stores(store)
    check_recordings(labels)
    from kineme import inference
    from kineme.clips.store import ClipStore
    from kineme.commands.bar import progress_bar
    from kineme.evaluation.task import chosen_device
    from kineme.inference.classifying.paths import classifier_path
    from kineme.inference.classifying.suggesting import check_unwritten
    from kineme.inference.classifying.teaching import classes_of, own_store
    from kineme.loading import load
    from kineme.sources.reading import joint_map_of

    following = suggestions or labels[0].with_name(f"{labels[0].stem}-next.csv")
    if suggest is not None:
        check_unwritten(following)
    tables = [inference.read_examples(path) for path in labels]
    examples = [example for table, _ in tables for example in table]
    classes_of(examples, ", ".join(map(str, labels)))  # before the model is loaded
    model, path = load(run), out or classifier_path(run, named)
    check_no_input(path, labels)
    hold(path)
    known = own_store(model) if store is None else ClipStore(store)
    if suggest is not None and known is None:
        raise KinemeError("`suggest` needs a store to choose from; pass `store`")
    told = reading.stated()
    options: dict[str, Any] = {
        "allow_preprocessing": allow_preprocessing,
        "batch_size": batch_size,
        "device": chosen_device(device),
    }
    with progress_bar("teach") as progress:
        classifier = inference.teach(model, examples, store=known, progress=progress, **options, **told)
    classifier.save(path)
    found = None
    if suggest is not None:
        assert known is not None
        with progress_bar("what to label next") as progress:
            options |= {"labelled": examples, "joint_map": joint_map_of(told), "progress": progress}
            found = inference.suggest(model, classifier, known, suggest, **options)
        inference.write_suggestions(found, following)

    # From here on, nothing is lost if the output is closed, as by `| head`.
    _show(classifier, named, found)
    _tell_skipped(sum(empty for _, empty in tables))
    written(path)
    if suggest is not None:
        written(following)
        given = {"--name": name, "--store": store, "--out": out}
        same = [word for option, value in given.items() if value for word in (option, value)]
        again = command("kineme", "teach", run, *labels, following, *same)
        say(f"next: fill in its column label, then {again}")


def _check(name: str, suggest: int | None, suggestions: Path | None) -> None:
    """Refuses options that are out of range or have no effect."""
    if not re.fullmatch(r"[^/\\.][^/\\]*", name):
        raise KinemeError(f"`name`: {name!r} cannot be the name of a file")
    if suggest is not None:
        check_between("`suggest`", suggest, 1)
    if suggest is None and suggestions is not None:
        raise KinemeError("`suggestions` has no effect without `suggest`; pass both")


def _tell_skipped(rows: int) -> None:
    """Says how many rows of the tables have no label, if any."""
    if rows:
        what, were = ("row has", "was") if rows == 1 else ("rows have", "were")
        say(f"{rows} {what} no label yet and {were} skipped")


def _show(classifier: Classifier, name: str, suggestions: list[Suggestion] | None) -> None:
    """Prints how good the classifier is, and what to label next if that was asked for."""
    from rich.console import Console

    _show_classes(classifier, name)
    screen = Console()
    for line in _lines(classifier):
        screen.print(line, highlight=False, markup=False, soft_wrap=True)
    if suggestions is not None:
        _show_next(suggestions)


def _show_classes(classifier: Classifier, name: str) -> None:
    from kineme.commands.listing import show_listing

    examination = classifier.examination
    columns = (classifier.class_names, classifier.counts, examination.recall, examination.gains)
    rows = []
    for label, count, recall, gain in zip(*columns, strict=True):
        known = "–" if recall is None else f"{recall:.0f} %"
        more = "–" if examination.accuracy is None else f"about +{gain:.0f}"
        rows.append([label, str(count), known, more])
    show_listing(name, ["class", "examples", "recall", "with five more"], rows, texts=("class",))


def _lines(classifier: Classifier) -> list[str]:
    """What cross-validation found, in words."""
    found = classifier.examination
    total = sum(classifier.counts)
    if found.accuracy is None or found.interval is None:
        line = "no class has examples of two recordings, so the classifier could not be cross-validated"
        return [f"{line}; label other recordings too"]
    low, high = found.interval
    what = "person" if found.left_out == "people" else "recording"
    lines = [
        f"accuracy {found.accuracy:.1f} % (95 % interval {low:.0f} to {high:.0f}), cross-validated: "
        f"{found.folds} folds, no {what} in two of them, {found.judged} of {total} examples judged"
    ]
    if what == "recording":
        lines.append(
            "a person may be in two folds, so accuracy on new people may be lower; to measure that, say in a "
            "column subject who is seen, with several people per class"
        )
    alone = [
        name for name, recall in zip(classifier.class_names, found.recall, strict=True) if recall is None
    ]
    if alone:
        lines.append(f"not cross-validated, examples of one {what} only: {', '.join(alone)}")
    if len(found.curve) > 1:
        curve = ", ".join(f"{size}: {right:.0f} %" for size, right in found.curve)
        lines.append(f"by examples per class, {curve}")
    if found.confusions:
        pairs = [f"{shown} taken for {taken} ({count})" for shown, taken, count in found.confusions[:SHOWN]]
        lines.append(f"confused: {'; '.join(pairs)}")
    lines.append(_most_useful(classifier))
    return lines


def _most_useful(classifier: Classifier) -> str:
    gains = classifier.examination.gains
    best = max(range(len(gains)), key=gains.__getitem__)
    points = round(gains[best])
    if points < 1:
        return "five more examples of a class would add less than a point to its recall"
    name = classifier.class_names[best]
    return f"five more of {name} would help most: about {points} point{'s' * (points > 1)} of its recall"


def _show_next(suggestions: list[Suggestion]) -> None:
    from kineme.commands.listing import show_listing

    rows = []
    for each in suggestions:
        times = ["" if time is None else f"{time:.2f} s" for time in (each.start, each.end)]
        rows.append([each.name, *times, each.guess, f"{each.probability:.2f}"])
    columns = ["name", "start", "end", "prediction", "probability"]
    show_listing("label next", columns, rows, texts=("name", "prediction"))
