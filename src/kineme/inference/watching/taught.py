"""A taught classifier as the judge of what is watched for."""

from __future__ import annotations

import numpy as np

from kineme.clips.batches import Clips
from kineme.errors import KinemeError
from kineme.inference.classifying.classifier import Classifier
from kineme.inference.classifying.reading import read
from kineme.model import Model, device_of
from kineme.typing import Array

STARTS = 0.6  # the probability at which an event starts
ENDS = 0.7  # of that; an event ends below it
NONE = 0.05  # share of motions of the classes that may be taken for none of them


class Taught:
    """A `Judge` by a classifier that `kineme.inference.teach` made.

    Most of what people do belongs to none of the classes. A window that is too far from all of them (see
    `Classifier.threshold`) has probability 0 for each.

    Args:
        model: the one it was taught on.
        classifier: the classifier.
        window: seconds; by default the typical length of the classifier's examples.
        threshold: the probability at which an event starts.
        none: share of motions of the classes that may be mistaken for none of them; with 0, every window is
            one of them. Default: 0.05, or the least that the number of examples allows.
        device: of the encoder; by default a GPU if there is one.

    Raises:
        KinemeError: the classifier was taught on another encoder, or a setting is out of range.

    >>> import kineme
    >>> model = kineme.load(example_run)
    >>> judge = Taught(model, kineme.inference.read_classifier(example_classifier, model), window=2.0)
    >>> judge.class_names, judge.window, judge.measure
    (('bow', 'sit down', 'wave'), 2.0, 'probability')
    """

    measure = "probability"

    def __init__(
        self,
        model: Model,
        classifier: Classifier,
        *,
        window: float | None = None,
        threshold: float = STARTS,
        none: float | None = None,
        device: str | None = None,
    ) -> None:
        classifier.check(model)
        if not 0 < threshold <= 1:
            raise KinemeError(f"`threshold`: is {threshold:g}; a probability is above 0 and at most 1")
        self.class_names = classifier.class_names
        self.window = classifier.seconds if window is None else window
        self.starts = np.full(len(classifier.class_names), threshold)
        self.ends = ENDS * self.starts
        self.farthest = _farthest(classifier, none)
        self.classifier, self.device = classifier, device_of(device)
        self.model = model.on(self.device)

    def scores(self, clips: Clips) -> Array:
        """Preprocessed windows → (N, K) probabilities."""
        features = read(self.model, clips, device=self.device)
        probabilities = self.classifier.probabilities_of(features)
        probabilities[self.classifier.head.novelty(features) > self.farthest] = 0
        return probabilities


def _farthest(classifier: Classifier, none: float | None) -> float:
    """The distance beyond which a window is none of the classes; infinite for never."""
    examples = len(classifier.distances)
    if none == 0 or (none is None and not examples):
        return float("inf")
    least = (1 + 1e-9) / (examples + 1)
    return classifier.threshold(max(NONE, least) if none is None else none)
