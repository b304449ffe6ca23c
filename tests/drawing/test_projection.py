"""Features in the plane: similar ones lie together, whatever their rank, and places repeat."""

import numpy as np
import pytest

from kineme.drawing.projection import has_collapsed, tints, tsne
from kineme.errors import KinemeError


def distances(features, same):
    """The largest distance on the map within a group, and the smallest between groups."""
    places = tsne(features)
    assert np.isfinite(places).all()
    distance = np.linalg.norm(places[:, None] - places[None], axis=-1)
    alike = same[:, None] == same[None]
    return distance[alike].max(), distance[~alike].min()


def test_clips_with_similar_features_lie_together():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(3), 12)
    features = np.eye(3, 8)[groups] + 0.01 * rng.standard_normal((36, 8))
    within, between = distances(features, groups)
    assert within < between
    np.testing.assert_array_equal(tsne(features, seed=1), tsne(features, seed=1))


def test_two_distinct_features_make_two_groups():
    groups = np.repeat([0, 1], 10)
    within, between = distances(np.array([[1.0, 0, 0], [0, 2, 0]])[groups], groups)
    assert within < between


def test_one_clip_of_a_kind_lies_apart():
    features = np.r_[np.zeros((19, 4)), np.ones((1, 4))]
    places = tsne(features)
    middle = places[:-1].mean(axis=0)
    assert np.linalg.norm(places[-1] - middle) > np.linalg.norm(places[:-1] - middle, axis=1).max()


@pytest.mark.parametrize("features", [np.eye(3), np.eye(2), np.ones((1, 4)), np.arange(20.0)[:, None]])
def test_few_clips_and_few_dimensions_have_finite_places(features):
    places = tsne(features)
    assert places.shape == (len(features), 2)
    assert np.isfinite(places).all()
    assert len(np.unique(places, axis=0)) == len(features)


@pytest.mark.parametrize("value", [0.0, 0.1])
def test_identical_features_have_collapsed_and_stay_in_one_place(value):
    features = np.full((20, 8), value, dtype=np.float32)
    assert has_collapsed(features)
    assert np.ptp(tsne(features), axis=0).max() < 1e-5
    features[0, 0] += 0.01
    assert not has_collapsed(features)


@pytest.mark.parametrize("size", [2.0**-600, 2.0**-100, 2.0**100, 2.0**600])
def test_the_size_of_features_means_nothing(size):
    features = np.random.default_rng(0).standard_normal((30, 8))
    np.testing.assert_array_equal(tsne(size * features), tsne(features))


def test_no_features_have_no_places():
    assert tsne(np.zeros((0, 8))).shape == (0, 2)
    assert not has_collapsed(np.zeros((0, 8)))
    assert tsne(np.zeros((7, 0))).shape == (7, 2)


def test_features_that_are_not_finite_are_refused():
    with pytest.raises(KinemeError, match="NaN or infinity"):
        tsne(np.array([[0.0, 1.0], [np.nan, 0.0], [1.0, 1.0]]))


def test_similar_features_have_similar_colours():
    rng = np.random.default_rng(0)
    groups = rng.normal(size=(3, 8)).repeat(20, axis=0)
    colours = tints(groups)(groups + 0.01 * rng.normal(size=groups.shape)).astype(int).reshape(3, 20, 3)
    within = np.abs(colours - colours[:, :1]).max()
    between = min(np.abs(colours[i, 0] - colours[j, 0]).max() for i, j in ((0, 1), (0, 2), (1, 2)))
    assert within < 10 < 40 < between


def test_one_dimension_and_equal_features_have_colours_too():
    for features in (np.arange(5.0)[:, None], np.ones((4, 6))):
        colours = tints(features)(features)
        assert colours.shape == (len(features), 3)
        assert colours.dtype == np.uint8
    assert (colours == colours[0]).all()
