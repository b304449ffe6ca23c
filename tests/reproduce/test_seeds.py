"""One row for several seeds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kineme.reproduce.rows import TableRow
from kineme.reproduce.seeds import over_seeds


def row(obtained: float | None = None, **more: float) -> TableRow:
    state = "to do" if obtained is None else "done"
    return TableRow("mine", "moves", "odd-even", "joint", "knn", "knn", state, obtained=obtained, **more)


def test_figures_bounds_and_times_are_means_and_the_deviation_is_over_seeds() -> None:
    (found,) = over_seeds(
        [
            row(80.0, low=70.0, high=90.0, baseline=50.0, pretraining_seconds=10.0),
            row(86.0, low=80.0, high=92.0, baseline=54.0, pretraining_seconds=12.0),
        ]
    )
    assert (found.obtained, found.low, found.high, found.baseline) == (83.0, 75.0, 91.0, 52.0)
    assert (found.pretraining_seconds, found.seeds, found.difference) == (11.0, 2, None)
    assert found.deviation == pytest.approx(18**0.5)  # ±3 about the mean, of two


def test_what_is_not_done_does_not_count() -> None:
    (found,) = over_seeds([row(), row(80.0)])
    assert (found.obtained, found.deviation, found.seeds, found.note) == (80.0, None, 1, "1 of 2 seeds")
    (found,) = over_seeds([row(80.0), row(), row(84.0)])
    assert (found.obtained, found.seeds, found.note) == (82.0, 2, "2 of 3 seeds")
    assert over_seeds([row(), row()]) == [row()]


def test_other_settings_are_not_other_seeds() -> None:
    assert [each.seeds for each in over_seeds([row(80.0), replace(row(84.0), settings="wide")])] == [1, 1]


def test_every_score_says_of_how_many_seeds_it_is() -> None:
    # A seed that is not done has a row for the first score of the protocol only.
    last, best = (replace(row(80.0), protocol="linear", score=score) for score in ("last", "best"))
    failed = replace(row(), protocol="linear", score="last")
    assert [found.note for found in over_seeds([last, best, failed])] == ["1 of 2 seeds"] * 2


def test_the_deviation_over_draws_of_labels_stays_where_there_is_one_seed() -> None:
    assert over_seeds([row(80.0, deviation=1.5)]) == [row(80.0, deviation=1.5)]


def test_a_seed_that_failed_says_why() -> None:
    failed = replace(row(), state="failed", note="step 3: loss is not finite")
    (found,) = over_seeds([row(80.0), failed, row(84.0)])
    assert (found.obtained, found.note, found.failure) == (82.0, "2 of 3 seeds", "step 3: loss is not finite")
    assert over_seeds([failed, row(80.0)])[0].failure == "step 3: loss is not finite"
    assert over_seeds([row(), failed]) == [failed]
