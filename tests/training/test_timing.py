"""Minutes of training become epochs before it begins, so that a run stays a matter of its settings."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace

import pytest

from conftest import Settings
from kineme.config import TrainConfig
from kineme.errors import KinemeError
from kineme.training import timing
from kineme.training.directory import load_run_config
from kineme.training.run import train
from kineme.training.timing import STEPS, WARM_UP, Stopwatch, with_epochs


def timed(monkeypatch: pytest.MonkeyPatch, minutes: float, seconds: list[float]) -> tuple[Stopwatch, int]:
    """A stopwatch after an epoch of steps that end at these seconds, and how many of them it let run."""
    clock = iter([0.0, *seconds])
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(clock))
    trainer = SimpleNamespace(num_training_batches=10, should_stop=False)
    stopwatch, batches = Stopwatch(minutes), 0
    stopwatch.on_train_start(trainer, None)
    while not trainer.should_stop:
        stopwatch.on_train_batch_end(trainer, None, None, None, batches)
        batches += 1
    return stopwatch, batches


def test_the_first_steps_are_not_counted_and_thirty_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two slow steps, then 0.5 s each: 5 s for an epoch of ten, of which 24 fit into two minutes."""
    ends = [5.0, 9.0, *(9.0 + 0.5 * i for i in range(1, 100))]
    stopwatch, steps = timed(monkeypatch, 1000, ends)
    assert steps == WARM_UP + STEPS
    assert stopwatch.step_seconds == pytest.approx(0.5)
    stopwatch.minutes = 2
    assert stopwatch.epochs == 24


def test_timing_takes_a_tenth_of_the_time_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one minute, 6 s: the step that ends after them is the last."""
    stopwatch, steps = timed(monkeypatch, 1, [1.0, 2.0, 4.0, 6.0, 8.0, 10.0])
    assert (steps, stopwatch.step_seconds, stopwatch.epochs) == (5, 2.0, 3)


def test_a_stall_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of 1 s, of which one waits 20 s for another program; the mean would be 4.8 s."""
    stopwatch, steps = timed(monkeypatch, 4, [1.0, 2.0, 3.0, 4.0, 24.0, 25.0])
    assert (steps, stopwatch.step_seconds) == (6, 1.0)


def test_one_epoch_is_trained_however_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    stopwatch, _ = timed(monkeypatch, 1, [100.0, 200.0, 300.0])
    assert stopwatch.epochs == 1


def test_milestones_and_warm_up_keep_their_share() -> None:
    train = with_epochs(TrainConfig(epochs=300, milestones=(150, 250), warmup=30), 30)
    assert (train.epochs, train.milestones, train.warmup) == (30, (15, 25), 3.0)


def test_a_run_of_minutes_is_the_run_of_its_epochs(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trial of the first steps leaves no trace in the weights; config.yaml says how many epochs."""
    monkeypatch.setattr(Stopwatch, "epochs", 3)
    train(settings(train_minutes=0.01, train_milestones=[1]), tmp_path / "minutes")
    config = load_run_config(tmp_path / "minutes")
    assert (config.train.epochs, config.train.minutes) == (3, 0.01)
    assert list(config.train.milestones) == [2]  # round(1 · 3 / 2)
    train(settings(train_epochs=3, train_milestones=[2]), tmp_path / "epochs")
    minutes, epochs = (
        [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(path.open())]
        for path in (tmp_path / "minutes" / "history.csv", tmp_path / "epochs" / "history.csv")
    )
    assert minutes == epochs
    assert len(minutes) == 3


@pytest.mark.parametrize(("fitting", "epochs"), [(3, 3), (9, 5)])
def test_most_minutes_only_shorten_a_run(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, fitting: int, epochs: int
) -> None:
    monkeypatch.setattr(Stopwatch, "epochs", fitting)
    train(settings(train_epochs=5, train_max_minutes=0.01), tmp_path / "run")
    assert load_run_config(tmp_path / "run").train.epochs == epochs


def test_steps_are_timed_in_the_real_loop(tmp_path: Path, settings: Settings) -> None:
    """24 clips make 3 steps of 8; as many epochs are trained as config.yaml says did fit."""
    train(settings(train_minutes=0.005), tmp_path / "run")
    rows = list(csv.DictReader((tmp_path / "run" / "history.csv").open()))
    assert len(rows) == load_run_config(tmp_path / "run").train.epochs
    assert int(rows[-1]["step"]) == 3 * len(rows)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_minutes": 0}, "train.minutes is 0; it must be above 0"),
        ({"train_minutes": 5, "train_devices": 2}, "train.minutes works on one device only"),
        ({"train_max_minutes": 0}, "train.max_minutes is 0; it must be above 0"),
        (
            {"train_minutes": 5, "train_max_minutes": 5},
            "train.minutes and train.max_minutes exclude each other",
        ),
    ],
)
def test_minutes_that_mean_nothing_are_refused(
    settings: Settings, changes: dict[str, float], message: str
) -> None:
    with pytest.raises(KinemeError, match=message):
        settings(**changes)
