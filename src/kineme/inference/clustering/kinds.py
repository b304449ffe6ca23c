"""Features → kinds: which are like each other, and how typical each is of its kind."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from kineme.drawing.projection import has_collapsed
from kineme.errors import KinemeError
from kineme.typing import Array

COMPONENTS = 20  # principal components that are clustered
FEWEST = 5  # segments of a kind that is found by density
DOUBT = 10  # segments of a person that move them half as far as they are off
LARGEST = 0.6  # share of all segments
FAINT = 0.25  # density of a segment relative to its kind's core
NONE = 0  # the number of no kind


def kinds_of(
    features: Array, k: int | None = None, *, people: Sequence[str] | Array = (), seed: int = 0
) -> tuple[Array, Array]:
    """Groups features by HDBSCAN (Campello et al., 2013), or by k-means where their number is given.

    Features are standardised, reduced to 20 principal components and scaled to length 1. A kind with more
    than three fifths of all is looked into for finer ones. What is a quarter as dense as the core of its kind
    is in none. Where people are known, what is a person's own is then taken out of their features, and they
    are grouped again. Settings were chosen on people of a training part (docs/cluster.md).

    Args:
        features: (N, D).
        k: how many kinds; None: as many as there are dense groups, of at least max(5, 4/3·∛N).
        people: (N,) who each is of, empty if unknown. Default: nobody is known.
        seed: of k-means and of the reduction.

    Returns:
        (N,) kinds, numbered from 1 by size, 0 for what is in none; and (N,) how typical each is of its kind:
        the cosine with the kind's mean, NaN for what is in none.

    Raises:
        KinemeError: there are fewer than two, all are equal, or k is out of range.
    """
    count = len(features)
    if count < 2:
        what, how = ("one segment", ", or cut it into motions") if count else ("nothing", "")
        raise KinemeError(f"{what} to cluster; give more recordings{how}")
    if k is not None and not 2 <= k <= count:
        raise KinemeError(f"`k`: is {k}; it must be 2 to {count}, the number of segments")
    if has_collapsed(features):
        raise KinemeError(
            "all features are equal, so there are no kinds: either all recordings are equal, or the encoder "
            "has collapsed; train it again with a smaller learning rate"
        )
    group = _dense if k is None else partial(_means, k=k, seed=seed)
    places = _reduced(features, seed)
    groups = group(places)
    if len({*people} - {""}) > 1:
        places = _reduced(evened(features, groups, np.array(people)), seed)
        groups = group(places)
    kinds = _by_size(groups)
    return kinds, _typical(places, kinds)


def _reduced(features: Array, seed: int) -> Array:
    from sklearn.decomposition import PCA

    about = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    spread = about.std(axis=0)
    about = np.divide(about, spread, out=np.zeros_like(about), where=spread > 1e-6 * spread.max())
    reduced: Array = PCA(min(COMPONENTS, *about.shape), random_state=seed).fit_transform(about)
    reduced /= np.maximum(np.linalg.norm(reduced, axis=1, keepdims=True), 1e-12)
    return reduced


def evened(features: Array, groups: Array, people: Array) -> Array:
    """Features without what is each person's own: how far they are off their groups' means, on average.

    This leaves alone what nobody else does, unlike a person's mean. The fewer segments a person has in
    groups, the less they are moved.

    Args:
        features: (N, D).
        groups: (N,) from 0, -1 for what is in none.
        people: (N,) who each is of, empty if unknown; these are not moved.

    >>> two = evened(np.array([[0.0], [4.0]]).repeat(10, axis=0), np.zeros(20), np.repeat(["a", "b"], 10))
    >>> two[0], two[-1]  # half of 2 on either side
    (array([1.]), array([3.]))
    """
    found = features.astype(np.float64)
    off = np.zeros_like(found)
    for group in range(int(groups.max()) + 1):
        off[groups == group] = found[groups == group] - found[groups == group].mean(axis=0)
    names, person = np.unique(people, return_inverse=True)
    shift = np.zeros((len(names), found.shape[1]))
    np.add.at(shift, person, off)
    shift /= np.bincount(person, weights=groups >= 0)[:, None] + DOUBT
    shift[names == ""] = 0
    found -= shift[person]
    return found


def _dense(places: Array) -> Array:
    from sklearn.cluster import HDBSCAN

    least = min(max(FEWEST, int(4 / 3 * len(places) ** (1 / 3))), len(places))
    most = max(int(LARGEST * len(places)), least)
    fitted = HDBSCAN(min_cluster_size=least, min_samples=1, max_cluster_size=most, copy=True).fit(places)
    found: Array = np.where(fitted.probabilities_ < FAINT, -1, fitted.labels_)
    return found


def _means(places: Array, k: int, seed: int) -> Array:
    from sklearn.cluster import KMeans

    found: Array = KMeans(k, n_init=10, random_state=seed).fit_predict(places)
    return found


def _by_size(groups: Array) -> Array:
    """Numbers from 1, the largest group first, of equal ones the earlier; -1, none, becomes 0."""
    numbers, first, sizes = np.unique(groups, return_index=True, return_counts=True)
    rank = {-1: NONE}
    for i in np.lexsort((first, -sizes)).tolist():
        rank.setdefault(int(numbers[i]), len(rank))
    return np.array([rank[group] for group in groups.tolist()], dtype=np.int64)


def _typical(places: Array, kinds: Array) -> Array:
    typical = np.full(len(kinds), np.nan)
    for kind in range(1, int(kinds.max()) + 1):
        own = places[kinds == kind]
        mean = own.mean(axis=0)
        length = np.linalg.norm(own, axis=1) * np.linalg.norm(mean)
        typical[kinds == kind] = np.divide(own @ mean, length, out=np.zeros(len(own)), where=length > 0)
    return typical
