"""What to label next: unlabelled motions that a classifier is unsure of, no two of them alike."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from kineme.clips.store import ClipStore
from kineme.errors import KinemeError, check_between
from kineme.files import atomic_write
from kineme.inference.classifying.classifier import Classifier
from kineme.inference.classifying.examples import Example
from kineme.inference.classifying.prediction import windows_for
from kineme.inference.classifying.reading import read_windows
from kineme.inference.embed import blocks_of
from kineme.inference.recordings import open_input
from kineme.layouts.correspondence import JointMap
from kineme.model import Model, device_of
from kineme.progress import Progress, silent
from kineme.sources.reading import Reading
from kineme.typing import Array

AMONG = 5  # times as many candidates, the most uncertain, are kept to choose from
Stretch = tuple[float, float]


@dataclass(frozen=True)
class Suggestion:
    """A motion whose label would help.

    Attributes:
        name: of the clip or recording.
        start, end: in seconds; None: the whole clip.
        guess: the most likely class so far.
        probability: of that class.

    >>> Suggestion("walk_01", None, None, "walk", 0.4).guess
    'walk'
    """

    name: str
    start: float | None
    end: float | None
    guess: str
    probability: float


@dataclass(frozen=True)
class _Candidates:
    """Rows that may be chosen: `margin` (n,) between the two likeliest classes, `unit` (n, D) directions."""

    name: Array
    start: Array
    end: Array
    margin: Array
    label: Array
    probability: Array
    unit: Array

    def __getitem__(self, rows: Array | list[int]) -> _Candidates:
        return _Candidates(**{key: column[rows] for key, column in vars(self).items()})

    def joined(self, other: _Candidates) -> _Candidates:
        both = zip(vars(self), vars(self).values(), vars(other).values(), strict=True)
        return _Candidates(**{key: np.concatenate(pair) for key, *pair in both})


def suggest(
    model: Model,
    classifier: Classifier,
    store: str | Path | ClipStore,
    count: int = 20,
    *,
    labelled: Sequence[Example] = (),
    joint_map: JointMap | None = None,
    allow_preprocessing: bool = False,
    batch_size: int = 256,
    device: str | None = None,
    progress: Progress = silent,
) -> list[Suggestion]:
    """Clips of a store, or windows of its long recordings, whose labels would help a classifier most.

    Among those with the smallest margin between the two most likely classes, each next one is the farthest
    from all classes' examples and from those already chosen (greedy k-centre; Sener and Savarese, ICLR 2018).
    The store's own labels are not used.

    Args:
        model: the one the classifier was taught on.
        classifier: see `kineme.inference.teach`.
        store: the clips to choose from.
        count: how many; fewer are returned if the store is too small.
        labelled: examples that have a label; anything that overlaps one of them is not suggested.
        joint_map, allow_preprocessing: see `Model.embed`.
        batch_size: clips per pass of the encoder.
        device: of the encoder; by default a GPU if there is one.
        progress: called with the windows done and in total, as far as that is known.

    Raises:
        KinemeError: `count` is below 1, or the store does not fit the model.

    >>> import kineme
    >>> model = kineme.load(example_run)
    >>> classifier = kineme.inference.read_classifier(example_classifier, model)
    >>> chosen = suggest(model, classifier, example_store, 3)
    >>> len(chosen), chosen[0].guess in classifier.class_names
    (3, True)
    """
    check_between("`count`", count, 1)
    classifier.check(model)
    store = store if isinstance(store, ClipStore) else ClipStore(store)
    opened = open_input(model, store, Reading(joint_map=joint_map), allow_preprocessing=allow_preprocessing)
    windows = windows_for([opened], classifier.seconds, None, None, overlap=2)
    place = device_of(device)
    encode = partial(read_windows, model.on(place), batch_size=batch_size, device=place)
    taken: dict[str, list[Stretch]] = {}
    for each in labelled:
        stretch = each.start or 0.0, np.inf if each.end is None else each.end
        taken.setdefault(str(each.motion), []).append(stretch)
    pool: _Candidates | None = None
    for block in blocks_of([opened], windows, encode, device=place, progress=progress):
        free = [_free(taken, *row) for row in zip(block.name, block.start, block.end, strict=True)]
        open_rows = np.array(free) & np.isfinite(block.features[:, 0])  # somebody is there
        found = _candidates(classifier, block.features, block.name, block.start, block.end)[open_rows]
        pool = found if pool is None else pool.joined(found)
        pool = pool[_unsure(pool, count)]
    if pool is None:
        return []
    chosen = pool[_spread(pool, classifier.head.centres, count)]
    lasts = dict(zip(store.names.tolist(), (store.index["frames"] / opened.fps).tolist(), strict=True))
    return [_suggestion(chosen, row, classifier.class_names, lasts) for row in range(len(chosen.name))]


def _suggestion(
    chosen: _Candidates, row: int, class_names: Sequence[str], lasts: Mapping[str, float]
) -> Suggestion:
    """A candidate in words; `lasts` are the seconds that each clip of the store lasts."""
    name, start, end = str(chosen.name[row]), float(chosen.start[row]), float(chosen.end[row])
    guess, probability = class_names[int(chosen.label[row])], float(chosen.probability[row])
    if start == 0 and end >= lasts[name] - 1e-9:
        return Suggestion(name, None, None, guess, probability)
    return Suggestion(name, start, end, guess, probability)


def most_useful(
    classifier: Classifier, features: Array, name: Array, start: Array, end: Array, count: int = 20
) -> list[int]:
    """The rows among known features that `suggest` would choose, the most useful first.

    Args:
        classifier: see `kineme.inference.teach`.
        features: (N, D) of `kineme.inference.classifying.reading`, of motion without a label.
        name: (N,) of the recording.
        start, end: (N,) in seconds.
        count: how many.
    """
    pool = _candidates(classifier, features, name, start, end)
    unsure = _unsure(pool, count)
    chosen: list[int] = unsure[_spread(pool[unsure], classifier.head.centres, count)].tolist()
    return chosen


def _unsure(pool: _Candidates, count: int) -> Array:
    """The rows with the smallest margins, several times as many as are chosen of them."""
    return np.argsort(pool.margin, kind="stable")[: AMONG * count]


def _candidates(
    classifier: Classifier, features: Array, name: Array, start: Array, end: Array
) -> _Candidates:
    probabilities = classifier.probabilities_of(features)
    ranked = np.sort(probabilities, axis=1)
    return _Candidates(
        name=name,
        start=start,
        end=end,
        margin=ranked[:, -1] - ranked[:, -2],  # there are two classes or more
        label=probabilities.argmax(axis=1),
        probability=ranked[:, -1],
        unit=classifier.head.directions(features),
    )


def _free(taken: Mapping[str, Sequence[Stretch]], name: str, start: float, end: float) -> bool:
    """Whether a stretch of a recording overlaps none that is taken."""
    return all(end <= first + 1e-9 or after <= start + 1e-9 for first, after in taken.get(name, ()))


def _spread(pool: _Candidates, centres: Array, count: int) -> list[int]:
    """Rows of the pool, each the farthest from the classes and from those before; none overlap."""
    far = (1 - pool.unit @ centres.T).min(axis=1)
    open_rows = np.ones(len(far), dtype=bool)
    chosen: list[int] = []
    while open_rows.any() and len(chosen) < count:
        row = int(np.where(open_rows, far, -np.inf).argmax())
        chosen.append(row)
        far = np.minimum(far, 1 - pool.unit @ pool.unit[row])
        overlaps = (pool.start < pool.end[row] - 1e-9) & (pool.end > pool.start[row] + 1e-9)
        open_rows &= ~((pool.name == pool.name[row]) & overlaps)
    return chosen


def write_suggestions(suggestions: Sequence[Suggestion], path: str | Path) -> None:
    """Writes suggestions as a table for `teach`, whose column `label` is to be filled in.

    Raises:
        KinemeError: the file exists, perhaps with labels, or cannot be written.

    >>> path = example_folder / "next.csv"
    >>> write_suggestions([Suggestion("walk_01", 1.0, 2.5, "walk", 0.4)], path)
    >>> print(path.read_text().strip())
    name,label,start,end,guess,probability
    walk_01,,1.000,2.500,walk,0.400
    """
    path = Path(path)
    check_unwritten(path)
    with atomic_write(path) as aside, aside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "label", "start", "end", "guess", "probability"])
        for each in suggestions:
            times = ["" if time is None else f"{time:.3f}" for time in (each.start, each.end)]
            writer.writerow([each.name, "", *times, each.guess, f"{each.probability:.3f}"])


def check_unwritten(path: Path) -> None:
    """Checks that a table of suggestions is not there yet.

    Raises:
        KinemeError: it is; somebody may have filled in labels.
    """
    if path.exists():
        raise KinemeError(f"{path}: exists, and labels may be filled in; move it or name another file")
