"""A taught classifier as the judge of what is watched for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Taught:
    """A `Judge` by a classifier that `kineme.inference.teach` made.

    Most of what people do belongs to none of the classes. A window that is too far from all of them (see
    `Classifier.threshold`) has probability 0 for each.

    Args:
        model: the one it was taught on.
        classifier: the classifier.
        seconds: length of a window; default the typical length of its examples.
        threshold: the probability at which an event starts.
        none: share of motions of the classes that may be mistaken for none of them; with 0, every window is
            one of them. Default: 0.05, or the least that the number of examples allows.
        device: of the encoder; by default a GPU if there is one.

    Raises:
        KinemeError: the classifier was taught on another encoder, or a setting is out of range.

    >>> import kineme
    >>> model = kineme.load(example_run)
    >>> judge = Taught(model, kineme.inference.read_classifier(example_classifier, model), seconds=2.0)
    >>> judge.class_names, judge.window, judge.measure
    (('bow', 'sit down', 'wave'), 2.0, 'probability')
    """

    model: Model
    classifier: Classifier
    seconds: float | None = None
    threshold: float = STARTS
    none: float | None = None
    device: str | None = None
    measure: str = "probability"

    def __post_init__(self) -> None:
        self.classifier.check(self.model)
        if not 0 < self.threshold <= 1:
            raise KinemeError(f"`threshold`: is {self.threshold:g}; a probability is above 0 and at most 1")
        _ = self.farthest
        object.__setattr__(self, "model", self.model.on(device_of(self.device)))

    @property
    def class_names(self) -> Sequence[str]:
        """Of the classifier."""
        return self.classifier.class_names

    @property
    def window(self) -> float:
        """Length of a window in seconds."""
        return self.classifier.seconds if self.seconds is None else self.seconds

    @property
    def starts(self) -> Array:
        """(K,) the threshold."""
        return np.full(len(self.class_names), self.threshold)

    @property
    def ends(self) -> Array:
        """(K,) where events end."""
        return ENDS * self.starts

    @property
    def farthest(self) -> float:
        """The distance beyond which a window is none of the classes."""
        if self.none == 0:
            return float("inf")
        if self.none is not None:
            return self.classifier.threshold(self.none)
        examples = len(self.classifier.distances)
        least = (1 + 1e-9) / (examples + 1)
        return self.classifier.threshold(max(NONE, least)) if examples else float("inf")

    def scores(self, clips: Clips) -> Array:
        """Preprocessed windows → (N, K) probabilities."""
        features = read(self.model, clips, device=self.device)
        probabilities = self.classifier.probabilities_of(features)
        probabilities[self.classifier.head.novelty(features) > self.farthest] = 0
        return probabilities
