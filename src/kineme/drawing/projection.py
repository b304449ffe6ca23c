"""Features in the plane, for drawing."""

from __future__ import annotations

import numpy as np

from kineme.errors import KinemeError
from kineme.typing import Array

COMPONENTS = 50  # principal components that t-SNE sees
NOISE = 1e-5  # relative to the features: float32 rounding, no spread


def has_collapsed(features: Array) -> bool:
    """Whether all (N, D) features are the same, to float32 precision. False where there are none."""
    if features.size == 0:
        return False
    return bool(np.ptp(features, axis=0).max(initial=0) <= NOISE * np.abs(features).max(initial=0))


def tsne(features: Array, *, seed: int = 0) -> Array:
    """(N, D) features → (N, 2): t-SNE of cosine distances, on the first 50 principal components.

    Starts from the first two components, with a little jitter so that equal features do not stay on top of
    each other. Fewer than three features, and features that have collapsed, are left at that start.

    Args:
        features: of any rank.
        seed: of the jitter and of t-SNE; equal features and seeds give equal places.

    Raises:
        KinemeError: the features are not finite.
    """
    features = np.asarray(features, dtype=np.float64)
    if not np.isfinite(features).all():
        remedy = "train the encoder again with a smaller learning rate"
        raise KinemeError(f"features: contain NaN or infinity; {remedy}")
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    count = len(features)
    start = 1e-6 * np.random.default_rng(seed).standard_normal((count, 2))
    if count < 2 or features.shape[1] == 0 or has_collapsed(features):
        return start
    features = features / np.abs(features).max()  # squares of large ones overflow
    reduced = PCA(min(COMPONENTS, *features.shape), random_state=seed).fit_transform(features)
    spread = reduced.std(axis=0)
    reduced = reduced[:, spread > NOISE * spread[0]]  # without components that are rounding errors
    start[:, : reduced.shape[1]] += 1e-4 * reduced[:, :2] / spread[0]
    if count < 3:
        return start
    perplexity = max(1.0, min(30.0, (count - 1) / 3))
    model = TSNE(2, metric="cosine", init=start.astype(np.float32), perplexity=perplexity, random_state=seed)
    return np.asarray(model.fit_transform(reduced))
