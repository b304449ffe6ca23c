"""A classifier from three labelled clips a class, on UTD-MHAD: 27 actions, tested on other people.

The default encoder is pre-trained on the odd subjects without labels. Labels are three clips a class of the
same subjects, drawn anew several times; the even subjects are only tested on. All settings were chosen on
people held out among the odd subjects.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter

import numpy as np

import kineme
from benchmarks.uses import Figure, Options
from kineme.clips.batches import resident
from kineme.clips.splits import split_rows
from kineme.errors import KinemeError
from kineme.inference import Classifier, Example, teach
from kineme.inference.classifying.reading import read
from kineme.model import random_like
from kineme.typing import Array

EXAMPLES = 3  # a class
DRAWS = 5
MINUTES = 5.0  # of pre-training
AIM = 80.0


def top_1(classifier: Classifier, features: Array, truth: list[str]) -> float:
    """Per cent of the test clips that are named rightly."""
    named = [classifier.class_names[label] for label in classifier.probabilities_of(features).argmax(axis=1)]
    return 100 * float(np.mean([name == shown for name, shown in zip(named, truth, strict=True)]))


def measure(options: Options) -> Iterator[Figure]:
    """Accuracy on the even subjects, and how long `teach` takes.

    Raises:
        KinemeError: KINEME_DATA does not name a folder with utd_mhad.npz.
    """
    if options.data is None or not (options.data / "utd_mhad.npz").is_file():
        raise KinemeError("teach: measures on utd_mhad.npz; set KINEME_DATA to its folder")
    path = options.folder / "utd"
    kineme.prepare("container", options.data / "utd_mhad.npz", path)
    minutes = {"train.minutes": MINUTES / 10 if options.small else MINUTES}
    model = kineme.pretrain(out=options.folder / "run", store=path, overrides=minutes)
    yield Figure("epochs of pre-training without labels", model.epochs or 0, "")

    store = kineme.open_store(path)
    labels, names = store.labels, [store.manifest.class_names[label] for label in store.labels]
    train, test = (split_rows(store, "odd-even", part) for part in ("train", "test"))
    truth = [names[row] for row in test]
    untrained = random_like(model, seed=0)
    features, plain = (read(each, resident(store, test)) for each in (model, untrained))
    accuracy, seconds, expected, baseline = [], [], [], []
    for draw in range(1 if options.small else DRAWS):
        order = np.random.default_rng(draw).permutation(train)
        rows = np.concatenate([order[labels[order] == label][:EXAMPLES] for label in np.unique(labels)])
        examples = [Example(str(store.names[row]), names[row]) for row in rows]
        began = perf_counter()
        classifier = teach(model, examples, store=store)
        seconds.append(perf_counter() - began)
        accuracy.append(top_1(classifier, features, truth))
        baseline.append(top_1(teach(untrained, examples, store=store), plain, truth))
        expected.append(classifier.examination.accuracy or 0.0)
    yield Figure(
        f"{EXAMPLES} clips a class, even subjects, mean", float(np.mean(accuracy)), "%", AIM, smaller=False
    )
    yield Figure("  standard deviation over draws of the clips", float(np.std(accuracy)), "points")
    yield Figure("  on an encoder that was not trained, mean", float(np.mean(baseline)), "%")
    yield Figure("  as teach's own cross-validation has it", float(np.mean(expected)), "%")
    yield Figure(f"teach, {len(rows)} clips", float(np.median(seconds)), "s")
