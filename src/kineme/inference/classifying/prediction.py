"""What recordings show, by a taught classifier: the class of each clip, or segments of long recordings."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Unpack

import numpy as np

from kineme.clips.batches import Clips
from kineme.errors import KinemeError
from kineme.files import atomic_write
from kineme.inference.classifying.classifier import Classifier
from kineme.inference.classifying.reading import read_windows, seen
from kineme.inference.embed import blocks_of
from kineme.inference.recordings import Inputs, Recordings, open_inputs
from kineme.inference.tables import Block
from kineme.inference.windows import Windows
from kineme.model import Model, device_of
from kineme.progress import Progress, silent
from kineme.sources.reading import Reading
from kineme.typing import Array

NONE = "none of these"
LONG = 1.5  # typical lengths of an example, from which a recording is cut into windows
STEPS = 4  # to a window
COLUMNS = ("source", "name", "start", "end", "label", "probability")


@dataclass(frozen=True)
class PredictedSegment:
    """A stretch of a recording that shows one class.

    Attributes:
        start, end: in seconds from the recording's beginning.
        label: name of the class, or `none of these`.
        probability: of that class; NaN for none of these.
        probabilities: (K,) of all classes; empty if a detector found it.

    >>> PredictedSegment(0.0, 1.5, "wave", 0.9).label
    'wave'
    """

    start: float
    end: float
    label: str
    probability: float
    probabilities: Sequence[float] = field(default=(), repr=False)


@dataclass(frozen=True)
class Prediction:
    """What one recording shows.

    Attributes:
        source: the input that it comes from.
        name: of the recording.
        segments: in order of time. There is only one if the recording is as short as an example.
        shown: its label, if the input has one for all of it; it is not used.
        label: the class of the whole recording: the most likely one on average.

    >>> Prediction("mine", "walk_01", [PredictedSegment(0.0, 1.5, "wave", 0.9)], label="wave").segments[0].end
    1.5
    """

    source: str
    name: str
    segments: Sequence[PredictedSegment]
    shown: str = ""
    label: str = ""


@dataclass
class _Rows:
    """The windows of one recording, gathered."""

    source: str
    name: str
    shown: str
    start: list[Array] = field(default_factory=list)
    end: list[Array] = field(default_factory=list)
    probabilities: list[Array] = field(default_factory=list)
    novelty: list[Array] = field(default_factory=list)
    seen: list[Array] = field(default_factory=list)  # (n, steps) whether somebody is in each step of a window


def predict(
    model: Model,
    classifier: Classifier,
    inputs: Inputs,
    *,
    window: float | None = None,
    step: float | None = None,
    none: float | None = None,
    allow_preprocessing: bool = False,
    skip_bad: bool = False,
    batch_size: int = 256,
    device: str | None = None,
    progress: Progress = silent,
    **reading: Unpack[Reading],
) -> Iterator[Prediction]:
    """Predicts what recordings show, one by one.

    A recording at most 1.5 times as long as a typical example is one segment. A longer one is cut into
    overlapping windows. Each moment has the mean probability of the windows that show it, and consecutive
    moments of one class form a segment. Those in which nobody is are `none of these`.

    Args:
        model: the one the classifier was taught on.
        classifier: see `kineme.inference.teach`.
        inputs: one or several clip stores, and files or folders of poses, as `Model.embed` takes them.
        window: seconds; every longer recording is cut. Default: the typical length of an example, for
            recordings of more than 1.5 times that.
        step: seconds from one window's start to the next one's; by default a quarter of a window.
        none: share of motions of the classes that may be mistaken for `none of these`, such as 0.05. Default:
            every motion gets a class.
        allow_preprocessing: accept stores with another preprocessing or units.
        skip_bad: skip damaged recordings, with a warning, instead of stopping at the first.
        batch_size: clips per pass of the encoder.
        device: of the encoder; by default a GPU if there is one.
        progress: called with the windows done and in total, as far as that is known.
        **reading: what files do not say themselves, see `kineme.sources.reading.Reading`.

    Raises:
        KinemeError: the classifier belongs to another encoder, an input cannot be read or does not fit, or a
            window cannot be cut. What can be known beforehand is raised immediately.

    >>> import kineme
    >>> from kineme.inference import read_classifier
    >>> model = kineme.load(example_run)
    >>> classifier = read_classifier(example_classifier, model)
    >>> first, *_ = predict(model, classifier, [example_store], window=2.0)
    >>> first.name, first.segments[0].start, first.segments[-1].end
    ('S001C002P001R001A001', 0.0, 4.0)
    """
    opened = open_inputs(model, inputs, reading, allow_preprocessing=allow_preprocessing, skip_bad=skip_bad)
    return predict_opened(
        model,
        classifier,
        opened,
        window=window,
        step=step,
        none=none,
        batch_size=batch_size,
        device=device,
        progress=progress,
    )


def predict_opened(
    model: Model,
    classifier: Classifier,
    opened: Sequence[Recordings],
    *,
    window: float | None = None,
    step: float | None = None,
    none: float | None = None,
    batch_size: int = 256,
    device: str | None = None,
    progress: Progress = silent,
) -> Iterator[Prediction]:
    """`predict` of inputs that are open already; arguments and errors as there."""
    classifier.check(model)
    threshold = None if none is None else classifier.threshold(none)
    windows = windows_for(opened, classifier.seconds, window, step)
    place = device_of(device)
    own, share = model.on(place), windows.step / windows.length if windows else 1.0
    edges = (*(step * share for step in range(_covered(windows))), 1.0)

    def encode(clips: Clips, progress: Progress) -> Array:
        features = read_windows(own, clips, batch_size=batch_size, device=place, progress=progress)
        return np.concatenate([features, seen(clips, edges)], axis=1)

    blocks = blocks_of(opened, windows, encode, device=place, progress=progress)
    return (_prediction(rows, classifier, windows, threshold) for rows in _gathered(blocks, classifier))


def windows_for(
    opened: Sequence[Recordings],
    typical: float,
    window: float | None,
    step: float | None,
    overlap: int = STEPS,
) -> Windows | None:
    """How recordings are cut; None: not at all, because their preprocessing moves frames.

    Args:
        opened: the recordings.
        typical: seconds that an example lasts.
        window, step: as of `predict`.
        overlap: steps to a window, where `step` is not given.
    """
    if window is None and step is None and not all(each.preprocessing.keeps_frames for each in opened):
        return None
    length, whole = (typical, LONG * typical) if window is None else (window, 0.0)
    shift = max([length / overlap, *(1 / each.fps for each in opened)]) if step is None else step
    windows = Windows(length, shift, whole, empty=True)
    for each in opened:
        windows.check(each)
    if shift > length + 1e-9:
        raise KinemeError(
            f"`step`: {shift:g} s is longer than a window of {length:g} s; moments between would not be seen"
        )
    return windows


def _gathered(blocks: Iterable[Block], classifier: Classifier) -> Iterator[_Rows]:
    """The rows of each recording, which may be spread over blocks. Features are not kept."""
    rows: _Rows | None = None
    last = np.inf
    for block in blocks:
        features, there = np.split(block.features, [len(classifier.head.mean)], axis=1)
        probabilities, novelty = classifier.probabilities_of(features), classifier.head.novelty(features)
        previous = np.concatenate([[last], block.start[:-1]])
        begins = block.start <= previous  # each recording's first window starts at 0
        edges = [*np.flatnonzero(begins).tolist(), len(block)]
        for first, end in pairwise(edges if edges[0] == 0 else [0, *edges]):
            if begins[first]:
                if rows is not None:
                    yield rows
                rows = _Rows(str(block.source[first]), str(block.name[first]), str(block.label[first]))
            assert rows is not None
            if (block.label[first:end] != rows.shown).any():  # it shows several things
                rows.shown = ""
            rows.start.append(block.start[first:end])
            rows.end.append(block.end[first:end])
            rows.probabilities.append(probabilities[first:end])
            rows.novelty.append(novelty[first:end])
            rows.seen.append(there[first:end] > 0)
        last = block.start[-1]
    if rows is not None:
        yield rows


def _prediction(
    rows: _Rows, classifier: Classifier, windows: Windows | None, threshold: float | None
) -> Prediction:
    start, end = np.concatenate(rows.start), np.concatenate(rows.end)
    probabilities, novelty = np.concatenate(rows.probabilities), np.concatenate(rows.novelty)
    if len(start) > 1:
        assert windows is not None
        covered = _covered(windows)
        novelty = np.where(np.isfinite(probabilities[:, 0]), novelty, np.nan)
        probabilities, novelty = moments(probabilities, covered), moments(novelty[:, None], covered)[:, 0]
        edges = np.append(np.arange(len(probabilities)) * windows.step, end[-1])
    else:
        edges = np.array([start[0], end[0]])
    nobody = np.isnan(probabilities[:, 0])
    if len(start) > 1:
        steps = np.concatenate(rows.seen)
        nobody |= ~np.concatenate([steps[:, 0], steps[-1, 1:]])
    probabilities[nobody] = 0
    labels = np.where(nobody, -1, probabilities.argmax(axis=1))
    if threshold is not None:
        labels[novelty > threshold] = -1
    names = (*classifier.class_names, NONE)
    cuts = [0, *(np.flatnonzero(np.diff(labels)) + 1).tolist(), len(labels)]
    segments = []
    for first, after in pairwise(cuts):
        mean, label = probabilities[first:after].mean(axis=0), int(labels[first])
        own = float("nan") if label == -1 else float(mean[label])
        segments.append(
            PredictedSegment(
                float(edges[first]), float(edges[after]), names[label], own, tuple(mean.tolist())
            )
        )
    known = labels >= 0
    mostly = known.any() and 2 * known.sum() >= (~nobody).sum()
    whole = int(probabilities[known].mean(axis=0).argmax()) if mostly else -1
    return Prediction(rows.source, rows.name, segments, rows.shown, names[whole])


def _covered(windows: Windows | None) -> int:
    """Steps to a window."""
    return 1 if windows is None else max(int(windows.length / windows.step + 1e-6), 1)


def moments(values: Array, covered: int) -> Array:
    """(W, K) of windows, a step apart and `covered` steps long → (W + covered - 1, K) of steps.

    A step has the mean of the windows that show it, but for those that are NaN; NaN where all are.

    >>> moments(np.array([[0.0], [3.0], [6.0], [np.nan]]), covered=2)[:, 0].tolist()
    [0.0, 1.5, 4.5, 6.0, nan]
    """
    known = np.isfinite(values)
    total, count = (
        np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(each, axis=0, dtype=np.float64)])
        for each in (np.where(known, values, 0), known)
    )
    step = np.arange(len(values) + covered - 1)
    first, after = np.maximum(step - covered + 1, 0), np.minimum(step + 1, len(values))
    shown = count[after] - count[first]
    mean: Array = np.divide(
        total[after] - total[first], shown, out=np.full(shown.shape, np.nan), where=shown > 0
    )
    return mean


def write_predictions(
    predictions: Iterable[Prediction], path: str | Path, class_names: Sequence[str] = ()
) -> int:
    """Writes predictions as CSV, one segment per line, as they come; an existing file is replaced at the end.

    Args:
        predictions: from `predict`.
        path: of the table.
        class_names: of the classifier; each gets a column with its probability. Default: no such columns.

    Returns:
        the number of segments.

    Raises:
        KinemeError: the file cannot be written, or a prediction cannot be made.

    >>> found = Prediction("mine", "walk_01", [PredictedSegment(0.0, 1.5, "wave", 0.9, (0.9, 0.1))])
    >>> write_predictions([found], example_folder / "found.csv", ("wave", "bow"))
    1
    >>> print((example_folder / "found.csv").read_text().strip())
    source,name,start,end,label,probability,p(wave),p(bow)
    mine,walk_01,0.000,1.500,wave,0.9000,0.9000,0.1000
    """
    count = 0
    with atomic_write(Path(path)) as aside, aside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*COLUMNS, *(f"p({name})" for name in class_names)])
        for each in predictions:
            for found in each.segments:
                own = "" if np.isnan(found.probability) else f"{found.probability:.4f}"
                times = (f"{found.start:.3f}", f"{found.end:.3f}")
                shares = [f"{share:.4f}" for share in found.probabilities]
                writer.writerow([each.source, each.name, *times, found.label, own, *shares])
                count += 1
    return count
