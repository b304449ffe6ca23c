"""Features → kinds."""

from __future__ import annotations

import numpy as np
import pytest

from kineme.errors import KinemeError
from kineme.inference.clustering.kinds import kinds_of
from kineme.typing import Array


def bundles(sizes: list[int], dim: int = 16, seed: int = 0) -> tuple[Array, Array]:
    """Tight bundles of features around random directions; features and bundles, mixed."""
    rng = np.random.default_rng(seed)
    bundle = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    directions = 3 * rng.standard_normal((len(sizes), dim))
    features = directions[bundle] + 0.1 * rng.standard_normal((len(bundle), dim)) + 5
    return features.astype(np.float32), bundle


@pytest.mark.parametrize("k", [None, 4])
def test_bundles_are_found_and_numbered_by_size(k: int | None) -> None:
    features, bundle = bundles([12, 40, 20, 30])
    kinds, typical = kinds_of(features, k)
    kept = kinds > 0
    assert kept.mean() > 0.9
    np.testing.assert_array_equal(kinds[kept], np.array([4, 1, 3, 2])[bundle[kept]])
    assert np.nanmin(typical) > 0.8
    np.testing.assert_array_equal(np.isnan(typical), ~kept)


def test_what_is_like_nothing_else_is_in_no_kind() -> None:
    features, _ = bundles([30, 30], seed=1)
    strange = 5 + 20 * np.eye(16, dtype=np.float32)[10:12]
    kinds, typical = kinds_of(np.concatenate([features, strange]))
    assert kinds[60:].tolist() == [0, 0]
    assert np.isnan(typical[60:]).all()


def test_the_same_seed_gives_the_same_kinds() -> None:
    features = np.random.default_rng(0).standard_normal((80, 6)).astype(np.float32)
    for k in (None, 7):
        np.testing.assert_array_equal(kinds_of(features, k, seed=3)[0], kinds_of(features, k, seed=3)[0])


def test_as_many_kinds_as_segments() -> None:
    kinds, _ = kinds_of(np.eye(3, dtype=np.float32), 3)
    assert kinds.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("count", "k", "line"),
    [
        (0, None, "nothing to cluster; give more recordings"),
        (1, None, "one segment to cluster; give more recordings, or cut it into motions"),
        (4, 5, "`k`: is 5; it must be 2 to 4, the number of segments"),
        (4, 1, "`k`: is 1; it must be 2 to 4, the number of segments"),
    ],
)
def test_too_few(count: int, k: int | None, line: str) -> None:
    with pytest.raises(KinemeError) as raised:
        kinds_of(np.random.default_rng(0).standard_normal((count, 4)).astype(np.float32), k)
    assert str(raised.value) == line


@pytest.mark.parametrize("k", [None, 2])
def test_equal_features_are_no_kinds(k: int | None) -> None:
    with pytest.raises(KinemeError, match="all features are equal, so there are no kinds"):
        kinds_of(np.full((6, 4), 0.3, dtype=np.float32), k)
