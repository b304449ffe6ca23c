"""kNN against a loop over clips and classes."""

import numpy as np
import pytest
import torch

from kineme.errors import KinemeError
from kineme.metrics import neighbours as knn
from kineme.metrics.neighbours import leave_group_out, nearest, nearest_label


def _by_hand(train, labels, test, k):
    predicted = []
    for query in test:
        similarity = [query @ clip / np.linalg.norm(query) / np.linalg.norm(clip) for clip in train]
        near = np.argsort(similarity)[::-1][:k]
        votes = {}
        for clip in near:
            count, support = votes.get(labels[clip], (0, 0.0))
            votes[labels[clip]] = (count + 1, support + similarity[clip])
        predicted.append(max(votes, key=lambda label: votes[label]))
    return np.array(predicted)


@pytest.mark.parametrize("k", [1, 2, 5, 40])
def test_agrees_with_a_loop(k):
    rng = np.random.default_rng(3)
    train, test = rng.standard_normal((40, 6), np.float32), rng.standard_normal((25, 6), np.float32)
    labels = rng.integers(0, 5, 40)
    np.testing.assert_array_equal(nearest_label(train, labels, test, k=k), _by_hand(train, labels, test, k))


def test_similarity_is_the_cosine_not_the_distance():
    train = np.array([[10.0, 0.0], [0.0, 1.0]], dtype=np.float32)
    assert nearest_label(train, np.array([0, 1]), np.array([[1.0, 0.2]], dtype=np.float32)).tolist() == [0]


def test_neighbours_come_the_nearest_first_with_their_cosine():
    train = np.array([[0.0, 2.0], [3.0, 4.0], [5.0, 0.0]], dtype=np.float32)
    rows, similarity = nearest(train, np.array([[1.0, 0.0], [0.0, 1.0]], dtype=np.float32), k=2)
    assert rows.tolist() == [[2, 1], [0, 1]]
    np.testing.assert_allclose(similarity, [[1.0, 0.6], [1.0, 0.8]], rtol=1e-6)


@pytest.mark.parametrize("block", [3, 8, 100])
def test_of_equally_near_clips_the_first_come_first_whatever_k(monkeypatch, block):
    """Four copies of six clips."""
    monkeypatch.setattr(knn, "BLOCK", block)
    train = np.tile(np.eye(6, dtype=np.float32), (4, 1))
    test = np.array([[1, 0.9, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1]], dtype=np.float32)
    expected = [[0, 6, 12, 18, 1, 7, 13, 19], [5, 11, 17, 23, 0, 1, 2, 3]]
    for k in range(1, 9):
        assert nearest(train, test, k=k)[0].tolist() == [rows[:k] for rows in expected]


@pytest.mark.filterwarnings("error")
def test_features_may_be_a_map_that_is_read_only():
    features = np.eye(3, dtype=np.float32)
    features.flags.writeable = False
    before = torch.is_warn_always_enabled()
    torch.set_warn_always(True)  # PyTorch warns of it once in a process
    try:
        assert nearest(features, features)[0].tolist() == [[0], [1], [2]]
    finally:
        torch.set_warn_always(before)


def test_of_equally_many_votes_the_nearer_class_wins():
    train = np.array([[1.0, 0.5], [1.0, -0.5], [1.0, 0.1], [1.0, -0.9]], dtype=np.float32)
    labels = np.array([0, 0, 1, 1])  # cosines to (1, 0): 0.894, 0.894 against 0.995, 0.743
    assert nearest_label(train, labels, np.array([[1.0, 0.0]], dtype=np.float32), k=4).tolist() == [0]


def test_training_clips_may_be_a_file_that_is_read_in_blocks(tmp_path, monkeypatch, recwarn):
    rng = np.random.default_rng(0)
    train, test = rng.standard_normal((50, 4), np.float32), rng.standard_normal((7, 4), np.float32)
    rows, similarity = nearest(train, test, k=9)
    monkeypatch.setattr(knn, "BLOCK", 8)
    np.save(tmp_path / "train.npy", train)
    mapped, same = nearest(np.load(tmp_path / "train.npy", mmap_mode="r"), test, k=9)
    np.testing.assert_array_equal(mapped, rows)
    np.testing.assert_allclose(same, similarity, rtol=0, atol=1e-6)
    assert not recwarn


def test_no_queries_have_no_neighbours():
    rows, similarity = nearest(np.eye(3, dtype=np.float32), np.empty((0, 3), np.float32), k=2)
    assert rows.shape == similarity.shape == (0, 2)


def test_chunks_do_not_change_the_answer(monkeypatch):
    rng = np.random.default_rng(0)
    train, test = rng.standard_normal((30, 4), np.float32), rng.standard_normal((17, 4), np.float32)
    labels = rng.integers(0, 3, 30)
    whole = nearest_label(train, labels, test, k=3)
    monkeypatch.setattr(knn, "QUERIES", 4)
    np.testing.assert_array_equal(nearest_label(train, labels, test, k=3), whole)


@pytest.mark.parametrize("k", [0, 3])
def test_more_neighbours_than_clips_are_refused(k):
    clips = np.eye(2, dtype=np.float32)
    with pytest.raises(KinemeError, match=f"k = {k} neighbours of 2 training clips"):
        nearest_label(clips, np.array([0, 1]), clips, k=k)


def test_features_may_be_tensors_and_have_to_be_of_one_width():
    features = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    rows, similarity = nearest(features, features[1:])
    assert (rows.tolist(), similarity.tolist()) == ([[1]], [[1.0]])
    with pytest.raises(KinemeError, match=r"`train` \(2, 2\) and `test` \(2,\): give features \(N, D\)"):
        nearest(features, features[1])
    with pytest.raises(KinemeError, match=r"`test` \(2, 1\)"):
        nearest(features, features[:, :1])


def test_leaving_a_group_out_asks_the_nearest_clip_of_another_group():
    angles = np.radians([0, 1, 10, 80, 90])
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    labels = np.array([0, 0, 1, 1, 1])
    people = np.array(["a", "a", "b", "b", "c"])
    # The two of a come upon the third clip, that one upon the second, and the last two upon each other.
    assert leave_group_out(features, labels, people) == pytest.approx(2 / 5)
    # Of one person, each clip comes upon the nearest other one: only the third is wrong.
    assert leave_group_out(features, labels, np.full(5, "a")) == pytest.approx(4 / 5)
    opposite = np.float32([[1, 0], [-1, 0]])  # the nearest clip of another group may be far away
    assert leave_group_out(opposite, np.array([0, 1]), np.array(["a", "b"])) == 0.0
