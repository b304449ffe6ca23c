"""Features in the plane, for drawing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kineme.errors import KinemeError
from kineme.typing import Array

COMPONENTS = 50  # principal components that t-SNE sees
NOISE = 1e-5  # relative to the features: float32 rounding, no spread
LAB_TO_LMS = (  # of OKLab, to the cube roots of cone responses
    (1.0, 0.3963377774, 0.2158037573),
    (1.0, -0.1055613458, -0.0638541728),
    (1.0, -0.0894841775, -1.2914855480),
)
LMS_TO_RGB = (
    (4.0767416621, -3.3077115913, 0.2309699292),
    (-1.2684380046, 2.6097574011, -0.3413193965),
    (-0.0041960863, -0.7034186147, 1.7076147010),
)


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


def tints(features: Array) -> Callable[[Array], Array]:
    """Colours of features: similar ones have similar colours, of about the same lightness.

    The first three principal components are two hues and a little lightness in OKLab (Ottosson, 2020).

    Args:
        features: (N, D) that say how far features spread.

    Returns:
        features (n, D) → (n, 3) sRGB, 0 to 255.

    >>> tints(np.eye(4))(np.eye(4)).shape
    (4, 3)
    """
    mean = features.mean(axis=0, dtype=np.float64)
    _, spread, axes = np.linalg.svd(features - mean, full_matrices=False)
    axes = np.pad(axes[:3], ((0, max(3 - len(axes), 0)), (0, 0)))
    spread = np.pad(spread[:3], (0, max(3 - len(spread), 0))) / len(features) ** 0.5
    least = max(0.2 * spread[0], 1e-12)  # what hardly varies is no difference in colour

    def colours(rows: Array) -> Array:
        along = np.tanh((rows - mean) @ axes.T / np.maximum(1.5 * spread, least))
        a, b, light = 0.13 * along[:, 0], 0.13 * along[:, 1], 0.72 + 0.1 * along[:, 2]
        cube = np.stack([light, a, b], axis=1) @ np.array(LAB_TO_LMS).T
        linear = np.clip(cube**3 @ np.array(LMS_TO_RGB).T, 0, 1)
        curved = np.where(linear < 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
        found: Array = np.round(255 * curved).astype(np.uint8)
        return found

    return colours
