"""Few labels on a frozen encoder: what the probes are fitted to, and what is averaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kineme.clips.subsets import label_subset
from kineme.errors import KinemeError
from kineme.evaluation.fewlabels import frozen
from kineme.evaluation.linear import best_rate, logistic
from kineme.evaluation.results import PRETRAINED, RANDOM, RAW
from kineme.metrics.accuracy import top_k

from .test_early import write_task


def test_probes_are_fitted_to_the_drawn_clips(tmp_path: Path) -> None:
    """24 training clips: a quarter are 3 of each of two classes."""
    task = write_task(tmp_path)
    result, _ = frozen(task, fractions=[0.25, 1.0], seeds=2, seed=5)
    assert list(result.scores) == ["25 %", "25 % logistic", "100 %", "100 % logistic"]
    assert list(result.baselines) == [RAW, RANDOM]
    assert PRETRAINED not in result.baselines
    assert result.settings["clips"] == {"25 %": 6, "100 %": 24}
    features = task.features(task.model, np.r_[task.train_rows, task.test_rows])
    train, test = features[:24], features[24:]
    by_hand = []
    for seed in (5, 6):
        places = np.isin(task.train_rows, label_subset(task.train_rows, task.train_labels, 0.25, seed))
        assert np.bincount(task.train_labels[places]).tolist() == [3, 3]
        scores = logistic(train[places], task.train_labels[places], test, 2)
        by_hand.append(top_k(scores, task.test_labels, 1))
    score = result.scores["25 % logistic"]
    assert score.values == pytest.approx(tuple(by_hand))
    assert (score.value, score.epoch) == (pytest.approx(np.mean(by_hand)), None)
    assert result.scores["25 %"].epoch == 60
    assert result.scores["100 % logistic"].values == (100.0, 100.0)


def test_a_given_rate_is_taken_instead_of_a_choice_of_rates(tmp_path: Path) -> None:
    task = write_task(tmp_path)
    task.model.protocols.linear.rates = (1e-9,)
    probe = frozen(task, fractions=[1.0], seeds=1, lr=0.3, baselines=False)[0].settings["probe"]
    assert (probe["lr"], probe["rates"]) == (0.3, ())


def test_a_score_tells_the_rate_that_was_chosen_for_each_draw(tmp_path: Path) -> None:
    task = write_task(tmp_path)
    task.model.protocols.linear.rates = (1e-9, 0.5)
    scores = frozen(task, fractions=[1.0], seeds=2, baselines=False)[0].scores
    features, settings = task.features(task.model, task.train_rows), task.model.protocols.linear
    chosen = [best_rate(features, task.train_labels, 2, settings, seed=seed) for seed in (0, 1)]
    assert (scores["100 %"].rates, scores["100 %"].rate) == (tuple(chosen), None)
    assert scores["100 % logistic"].rates is None


def test_nothing_to_average_or_to_tell_apart_is_refused(tmp_path: Path) -> None:
    task = write_task(tmp_path)
    with pytest.raises(KinemeError, match="nothing to average"):
        frozen(task, seeds=0)
    with pytest.raises(KinemeError, match="`fractions`"):
        frozen(task, fractions=[])
    task.model.protocols.finetune.draw = "all"
    with pytest.raises(KinemeError, match="1 % of the labels are of one class alone; raise `fractions`"):
        frozen(task, fractions=[0.01])
