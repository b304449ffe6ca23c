"""The classifier on frozen features: logistic regression on standardised features, and distances.

Fit for three examples a class. Both constants were chosen on training people of UTD-MHAD who were held out in
turn, see docs/teach.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression

from kineme.typing import Array

INVERSE_PENALTY = 30.0  # C of the logistic regression, where a feature's variance is 1 / D
PRIOR = 20.0  # examples' worth by which a feature's variance is drawn to that of all features
STEPS = 1000


@dataclass(frozen=True)
class Head:
    """A fitted classifier of K classes.

    Attributes:
        mean, scale: (D,) that standardise features.
        weight: (K, D) of raw features.
        bias: (K,); -inf of a class that it was not taught.
        centres: (K, D) unit vectors: the direction of each class's mean standardised feature; zero where it
            was not taught.
    """

    mean: Array
    scale: Array
    weight: Array
    bias: Array
    centres: Array

    def logits(self, features: Array) -> Array:
        """(n, D) → (n, K)."""
        found: Array = features @ self.weight.T + self.bias
        return found

    def novelty(self, features: Array) -> Array:
        """(n, D) → (n,) distance to the nearest class, 1 minus cosine similarity of standardised features."""
        found: Array = 1 - (self.directions(features) @ self.centres.T).max(axis=1)
        return found

    def directions(self, features: Array) -> Array:
        """(n, D) → (n, D) unit vectors of standardised features."""
        found: Array = _unit((features - self.mean) / self.scale)
        return found


def fit(features: Array, labels: Array, classes: int) -> Head:
    """Fits a classifier to convergence; the outcome is the same every time.

    Args:
        features: (N, D).
        labels: (N,) classes below `classes`, of which two or more occur.
        classes: K.
    """
    features = features.astype(np.float64)
    mean, variance = features.mean(axis=0), features.var(axis=0)
    pooled = (len(features) * variance + PRIOR * variance.mean()) / (len(features) + PRIOR)
    scale = np.sqrt(np.where(pooled > 0, pooled, 1.0))
    standard = (features - mean) / scale
    shrink = 1 / np.sqrt(features.shape[1])
    # The penalty does not see rotations, and the weights lie in the span of the examples: solve it there.
    left, size, axes = np.linalg.svd(standard * shrink, full_matrices=False)
    solver = LogisticRegression(C=INVERSE_PENALTY, max_iter=STEPS).fit(left * size, labels)
    coefficients, intercept = solver.coef_ @ axes * shrink, solver.intercept_
    if len(solver.classes_) == 2:  # one logit stands for both
        coefficients = np.concatenate([-coefficients, coefficients]) / 2
        intercept = np.concatenate([-intercept, intercept]) / 2
    weight, bias = np.zeros((classes, features.shape[1])), np.full(classes, -np.inf)
    weight[solver.classes_] = coefficients / scale
    bias[solver.classes_] = intercept - weight[solver.classes_] @ mean
    centres = np.zeros_like(weight)
    for label in solver.classes_.tolist():
        centres[label] = _unit(standard[labels == label].mean(axis=0, keepdims=True))[0]
    return Head(mean, scale, weight, bias, centres)


def _unit(rows: Array) -> Array:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    found: Array = np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
    return found
