"""The classifier on frozen features: linear discriminant analysis over varied copies of the examples.

Copies of one example differ in what does not matter (where it is cut, how a body is built or seen), so their
scatter about the class means shows which directions to ignore, even with one example per class. This, and the
shrinkage, were chosen on training people of UTD-MHAD held out in turn; see docs/teach.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve

from kineme.typing import Array

SHRINKAGE = 0.03  # of the scatter within classes towards a multiple of the identity
# Of a class's squared distance from the mean of all, as far as it sets the class's bias. The mean of few
# examples lies farther out than that of many, and its class would be named too rarely.
BELIEVED = 0.6


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


def fit(copies: Array, labels: Array, classes: int) -> Head:
    """Fits a classifier, in closed form. Classes are taken to be equally likely.

    How many examples of a class somebody labelled says little about how often it occurs.

    Args:
        copies: (N, A, D) features of A copies of each example; NaN where it has fewer.
        labels: (N,) classes below `classes`, of which two or more occur.
        classes: K.
    """
    _, each, dim = copies.shape
    raw, of = copies.reshape(-1, dim).astype(np.float64), np.repeat(labels, each)
    there = ~np.isnan(raw[:, 0])
    raw, of = raw[there], of[there]
    mean, deviation = raw.mean(axis=0), raw.std(axis=0)
    varies = deviation > 1e-7 * np.abs(raw).max(axis=0)  # beyond rounding
    scale = np.where(varies, deviation, 1.0)
    standard = (raw - mean) / scale
    known, place = np.unique(of, return_inverse=True)
    centre = np.stack([standard[place == row].mean(axis=0) for row in range(len(known))])
    residual = standard - centre[place]
    scatter = residual.T @ residual / len(residual)
    spread = max(float(np.trace(scatter)) / dim, 1e-6)  # copies may all be alike, as of a still body
    scatter = (1 - SHRINKAGE) * scatter + SHRINKAGE * spread * np.eye(dim)
    apart = centre - centre.mean(axis=0)
    axes = solve(scatter, apart.T, assume_a="pos").T
    # With more examples the scatter grows and logits shrink. Relative to how far the classes are apart they
    # compare, so that a temperature found on folds suits the classifier of all examples.
    axes /= max(float((axes * apart).sum(axis=1).mean()), 1e-12)
    weight, bias, centres = np.zeros((classes, dim)), np.full(classes, -np.inf), np.zeros((classes, dim))
    weight[known] = axes / scale
    distance = BELIEVED * (axes * apart).sum(axis=1)
    bias[known] = -0.5 * distance - axes @ centre.mean(axis=0) - weight[known] @ mean
    centres[known] = _unit(centre)
    return Head(mean, scale, weight, bias, centres)


def _unit(rows: Array) -> Array:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    found: Array = np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
    return found
