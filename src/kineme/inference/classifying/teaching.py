"""A handful of labelled motions → a classifier, in seconds; the encoder is not changed."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Unpack

import numpy as np

from kineme.clips.batches import joined
from kineme.clips.folders import is_store
from kineme.clips.store import ClipStore
from kineme.config import DataConfig
from kineme.errors import KinemeError
from kineme.inference.classifying.classifier import Classifier, calibrated
from kineme.inference.classifying.examination import examine, folds_of
from kineme.inference.classifying.examples import Example, find_examples, read_examples
from kineme.inference.classifying.head import fit
from kineme.inference.classifying.reading import CROPS, read_copies, read_shifted
from kineme.model import Model, device_of
from kineme.progress import Progress, silent
from kineme.sources.reading import Reading, joint_map_of

logger = logging.getLogger(__name__)


def teach(
    model: Model,
    examples: str | Path | Sequence[Example],
    *,
    store: str | Path | ClipStore | None = None,
    allow_preprocessing: bool = False,
    batch_size: int = 256,
    device: str | None = None,
    seed: int = 0,
    progress: Progress = silent,
    **reading: Unpack[Reading],
) -> Classifier:
    """Trains a classifier on labelled motions, using the features of a frozen encoder.

    Args:
        model: see `kineme.load`.
        examples: `Example` objects, or a table with the columns name, label and optionally start, end,
            subject.
        store: the one whose clips they name. Default: that of the model's training, if it is still there. A
            name that is no clip of it is taken as a file of poses.
        allow_preprocessing: accept a store with another preprocessing or units.
        batch_size: clips per pass of the encoder.
        device: of the encoder; by default a GPU if there is one.
        seed: of the copies of examples, and of the draws of the cross-validation.
        progress: called with the examples read and in total, then with the fits of the cross-validation.
        **reading: what files do not say themselves, see `kineme.sources.reading.Reading`.

    Raises:
        KinemeError: an example is missing or invalid, or there are fewer than two classes.

    >>> import kineme, numpy
    >>> rng = numpy.random.default_rng(0)
    >>> still = [rng.normal(size=(1, 25, 3)).repeat(30, axis=0) for _ in range(3)]
    >>> moving = [rng.normal(size=(30, 25, 3)) for _ in range(3)]
    >>> examples = [Example(x, "still") for x in still] + [Example(x, "moving") for x in moving]
    >>> model = kineme.load(example_run)
    >>> teach(model, examples).predict(model, rng.normal(size=(30, 25, 3)))
    ['moving']
    """
    given = read_examples(examples)[0] if isinstance(examples, str | Path) else examples
    if wrong := [each for each in given if not isinstance(each, Example)]:
        raise KinemeError(f"`examples`: has a {type(wrong[0]).__name__}; each must be Example(motion, label)")
    class_names = classes_of(given, examples if isinstance(examples, str | Path) else "examples")
    known = (
        own_store(model) if store is None else ClipStore(store) if isinstance(store, str | Path) else store
    )
    if known is not None:
        known = model.fitted(known, joint_map_of(reading))
        model.check(known, allow_preprocessing=allow_preprocessing)
    found = find_examples(model, given, known, reading)
    labels = np.array([class_names.index(each.label) for each in found])
    place = device_of(device)
    clips = joined([each.xyz for each in found], [each.present for each in found])
    own = model.on(place)
    copies = read_copies(own, clips, seed=seed, batch_size=batch_size, device=place, progress=progress)
    features = copies[:, : len(CROPS)].mean(axis=1)  # as `read` gives
    around = joined([each.around for each in found], [each.present for each in found])
    before, frames = (np.array([getattr(each, key) for each in found]) for key in ("before", "frames"))
    shifted = read_shifted(own, around, before, frames, batch_size=batch_size, device=place)
    copies = np.concatenate([copies, shifted], axis=1)

    people, names = (np.array([getattr(each, key) for each in found]) for key in ("subject", "name"))
    ways = partial(fit, classes=len(class_names))
    examination, distances = examine(
        copies,
        features,
        labels,
        class_names,
        folds_of(labels, people, names, seed),
        ways,
        seed=seed,
        progress=progress,
    )
    logger.debug("temperature %.3g", examination.temperature)
    return Classifier(
        class_names=class_names,
        counts=tuple(np.bincount(labels).tolist()),
        head=calibrated(ways(copies, labels), examination.temperature),
        distances=distances,
        seconds=float(np.median([each.end - each.start for each in found])),
        weights=model.weights,
        preprocessing=(model if known is None else known.manifest).preprocessing.id,
        examination=examination,
    )


def own_store(model: Model) -> ClipStore | None:
    """The store of a model's training, if it is one alone and still there."""
    paths = DataConfig(**model.config["data"]).stores
    return ClipStore(paths[0]) if len(paths) == 1 and is_store(paths[0]) else None


def classes_of(examples: Sequence[Example], where: str | Path) -> tuple[str, ...]:
    """The names of the classes, sorted.

    Raises:
        KinemeError: there are fewer than two.
    """
    names = sorted({each.label for each in examples})
    if not names:
        raise KinemeError(f"{where}: no row has a label; fill in the column label")
    if len(names) == 1:
        raise KinemeError(
            f"{where}: every label is {names[0]!r}; a classifier takes two classes or more, such as "
            f"{names[0]} and other"
        )
    return tuple(names)
