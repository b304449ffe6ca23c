"""How well groups that were found without labels agree with labels, and found boundaries with true ones."""

from __future__ import annotations

from collections.abc import Sequence

from kineme.typing import Array

TOLERANCE = 10  # frames: a third of a second at 30 per second


def adjusted_mutual_information(labels: Array, clusters: Array) -> float:
    """Per cent of the information that classes and clusters could share beyond chance (Vinh et al., 2010).

    100 where each cluster is one class and each class one cluster, about 0 if clusters are drawn at random.
    Normalised by the mean of both entropies.

    Args:
        labels: (N,) classes.
        clusters: (N,) numbers of clusters.

    >>> import numpy as np
    >>> round(adjusted_mutual_information(np.array([0, 0, 1, 1]), np.array([5, 5, 3, 8])), 2)
    57.14
    """
    from sklearn.metrics import adjusted_mutual_info_score

    return 100 * float(adjusted_mutual_info_score(labels, clusters))


def boundary_f1(
    true_boundaries: Sequence[Array], found_boundaries: Sequence[Array], tolerance: int = TOLERANCE
) -> float:
    """Per cent, of right boundaries among those found and among the true ones, the harmonic mean of both.

    A found boundary is right if a true one is at most `tolerance` frames away. Each counts once, in the
    pairing with the most pairs. Beginnings and ends of recordings are no boundaries.

    Args:
        true_boundaries: of each recording, (n,) frames, ascending.
        found_boundaries: of each recording, (m,) frames, ascending.
        tolerance: frames.

    >>> import numpy as np
    >>> boundary_f1([np.array([100, 200])], [np.array([91, 109, 150])])  # 1 of 3 is right, 1 of 2 is found
    40.0
    """
    pairs = zip(true_boundaries, found_boundaries, strict=True)
    right = sum(_paired(true.tolist(), found.tolist(), tolerance) for true, found in pairs)
    count = sum(map(len, true_boundaries)) + sum(map(len, found_boundaries))
    return 100 * 2 * right / count if count else 100.0


def _paired(true: list[int], found: list[int], tolerance: int) -> int:
    """The most pairs: taking the earliest that is near enough never costs a later pair."""
    i = j = pairs = 0
    while i < len(true) and j < len(found):
        if abs(found[j] - true[i]) <= tolerance:
            i, j, pairs = i + 1, j + 1, pairs + 1
        elif found[j] < true[i]:
            j += 1
        else:
            i += 1
    return pairs
