"""How well a classifier does, as far as its own examples can tell: cross-validation and its consequences."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import log_softmax

from kineme.metrics.accuracy import confusion_matrix, wilson_interval
from kineme.progress import Progress, silent
from kineme.typing import Array

MOST_FOLDS = 10
CURVE = (1, 2, 3, 5, 10, 20, 50)  # examples a class
REPEATS = 5  # draws of each size
MORE = 5  # examples that the advice is about
PRIOR = 2.0  # examples that a class's error is drawn to the mean of all by
USUAL_EXPONENT = 0.5  # of error against examples, where the curve does not tell
USUAL_TEMPERATURE = 0.1  # of `head.fit`; see docs/teach.md
USUAL_WEIGHT = 5  # judged examples that the usual temperature counts for


class Fitted(Protocol):
    """A classifier that is being examined."""

    def logits(self, features: Array) -> Array:
        """(n, D) → (n, K); -inf of a class that it was not taught."""

    def novelty(self, features: Array) -> Array:
        """(n, D) → (n,) distance from what it was taught."""


Fit = Callable[[Array, Array], Fitted]


@dataclass(frozen=True)
class Examination:
    """The outcome of cross-validation.

    Attributes:
        accuracy: per cent of the judged examples; None if none could be judged.
        interval: 95 %, Wilson's.
        judged: examples whose class has others outside their fold, beside those of another class.
        left_out: what a fold leaves out together: `people` or `recordings`.
        folds: their number.
        recall: of each class, per cent; None if no example of it was judged.
        curve: (examples per class, per cent), the last with all.
        confusions: (shown, taken for, how often), the most frequent first.
        gains: for each class, points of recall that five more examples are expected to add.
        temperature: by which the scores are divided.

    >>> import kineme
    >>> from kineme.inference import Example, teach
    >>> model, store = kineme.load(example_run), kineme.open_store(example_store)
    >>> names = [store.manifest.class_names[label] for label in store.labels]
    >>> taught = [Example(*pair) for pair in zip(store.names, names, strict=True)]
    >>> found = teach(model, taught, store=store).examination
    >>> found.left_out, found.folds, found.judged
    ('people', 4, 24)
    """

    accuracy: float | None
    interval: tuple[float, float] | None
    judged: int
    left_out: str
    folds: int
    recall: tuple[float | None, ...]
    curve: tuple[tuple[int, float], ...]
    confusions: tuple[tuple[str, str, int], ...]
    gains: tuple[float, ...]
    temperature: float


@dataclass(frozen=True)
class Folds:
    """Which examples are left out together.

    Attributes:
        tests: rows of each fold.
        left_out: `people` or `recordings`.
    """

    tests: Sequence[Array]
    left_out: str

    def judged(self, labels: Array) -> Array:
        """(N,) whether an example's class is also outside its fold, and another to take it for."""
        found = np.zeros(len(labels), dtype=bool)
        for test in self.tests:
            taught = np.unique(np.delete(labels, test))
            found[test] = np.isin(labels[test], taught) & (len(taught) > 1)
        return found


def folds_of(labels: Array, people: Array, recordings: Array, seed: int = 0) -> Folds:
    """Leaves people out where all are known and half of the examples can be judged so, else recordings.

    Parts of one recording are never on both sides.

    Args:
        labels: (N,) classes.
        people: (N,) empty where unknown.
        recordings: (N,) names.
        seed: of the order in which groups are put into folds.
    """
    if (people != "").all() and len(np.unique(people)) > 1:
        found = Folds(_grouped(labels, people, seed), "people")
        if found.judged(labels).mean() >= 0.5:
            return found
    return Folds(_grouped(labels, recordings, seed), "recordings")


def _grouped(labels: Array, groups: Array, seed: int) -> list[Array]:
    """At most ten folds; groups of one class are dealt to different ones."""
    distinct, first, of = np.unique(groups, return_index=True, return_inverse=True)
    drawn = np.random.default_rng(seed).permutation(len(distinct))
    dealt = drawn[np.argsort(labels[first][drawn], kind="stable")]
    fold = np.empty(len(distinct), dtype=np.int64)
    fold[dealt] = np.arange(len(distinct)) % MOST_FOLDS
    return [np.flatnonzero(fold[of] == number) for number in range(min(len(distinct), MOST_FOLDS))]


def examine(
    copies: Array,
    features: Array,
    labels: Array,
    class_names: Sequence[str],
    folds: Folds,
    fit: Fit,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> tuple[Examination, Array]:
    """Cross-validates a way to fit a classifier.

    Args:
        copies: (N, A, D) that a classifier is fitted to.
        features: (N, D) that it is asked about.
        labels: (N,) classes 0 .. K - 1.
        class_names: K.
        folds: see `folds_of`.
        fit: copies and labels → a classifier.
        seed: of the draws of the learning curve.
        progress: called with the fits done and in total.

    Returns:
        The outcome, and (n,) ascending: distances of judged examples from what they were not part of.
    """
    judged, typical = folds.judged(labels), _typical_training(labels, folds)
    sizes = [size for size in CURVE if size < round(typical)] if judged.any() else []
    fits = (1 + len(sizes) * REPEATS) * len(folds.tests)
    folded = _Folded(copies, features, labels, len(class_names), folds, fit, fits, progress)
    generator = np.random.default_rng(seed)
    logits, novelty = folded.scores(generator)
    truth = labels[judged]
    predicted = logits.argmax(axis=1) if len(truth) else truth
    curve = []
    for size in sizes:
        hits = [(folded.scores(generator, size)[0].argmax(axis=1) == truth).mean() for _ in range(REPEATS)]
        curve.append((size, 100 * float(np.mean(hits))))
    right = int((predicted == truth).sum())
    if len(truth):
        curve.append((round(typical), 100 * right / len(truth)))
    confusion = confusion_matrix(truth, predicted, len(class_names))
    outcome = Examination(
        accuracy=100 * right / len(truth) if len(truth) else None,
        interval=wilson_interval(right, len(truth)) if len(truth) else None,
        judged=len(truth),
        left_out=folds.left_out,
        folds=len(folds.tests),
        recall=_recall(confusion),
        curve=tuple(curve),
        confusions=_confusions(confusion, class_names),
        gains=expected_gains(confusion, np.bincount(labels, minlength=len(class_names)), curve),
        temperature=temperature(logits, truth),
    )
    return outcome, np.sort(novelty)


@dataclass
class _Folded:
    """Scores of examples by classifiers that their fold had no part in."""

    copies: Array
    features: Array
    labels: Array
    classes: int
    folds: Folds
    fit: Fit
    fits: int  # in total, and those done
    progress: Progress
    done: int = 0

    def scores(self, generator: np.random.Generator, size: int | None = None) -> tuple[Array, Array]:
        """Logits (n, K) and novelty (n,) of the judged examples.

        Args:
            generator: draws the examples.
            size: examples of a class that a classifier is fitted to; None: all.
        """
        labels, judged = self.labels, self.folds.judged(self.labels)
        logits, novelty = np.full((len(labels), self.classes), -np.inf), np.full(len(labels), np.nan)
        for test in self.folds.tests:
            rows = np.delete(np.arange(len(labels)), test)
            if size is not None:
                rows = subsample(labels, rows, size, generator)
            asked = test[judged[test]]
            if len(asked):
                fitted = self.fit(self.copies[rows], labels[rows])
                logits[asked] = fitted.logits(self.features[asked])
                novelty[asked] = fitted.novelty(self.features[asked])
            self.done += 1
            self.progress(self.done, self.fits)
        return logits[judged], novelty[judged]


def subsample(labels: Array, rows: Array, size: int, generator: np.random.Generator) -> Array:
    """At most `size` rows of each class, drawn from `rows`."""
    drawn = generator.permutation(rows)
    return np.sort(
        np.concatenate([drawn[labels[drawn] == label][:size] for label in np.unique(labels[rows])])
    )


def _typical_training(labels: Array, folds: Folds) -> float:
    """Examples a class that the training part of a fold has: the mean over folds and classes."""
    counts = [len(labels) - len(test) for test in folds.tests]
    return float(np.mean(counts)) / len(np.unique(labels))


def temperature(logits: Array, labels: Array) -> float:
    """What logits are divided by so that probabilities are calibrated (Guo et al., ICML 2017).

    The right class is given (n + 1) / (n + 2) and not all of the probability, as in Platt's scaling: where
    all examples are right it stays finite. Few examples are judged by classifiers of even fewer, which are
    worse than that of all, so the fewer there are, the nearer it is to the usual one.

    Args:
        logits: (n, K) of examples that the classifier was not fitted to; -inf of classes it was not taught.
        labels: (n,) classes.
    """
    if len(labels) == 0:
        return USUAL_TEMPERATURE
    from scipy.optimize import minimize_scalar  # takes half a second to import

    known = np.isfinite(logits)
    shown = np.arange(logits.shape[1]) == labels[:, None]
    rest = np.where(known & ~shown, 1.0, 0.0)
    rest /= np.maximum(rest.sum(axis=1, keepdims=True), 1)
    target = (shown * (len(labels) + 1) + rest) / (len(labels) + 2)

    def loss(logarithm: float) -> float:
        found = log_softmax(logits / math.exp(logarithm), axis=1)
        return -float((target * np.where(known, found, 0)).sum() / len(labels))

    best = minimize_scalar(loss, bounds=(math.log(1e-3), math.log(1e3)), method="bounded").x
    usual, count = math.log(USUAL_TEMPERATURE), len(labels)
    return math.exp((count * best + USUAL_WEIGHT * usual) / (count + USUAL_WEIGHT))


def expected_gains(
    confusion: Array, counts: Array, curve: Sequence[tuple[int, float]], more: int = MORE
) -> tuple[float, ...]:
    """Points of recall that `more` examples of a class are expected to bring it.

    The error of a class is taken to fall with its examples as n^-b. b is that of the learning curve; a
    class's error now is that of cross-validation, drawn to the mean of all classes by two examples' worth.

    Args:
        confusion: (K, K) of cross-validation.
        counts: (K,) examples of each class.
        curve: (examples a class, per cent right).
        more: examples of a class.
    """
    judged, right = confusion.sum(axis=1), np.diag(confusion)
    mean = 1 - (right.sum() + 0.5) / (judged.sum() + 1)
    error = (judged - right + PRIOR * mean) / (judged + PRIOR)
    gains = 100 * error * (1 - (counts / (counts + more)) ** _exponent(curve, max(int(judged.sum()), 1)))
    return tuple(gains.tolist())


def _exponent(curve: Sequence[tuple[int, float]], judged: int) -> float:
    """b of an error that falls as n^-b, by least squares of logarithms; between 0.05 and 1."""
    if len(curve) < 2:
        return USUAL_EXPONENT
    size, right = np.array(curve, dtype=float).T
    error = ((1 - right / 100) * judged + 0.5) / (judged + 1)
    return float(np.clip(-np.polyfit(np.log(size), np.log(error), 1)[0], 0.05, 1.0))


def _recall(confusion: Array) -> tuple[float | None, ...]:
    """Of each class, per cent; None if no example of it was judged."""
    return tuple(100 * float(row[k] / row.sum()) if row.any() else None for k, row in enumerate(confusion))


def _confusions(confusion: Array, class_names: Sequence[str]) -> tuple[tuple[str, str, int], ...]:
    wrong = confusion - np.diag(np.diag(confusion))
    pairs = np.argwhere(wrong)
    order = np.argsort(-wrong[tuple(pairs.T)], kind="stable")
    return tuple((class_names[i], class_names[j], int(wrong[i, j])) for i, j in pairs[order].tolist())
