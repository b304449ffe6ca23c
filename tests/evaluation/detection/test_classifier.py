"""The classifier of frames learns what can be told linearly, from a frame and from those around it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from kineme.evaluation.detection.classifier import (
    ClassifierSettings,
    Context,
    FrameNetwork,
    classifier_for,
    context_for,
    fit,
    gather,
)

OFFSETS = np.array([0, 4, 10])
FEATURES = np.arange(10.0, dtype=np.float16)[:, None]


def test_neighbours_stay_in_their_recording() -> None:
    frames = np.array([0, 3, 4, 7, 9])
    seen = gather(FEATURES, OFFSETS, frames, Context(1, 2))
    assert seen.dtype == torch.float32
    assert seen.tolist() == [[0, 0, 2], [1, 3, 3], [4, 4, 6], [5, 7, 9], [7, 9, 9]]


def test_without_neighbours_a_frame_is_read_alone() -> None:
    assert gather(FEATURES, OFFSETS, np.array([2, 5]), Context()).tolist() == [[2], [5]]


def test_probabilities_are_of_the_linear_layer_in_blocks_of_any_length() -> None:
    generator = torch.Generator().manual_seed(0)
    weight, bias = torch.randn(3, 6, generator=generator), torch.randn(3, generator=generator)
    classifier = FrameNetwork((weight, bias), Context(1, 5))
    features = torch.randn(9000, 2, generator=generator).numpy()
    found = classifier.probabilities(features)
    assert found.dtype == np.float16
    rows = np.clip(np.arange(9000)[:, None] + [-5, 0, 5], 0, 8999)
    logits = features[rows].reshape(9000, 6) @ weight.numpy().T + bias.numpy()
    expected = torch.from_numpy(logits).softmax(dim=1).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_probabilities_are_smoothed_over_frames_that_go_on_beyond_the_ends() -> None:
    generator = torch.Generator().manual_seed(0)
    weight, bias = torch.randn(3, 2, generator=generator), torch.randn(3, generator=generator)
    features = torch.randn(40, 2, generator=generator).numpy()
    plain = FrameNetwork((weight, bias), Context()).probabilities(features).astype(float)
    found = FrameNetwork((weight, bias), Context(smoothing=2.0)).probabilities(features)
    reach = np.arange(-8, 9)
    bell = np.exp(-(reach**2) / 8)
    around = plain[np.clip(np.arange(40)[:, None] + reach, 0, 39)]  # ends stay well within eight frames
    expected = np.einsum("trk,r->tk", around, bell / bell.sum())
    np.testing.assert_allclose(found[8:-8], expected[8:-8], atol=2e-3)
    np.testing.assert_allclose(found.astype(float).sum(axis=1), 1, atol=2e-3)


def test_published_rules_take_probabilities_as_they_are() -> None:
    assert context_for(64, 4, "C") == Context(4, 16, smoothing=4.0)
    assert context_for(64, 4, "A") == context_for(64, 4, "B") == Context(4, 16)
    assert context_for(2, 0, "A") == Context(0, 1)


def learnt(context: Context, shift: int) -> float:
    """Share of frames that are right where the class is told by the feature so many frames earlier."""
    generator = np.random.default_rng(0)
    features = (100 + 5 * generator.standard_normal((3000, 4))).astype(np.float16)
    labels = np.roll(features[:, 1] > 100, shift).astype(np.int64)
    offsets = np.array([0, 1500, 3000])
    classifier = fit(features, offsets, labels, 2, context, ClassifierSettings(lr=0.01))
    found = np.concatenate([classifier.probabilities(features[a:b]) for a, b in ((0, 1500), (1500, 3000))])
    return float(np.mean(found.argmax(axis=1) == labels))


def test_it_learns_features_of_any_scale() -> None:
    assert learnt(Context(), 0) > 0.95


def test_it_learns_from_neighbours_what_a_frame_does_not_tell() -> None:
    assert learnt(Context(), 3) < 0.6
    assert learnt(Context(1, 3), 3) > 0.95


def test_steps_that_see_a_part_are_sure_of_less() -> None:
    """A single number tells the class for sure; nine agree with it more often than not."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 2000)
    noise = np.array([0.05] + [1.0] * 9)
    features = labels[:, None] + noise * generator.standard_normal((2000, 10))

    def learnt(seen: int) -> FrameNetwork:
        settings = ClassifierSettings(lr=0.03, weight_decay=0, seen=seen)
        return fit(features, np.array([0, 2000]), labels, 2, Context(), settings)

    def surely(classifier: FrameNetwork) -> float:
        return float((classifier.probabilities(features).max(axis=1) > 0.99).mean())

    assert torch.equal(learnt(10).layers[0], learnt(1000).layers[0])
    assert surely(learnt(10)) > 0.7
    assert surely(learnt(2)) < 0.1
    assert np.mean(learnt(2).probabilities(features).argmax(axis=1) == labels) > 0.95


def test_the_same_seed_learns_the_same() -> None:
    labels = (FEATURES[:, 0] > 4).astype(np.int64)
    first, again, other = (
        fit(
            FEATURES,
            OFFSETS,
            labels,
            2,
            Context(),
            ClassifierSettings(batch_size=3, least_steps=8),
            seed=seed,
        )
        for seed in (0, 0, 1)
    )
    assert torch.equal(first.layers[0], again.layers[0])
    assert not torch.equal(first.layers[0], other.layers[0])


def test_a_feature_that_never_changes_does_no_harm() -> None:
    features = np.stack([FEATURES[:, 0], np.full(10, 7.0)], axis=1)
    labels = (FEATURES[:, 0] > 4).astype(np.int64)
    classifier = fit(features, OFFSETS, labels, 2, Context(), ClassifierSettings())
    assert torch.isfinite(classifier.layers[0]).all()


def test_published_rules_have_a_linear_layer_and_the_third_a_hidden_one() -> None:
    assert classifier_for("A") == classifier_for("B") == classifier_for("C", linear=True)
    assert (classifier_for("A").hidden, classifier_for("A").networks) == (0, 1)
    assert (classifier_for("C").hidden, classifier_for("C").networks) == (128, 3)


def test_probabilities_of_two_layers() -> None:
    """The hidden layer has x + 1 and -x; GELU of 2 and -1 is 1.9545 and -0.1587."""
    layers = tuple(map(torch.tensor, ([[1.0], [-1.0]], [1.0, 0.0], [[1.0, 0.0], [0.0, 1.0]], [0.0, 0.5])))
    (found,) = FrameNetwork(layers, Context()).probabilities(np.array([[1.0]], dtype=np.float16))
    likelier = 1 / (1 + np.exp(0.5 - 0.1587 - 1.9545))
    np.testing.assert_allclose(found, [likelier, 1 - likelier], atol=1e-3)


def test_a_hidden_layer_learns_what_no_linear_one_can() -> None:
    """The class is whether two numbers have one sign."""
    generator = np.random.default_rng(0)
    features = (50 + generator.standard_normal((4000, 2))).astype(np.float16)
    labels = ((features[:, 0] > 50) == (features[:, 1] > 50)).astype(np.int64)

    def right(hidden: int) -> float:
        settings = ClassifierSettings(lr=0.01, hidden=hidden)
        classifier = fit(features, np.array([0, 4000]), labels, 2, Context(), settings)
        return float(np.mean(classifier.probabilities(features).argmax(axis=1) == labels))

    assert right(0) < 0.65
    assert right(16) > 0.9


def test_training_tells_each_step() -> None:
    calls: list[tuple[int, int]] = []
    labels = (FEATURES[:, 0] > 4).astype(np.int64)
    settings = ClassifierSettings(batch_size=5, least_steps=8, epochs=1)
    fit(
        FEATURES,
        OFFSETS,
        labels,
        2,
        Context(),
        settings,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls == [(step, 8) for step in range(1, 9)]


def test_several_networks_are_those_of_as_many_seeds_averaged() -> None:
    """Seed 1 of two networks has the seeds 2 and 3, which no other pair has."""
    labels = (FEATURES[:, 0] > 4).astype(np.int64)
    one = ClassifierSettings(batch_size=5, least_steps=8, epochs=1, hidden=4)
    context, calls = Context(1, 2), []

    def trained(networks: int, seed: int) -> FrameNetwork:
        settings = replace(one, networks=networks)
        return fit(FEATURES, OFFSETS, labels, 2, context, settings, seed=seed, progress=note)

    def note(done: int, total: int) -> None:
        calls.append((done, total))

    both = trained(2, 1)
    assert calls == [(step, 16) for step in range(1, 17)]
    assert both.context == context
    assert [tuple(each.shape) for each in both.layers] == [(8, 3), (8,), (2, 8), (2,)]
    second, third = (trained(1, seed).outputs(FEATURES) for seed in (2, 3))
    assert not np.allclose(second, third, atol=1e-3)
    np.testing.assert_allclose(both.outputs(FEATURES), (second + third) / 2, atol=1e-5)
