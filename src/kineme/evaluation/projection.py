"""Features in the plane, to be looked at."""

from __future__ import annotations

import numpy as np

from kineme.typing import Array


def tsne(features: Array, *, seed: int = 0) -> Array:
    """(N, D) features → (N, 2): t-SNE of cosine distances, on the first 50 principal components.

    Args:
        features: of three clips at least.
        seed: of both; equal features and seeds give equal places.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    reduced = PCA(min(50, *features.shape), random_state=seed).fit_transform(features)
    perplexity = min(30.0, (len(features) - 1) / 3)
    places = TSNE(2, metric="cosine", init="pca", perplexity=perplexity, random_state=seed).fit_transform(
        reduced
    )
    return np.asarray(places)
