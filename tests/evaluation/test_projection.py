"""Features in the plane: what is near stays near, and the same features give the same map."""

import numpy as np

from kineme.evaluation.projection import tsne


def test_clips_of_like_features_lie_together_and_places_repeat():
    rng = np.random.default_rng(0)
    middles = np.repeat(np.eye(3, 8), 12, axis=0)
    features = middles + 0.01 * rng.standard_normal(middles.shape)
    places = tsne(features, seed=1)
    distance = np.linalg.norm(places[:, None] - places[None], axis=-1)
    same = np.repeat(np.arange(3), 12)[:, None] == np.repeat(np.arange(3), 12)[None]
    assert places.shape == (36, 2)
    assert distance[same].max() < distance[~same].min()
    np.testing.assert_array_equal(tsne(features, seed=1), places)
