"""Rankings whose every place is known."""

import numpy as np
import pytest
import torch

from kineme.metrics import ranking
from kineme.metrics.ranking import rank


def towards(*degrees: float) -> np.ndarray:
    """Features at these angles from the query, which lies along the first axis."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


QUERY = towards(0)


def test_a_perfect_ranking():
    found = rank(towards(40, 10, 30, 20), np.array([1, 0, 1, 0]), QUERY, np.array([0]))
    assert found.first.tolist() == [1]
    assert found.average_precision.tolist() == [1.0]


def test_a_reversed_ranking():
    found = rank(towards(10, 20, 30, 40), np.array([1, 1, 0, 0]), QUERY, np.array([0]))
    assert found.first.tolist() == [3]
    assert found.average_precision[0] == pytest.approx((1 / 3 + 2 / 4) / 2)


def test_a_mixed_ranking():
    labels = np.array([0, 1, 0, 2, 0])  # own class at places 1, 3 and 5
    found = rank(towards(5, 10, 15, 20, 25), labels, QUERY, np.array([0]))
    assert found.first.tolist() == [1]
    assert found.average_precision[0] == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)


@pytest.mark.parametrize("labels", [[0, 0, 1, 1], [1, 1, 0, 0], [0, 1, 1, 0]])
def test_of_equally_similar_clips_the_own_class_comes_last_wherever_it_lies(labels):
    found = rank(towards(10, 10, 10, 10), np.array(labels), QUERY, np.array([0]))
    assert found.first.tolist() == [3]
    assert found.average_precision[0] == pytest.approx((1 / 3 + 2 / 4) / 2)


def test_equally_similar_clips_of_the_own_class_do_not_harm_one_another():
    found = rank(towards(10, 10, 20), np.array([0, 0, 1]), QUERY, np.array([0]))
    assert found.average_precision.tolist() == [1.0]


def test_a_class_that_no_training_clip_has_is_left_out():
    found = rank(towards(10, 20), np.array([0, 1]), np.repeat(QUERY, 3, axis=0), np.array([2, 1, 0]))
    assert found.queries.tolist() == [1, 2]
    assert found.first.tolist() == [2, 1]
    assert found.average_precision.tolist() == [0.5, 1.0]


def test_an_index_of_one_class_is_all_right():
    found = rank(towards(10, 20), np.array([3, 3]), QUERY, np.array([3]))
    assert (found.first.tolist(), found.average_precision.tolist()) == ([1], [1.0])


def test_similarity_is_the_cosine():
    found = rank(np.float32([[9, 9], [1, 0]]), np.array([1, 0]), QUERY, np.array([0]))
    assert found.first.tolist() == [1]


@pytest.mark.parametrize("chunk", [1 << 24, 64])
def test_agrees_with_a_loop_in_chunks_or_not(monkeypatch, chunk):
    monkeypatch.setattr(ranking, "CHUNK", chunk)
    rng = np.random.default_rng(5)
    train, test = rng.standard_normal((50, 6), np.float32), rng.standard_normal((31, 6), np.float32)
    labels, test_labels = rng.integers(0, 5, 50), rng.integers(0, 5, 31)
    found = rank(train, labels, test, test_labels)
    assert found.queries.tolist() == list(range(31))
    for query, label, first, precision in zip(
        test, test_labels, found.first, found.average_precision, strict=True
    ):
        order = np.argsort(-(train @ query) / np.linalg.norm(train, axis=1))
        places = np.flatnonzero(labels[order] == label) + 1
        assert first == places[0]
        assert precision == pytest.approx(np.mean(np.arange(1, len(places) + 1) / places))


@pytest.mark.parametrize("own", [slice(0, 7), slice(3, 12), slice(0, 20)])
def test_an_accelerator_ranks_alike(own):
    """With ties among the similarities."""
    similarity = torch.randint(-3, 4, (30, 20), generator=torch.Generator().manual_seed(0)) / 3
    np.testing.assert_array_equal(
        ranking._sorted_ranks(similarity, own).numpy(), ranking._ranks(similarity, own).numpy()
    )


@pytest.mark.parametrize("spread", [0, 1e-7, 1e-3, 1])
def test_counts_are_those_of_sorting_all(spread):
    """Similarities in one cell, in a few, in many; ties among them."""
    rng = np.random.default_rng(2)
    row = np.float32(0.5 + spread * rng.integers(-300, 300, 3000) / 900)
    own = slice(1000, 1100)
    others, sought = np.delete(row, np.r_[own]), np.sort(row[own])[::-1]
    expected = (others >= sought[:, None]).sum(axis=1)
    np.testing.assert_array_equal(ranking._at_least(others, sought), expected)
