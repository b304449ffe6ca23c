"""The probes: against torch's own layer and optimiser, on data that can be told apart, and seeded."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import nn

from kineme.config import LinearConfig
from kineme.errors import KinemeError
from kineme.evaluation.linear import Epoch, best_rate, held_out, logistic, moments, sgd, with_rate
from kineme.metrics.accuracy import top_k
from kineme.packaged import find_recipe, recipes
from kineme.settings import load_config


def _blobs(clips: int, classes: int, dim: int, spread: float, seed: int):
    """Features of `classes` Gaussian clouds; the clouds' centres do not depend on the seed."""
    centres = np.random.default_rng(7).standard_normal((classes, dim))
    rng = np.random.default_rng(seed)
    labels = np.arange(clips) % classes
    return (centres[labels] + spread * rng.standard_normal((clips, dim))).astype(np.float32), labels


def test_the_step_is_that_of_torch():
    """Training on the whole batch does not depend on the order of the clips."""
    x, y = _blobs(30, 4, 6, 0.5, seed=0)
    settings = LinearConfig(lr=0.3, batch_size=30, epochs=12, milestones=(5, 9), init_std=0.01)
    last, _ = sgd(x, y, x, y, 4, settings, seed=5)
    layer = nn.Linear(6, 4)
    with torch.no_grad():
        layer.weight.copy_(torch.empty(6, 4).normal_(0, 0.01, generator=torch.Generator().manual_seed(5)).T)
        layer.bias.zero_()
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.3, momentum=0.9)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, [5, 9], gamma=0.1)
    for _ in range(12):
        optimiser.zero_grad()
        nn.functional.cross_entropy(layer(torch.from_numpy(x)), torch.from_numpy(y)).backward()
        optimiser.step()
        schedule.step()
    expected = layer(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(last.scores, expected, rtol=1e-4, atol=1e-5)


def test_norm_and_cosine_are_those_of_torch():
    """Batches of 7, 7, 7 and 2 clips: the running statistics are those of the last ones of each epoch too."""
    x, y = _blobs(23, 4, 6, 0.5, seed=0)
    test, labels = _blobs(9, 4, 6, 0.5, seed=1)
    x, test = 3 * x + 5, 3 * test + 5
    settings = LinearConfig(0.3, 7, 6, (2,), 0.01, schedule="cosine", norm=True)  # milestones are for steps
    last, _ = sgd(x, y, test, labels, 4, settings, seed=5)
    generator = torch.Generator().manual_seed(5)
    norm, layer = nn.BatchNorm1d(6, affine=False, eps=1e-6), nn.Linear(6, 4)
    with torch.no_grad():
        layer.weight.copy_(torch.empty(6, 4).normal_(0, 0.01, generator=generator).T)
        layer.bias.zero_()
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.3, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 24)
    for _ in range(6):
        for batch in torch.randperm(23, generator=generator).split(7):
            optimiser.zero_grad()
            logits = layer(norm(torch.from_numpy(x)[batch]))
            nn.functional.cross_entropy(logits, torch.from_numpy(y)[batch]).backward()
            optimiser.step()
            schedule.step()
    expected = layer(norm.eval()(torch.from_numpy(test))).detach().numpy()
    np.testing.assert_allclose(last.scores, expected, rtol=1e-4, atol=1e-5)


AIMCLR = (3.0, 128, 100, (80,), None)
SCDNET = (2.0, 1024, 80, (50, 70), 0.01)


def usdrl(lr: float):
    return (lr, 512, 160, (120, 140), 0.01)


def slim(epochs):
    """About 10 times 2,000 steps; 13 rates from 1e-5 to 0.1, times the share of 64 clips in 256."""
    rates = [digit * 10.0**power / 4 for power in (-5, -4, -3, -2) for digit in (1, 2, 5)] + [0.1 / 4]
    return 0.0125, 64, epochs, (), 0.01, "cosine", False, tuple(round(rate, 10) for rate in rates)


def mamp(lr: float, batch: int):
    return (lr, batch, 100, (), 0.01, "cosine", True)


PUBLISHED = {  # learning rate, batch, epochs, milestones, deviation of the initial weights, ...
    "aimclr-ntu60-xsub": AIMCLR,
    "aimclr-ntu60-xview": AIMCLR,
    "aimclr-ntu120-xsub": AIMCLR,
    "aimclr-ntu120-xset": AIMCLR,
    "aimclr-pkummd1-xsub": AIMCLR,
    "aimclr-pkummd2-xsub": AIMCLR,
    "scdnet-ntu60-xsub": SCDNET,
    "scdnet-ntu60-xview": SCDNET,
    "scdnet-ntu120-xsub": SCDNET,
    "scdnet-ntu120-xset": SCDNET,
    "scdnet-pkummd1-xsub": SCDNET,
    "scdnet-pkummd2-xsub": SCDNET,
    "usdrl-sttr-ntu60-xsub": usdrl(0.006),
    "usdrl-sttr-ntu60-xview": usdrl(0.03),
    "usdrl-sttr-ntu120-xsub": usdrl(0.006),
    "usdrl-sttr-ntu120-xset": usdrl(0.006),
    "usdrl-sttr-pkummd2-xsub": usdrl(0.01),
    "usdrl-dste-ntu60-xsub": usdrl(0.006),
    "usdrl-dste-ntu60-xview": usdrl(0.03),
    "usdrl-dste-ntu120-xsub": usdrl(0.006),
    "usdrl-dste-ntu120-xset": usdrl(0.006),
    "usdrl-dste-pkummd2-xsub": usdrl(0.01),
    "mpct-sttr-ntu60-xsub": usdrl(0.006),
    "mpct-sttr-ntu60-xview": usdrl(0.03),
    "mpct-sttr-ntu120-xsub": usdrl(0.006),
    "mpct-sttr-ntu120-xset": usdrl(0.006),
    "mpct-sttr-pkummd2-xsub": usdrl(0.01),
    "mamp-ntu60-xsub": mamp(0.1, 256),
    "mamp-ntu60-xview": mamp(0.1, 256),
    "mamp-ntu120-xsub": mamp(0.1, 256),
    "mamp-ntu120-xset": mamp(0.1, 256),
    "mamp-pkummd2-xsub": mamp(0.01, 32),
    "slim-ntu60-xsub": slim(32),
    "slim-ntu60-xview": slim(34),
    "slim-ntu120-xsub": slim(20),
    "slim-ntu120-xset": slim(24),
    "slim-pkummd2-xsub": slim(240),
}
SEPARATING = [LinearConfig(*each) for each in (AIMCLR, SCDNET, usdrl(0.006), mamp(0.1, 256))]


@pytest.mark.parametrize("recipe", PUBLISHED)
def test_the_probe_of_every_published_recipe(recipe):
    assert load_config(find_recipe(recipe)).evaluate.linear == LinearConfig(*PUBLISHED[recipe])


def test_every_recipe_of_a_published_data_set_is_in_the_table():
    own = {name for name in recipes() if name.endswith("small")} | {"demo", "tandem"}
    assert set(recipes()) - own == set(PUBLISHED)


@pytest.mark.parametrize("settings", SEPARATING)
def test_every_protocol_separates_what_is_separable(settings):
    x, y = _blobs(120, 4, 16, 0.1, seed=0)
    x_test, y_test = _blobs(60, 4, 16, 0.1, seed=1)
    last, best = sgd(x, y, x_test, y_test, 4, settings)
    assert last.epoch == settings.epochs
    assert (last.top1, best.top1) == (100.0, 100.0)


def test_the_recipe_sets_the_rate_unless_one_is_given():
    run = Path("runs/x")
    assert with_rate(LinearConfig(lr=3.0), "linear", None, run) == LinearConfig(lr=3.0)
    assert with_rate(LinearConfig(lr=3.0), "linear", 0.5, run) == LinearConfig(lr=0.5)
    assert with_rate(LinearConfig(), "linear", 0.5, run) == LinearConfig(lr=0.5)
    several = LinearConfig(lr=3.0, rates=(0.1, 0.2))
    assert with_rate(several, "linear", None, run) == several
    assert with_rate(several, "linear", 0.5, run) == LinearConfig(lr=0.5)
    with pytest.raises(KinemeError) as refused:
        with_rate(LinearConfig(), "linear", None, run)
    assert str(refused.value) == "runs/x: the recipe sets no evaluate.linear.lr; set it there, or pass `lr`"
    with pytest.raises(KinemeError, match=r"`lr`: is 0; it must be above 0"):
        with_rate(LinearConfig(lr=3.0), "linear", 0, run)


def test_last_and_best_are_different_things():
    """Noise that cannot be learnt: the best of many epochs is above the last, and is one that was scored."""
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((40, 8), np.float32), rng.integers(0, 4, 40)
    settings = LinearConfig(lr=1.0, batch_size=8, epochs=33, milestones=())
    last, best = sgd(x, y, rng.standard_normal((50, 8), np.float32), rng.integers(0, 4, 50), 4, settings)
    assert last.epoch == 33
    assert best.epoch % 5 == 0
    assert best.top1 > last.top1


def test_of_equally_good_epochs_the_first_is_the_best():
    x, y = _blobs(60, 2, 6, 0.01, seed=0)
    last, best = sgd(x, y, x, y, 2, LinearConfig(lr=0.5, batch_size=16, epochs=12, milestones=()))
    assert (best.epoch, best.top1, last.epoch, last.top1) == (5, 100.0, 12, 100.0)


def test_first_initial_weights_are_torchs_default():
    """No steps worth mentioning: the logits of a unit basis are the weights, uniform in ±1/√D."""
    settings = replace(LinearConfig(*AIMCLR), lr=0.0, epochs=1)
    basis = np.vstack([np.zeros((1, 100), np.float32), np.eye(100, dtype=np.float32)])
    labels = np.zeros(101, dtype=np.int64)
    logits = sgd(basis, labels, basis, labels, 50, settings)[0].scores
    weights = logits[1:] - logits[:1]
    assert 0.099 < np.abs(weights).max() <= 0.1 + 1e-6
    assert abs(weights.std() - 0.2 / np.sqrt(12)) < 1e-3


def test_the_seed_decides():
    x, y = _blobs(60, 3, 5, 2.0, seed=0)
    runs = [sgd(x, y, x, y, 3, LinearConfig(*SCDNET), seed=seed)[0].scores for seed in (1, 1, 2)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_features_are_standardised_as_scikit_learn_does():
    rng = np.random.default_rng(0)
    features = (5 + rng.lognormal(size=40) * rng.normal(size=(200, 40))).astype(np.float32).astype(np.float64)
    features[:, :3] = 0.0, 0.1, 1e6  # constants
    scaler = StandardScaler().fit(features)
    mean, deviation = moments(features)
    assert np.array_equal(mean, scaler.mean_)
    assert np.array_equal(deviation, scaler.scale_)
    assert deviation[:3].tolist() == [1, 1, 1]


def test_logistic_regression_does_not_depend_on_the_scale_of_the_features():
    x, y = _blobs(90, 3, 10, 1.5, seed=0)
    x_test, y_test = _blobs(60, 3, 10, 1.5, seed=1)
    scale, shift = np.logspace(-4, 4, 10, dtype=np.float32), np.float32(2.5)
    plain = logistic(x, y, x_test, 3)
    scaled = logistic(x * scale + shift * scale, y, x_test * scale + shift * scale, 3)
    np.testing.assert_allclose(scaled, plain, atol=0.02)
    assert top_k(plain, y_test) > 80


def test_logistic_regression_is_at_its_optimum():
    """Where the biases' gradient is zero, the mean probability of a class is its share of the clips."""
    x, y = _blobs(60, 3, 5, 2.0, seed=0)
    probabilities = np.exp(logistic(x, y, x, 3))
    np.testing.assert_allclose(probabilities.mean(axis=0), np.bincount(y) / len(y), atol=1e-4)


def test_more_features_than_clips_make_no_difference_to_the_regression():
    """Copies of a feature share its weight: ten of them are one under a tenth of the penalty."""
    x, y = _blobs(20, 3, 12, 1.0, seed=0)
    x_test, _ = _blobs(15, 3, 12, 1.0, seed=1)
    wide, wide_test = np.tile(x, 10), np.tile(x_test, 10)
    standard = (x.astype(float) - x.mean(axis=0)) / x.std(axis=0)
    standard_test = (x_test.astype(float) - x.mean(axis=0)) / x.std(axis=0)
    expected = LogisticRegression(C=10.0, tol=1e-8, max_iter=10_000).fit(standard, y)
    np.testing.assert_allclose(
        logistic(wide, y, wide_test, 3), expected.predict_log_proba(standard_test), atol=0.01
    )


def test_a_class_without_training_clips_is_never_predicted():
    x, y = _blobs(40, 2, 4, 0.3, seed=0)
    scores = logistic(x, np.where(y == 1, 3, 0), x, 4)
    assert np.isneginf(scores[:, [1, 2]]).all()
    assert set(scores.argmax(axis=1)) == {0, 3}


def test_of_several_rates_that_which_does_best_on_held_out_clips_is_taken():
    """1e-7 learns nothing and 1e4 diverges; the test clips and their labels play no part in the choice."""
    x, y = _blobs(120, 4, 6, 0.4, seed=0)
    test, labels = _blobs(40, 4, 6, 0.4, seed=1)
    settings = LinearConfig(lr=1.0, batch_size=16, epochs=5, milestones=(), rates=(1e4, 0.1, 1e-7))
    assert best_rate(x, y, 4, settings, seed=3) == 0.1
    seen = []
    last, _ = sgd(x, y, test, labels, 4, settings, seed=3, progress=lambda done, of: seen.append((done, of)))
    expected, _ = sgd(x, y, test, labels, 4, replace(settings, lr=0.1, rates=()), seed=3)
    np.testing.assert_array_equal(last.scores, expected.scores)
    blind, _ = sgd(x, y, test, labels[::-1].copy(), 4, settings, seed=3)
    np.testing.assert_array_equal(blind.scores, last.scores)
    assert last.rate == expected.rate == 0.1
    assert seen == sorted(seen)
    assert seen[-1] == (4, 4)


def test_what_is_held_out_to_choose_a_rate_follows_from_the_seed(monkeypatch):
    x, y = _blobs(20, 2, 6, 0.4, seed=0)
    seeds = []

    def noted(labels, seed):
        seeds.append(seed)
        return held_out(labels, seed)

    monkeypatch.setattr("kineme.evaluation.linear.held_out", noted)
    sgd(x, y, x, y, 2, LinearConfig(epochs=1, milestones=(), rates=(0.1, 0.2)), seed=7)
    assert seeds == [7]
    fitted, held = held_out(y, 7)
    assert np.bincount(y[held]).tolist() == (np.bincount(y) - np.bincount(y[fitted])).tolist()
    assert not np.array_equal(held, held_out(y, 8)[1])


def test_of_equal_rates_the_smallest_is_taken():
    x, y = _blobs(120, 2, 6, 0.01, seed=0)
    settings = LinearConfig(batch_size=16, epochs=10, milestones=(), rates=(0.5, 0.1, 0.3))
    assert best_rate(x, y, 2, settings) == 0.1


def test_where_no_class_has_a_clip_to_spare_the_middle_rate_is_taken_and_said(caplog):
    """One clip a class, as with the fewest labels: a rate cannot be chosen, and the probe still ends."""
    x, y = _blobs(4, 4, 6, 0.4, seed=0)
    assert best_rate(x, y, 4, LinearConfig(rates=(0.3, 0.1, 0.2))) == 0.2
    assert "using the middle one, 0.2" in caplog.text


def test_a_rate_is_chosen_after_the_last_epoch_not_the_best(monkeypatch):
    found = {0.1: (50.0, 100.0), 0.2: (60.0, 60.0)}  # last and best

    def probed(*arguments, **_):
        return tuple(Epoch(5, top1, np.zeros((1, 2))) for top1 in found[arguments[5].lr])

    monkeypatch.setattr("kineme.evaluation.linear.sgd", probed)
    x, y = _blobs(20, 2, 6, 0.4, seed=0)
    assert best_rate(x, y, 2, LinearConfig(rates=(0.1, 0.2))) == 0.2
