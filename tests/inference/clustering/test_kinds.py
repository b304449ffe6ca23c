"""Features → kinds."""

from __future__ import annotations

import numpy as np
import pytest

from kineme.errors import KinemeError
from kineme.inference.clustering.kinds import evened, kinds_of
from kineme.metrics.clustering import adjusted_mutual_information
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


def test_kinds_may_be_as_small_as_four_thirds_of_the_cube_root() -> None:
    """Of 369 segments a kind has at least 9, of 368 with a bundle of 8 that is none of its own."""
    for size, own in ((9, True), (8, False)):
        features, bundle = bundles([60] * 6 + [size])
        kinds, _ = kinds_of(features)
        assert (kinds.max(), (kinds[bundle == 6] == 7).all()) == (6 + own, own)


def ways(own: float, seed: int) -> tuple[Array, Array, list[str]]:
    """Features of five kinds that six people do, each in their own way; kinds and people."""
    rng = np.random.default_rng(seed)
    kind, person = np.indices((5, 6, 20))[:2].reshape(2, -1)
    features = rng.standard_normal((5, 32))[kind] + own * rng.standard_normal((6, 32))[person]
    features += 0.5 * rng.standard_normal(features.shape)
    return features, kind, [f"p{number}" for number in person]


@pytest.mark.parametrize(("k", "own", "seed"), [(None, 0.6, 1), (5, 1.0, 3)])
def test_kinds_are_not_of_one_person_where_people_are_known(k: int | None, own: float, seed: int) -> None:
    features, kind, people = ways(own, seed)
    assert adjusted_mutual_information(kind, kinds_of(features, k)[0]) < 90
    assert adjusted_mutual_information(kind, kinds_of(features, k, people=people)[0]) > 98


def test_people_who_are_unknown_or_one_change_nothing() -> None:
    features, _, _ = ways(0.6, seed=1)
    blind, _ = kinds_of(features)
    for people in ([""] * len(features), ["anna"] * len(features)):
        np.testing.assert_array_equal(kinds_of(features, people=people)[0], blind)


def test_what_is_a_persons_own_is_the_mean_deviation_from_their_groups() -> None:
    """Anna is 3 off in both groups, ben as far the other way; carl is alone in his, and one is unknown."""
    places = [[3.0, 10.0], [-3.0, 10.0], [8.0, 0.0], [2.0, 0.0], [50.0, 50.0], [0.0, 10.0]]
    features = np.repeat(places, 10, axis=0)
    groups = np.repeat([0, 0, 1, 1, 2, 0], 10)
    people = np.repeat(["anna", "ben", "anna", "ben", "carl", ""], 10)
    groups[:2] = -1  # they are moved as others of anna's, but do not count
    features[:2] = 1000
    found = evened(features, groups, people)
    # The first group's mean is that of 8 at 3, 10 at -3 and 10 at 0.
    anna = (8 * (3 + 6 / 28) + 10 * 3) / (18 + 10)
    ben = (10 * (-3 + 6 / 28) - 10 * 3) / (20 + 10)
    shifts = np.repeat([anna, ben, anna, ben, 0, 0], 10)
    np.testing.assert_allclose(features - found, np.stack([shifts, 0 * shifts], axis=1), atol=1e-12)


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
