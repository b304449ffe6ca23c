"""`kineme.pretrain`: settings from wherever a Python program has them."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import TQDMProgressBar

import kineme
from conftest import Settings
from kineme.training.directory import load_run_config

SHORT = {
    "train.epochs": 1,
    "train.batch_size": 4,
    "data.frames": 8,
    "encoder.hidden": 8,
    "train.knn_every": 0,
}


def test_numbers_of_numpy_and_paths_are_settings(tmp_path: Path, moves: Path) -> None:
    """As they come from a sweep."""
    rates, epochs = np.geomspace(1e-3, 1e-2, 2, dtype=np.float32), np.arange(1, 3)
    swept = {"train.lr": rates[1], "train.epochs": epochs[0], "train.milestones": epochs, "data.store": moves}
    model = kineme.pretrain("usdrl-small", tmp_path / "run", overrides=SHORT | swept)
    train = model.config["train"]
    assert (train["lr"], train["epochs"], train["milestones"]) == (pytest.approx(0.01), 1, [1, 2])
    assert model.config["data"]["store"] == str(moves)


def test_stores_that_are_open_are_trained_on(tmp_path: Path, moves: Path, unlabelled_moves: Path) -> None:
    opened = kineme.open_store(moves)
    model = kineme.pretrain("usdrl-small", tmp_path / "one", store=opened, overrides=SHORT)
    assert model.config["data"]["store"] == str(moves)
    both = [opened, kineme.open_store(unlabelled_moves)]
    kineme.pretrain("usdrl-small", tmp_path / "both", store=both, overrides=SHORT)
    assert load_run_config(tmp_path / "both").data.stores == [str(moves), str(unlabelled_moves)]


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("train", "epochs", 0, r"the Config: train\.epochs is 0; it must be at least 1"),
        ("train", "optimizer", "adamm", r"the Config: train\.optimizer is adamm; .*did you mean adam\?"),
        ("method", "queu", 8, r"the Config: .*queu"),
        ("method", "name", kineme.AimCLR, r"a setting is <class '.*AimCLR'>; give its name"),
    ],
)
def test_settings_made_in_python_are_checked_before_training(
    tmp_path: Path, settings: Settings, section: str, key: str, value: object, message: str
) -> None:
    """Dataclasses take anything, and a run is too long to learn of a mistake at its end."""
    config = settings()
    part = getattr(config, section)
    if isinstance(part, dict):
        part[key] = value
    else:
        setattr(part, key, value)
    with pytest.raises(kineme.KinemeError, match=message):
        kineme.pretrain(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_settings_made_in_python_train_as_the_same_ones_of_a_recipe(
    tmp_path: Path, settings: Settings
) -> None:
    config = settings()
    config.train.epochs = np.int64(1)
    assert config.to_dict() == settings(train_epochs=1).to_dict()
    assert kineme.pretrain(config, tmp_path / "run").config == config.to_dict()


def test_a_run_is_resumed_with_its_own_settings(tmp_path: Path, moves: Path) -> None:
    kineme.pretrain("usdrl-small", tmp_path / "run", store=moves, overrides=SHORT)
    with pytest.raises(kineme.KinemeError, match="`overrides`: a run is resumed with its own settings"):
        kineme.pretrain(out=tmp_path / "run", resume=True, overrides=SHORT)


def test_a_progress_bar_is_a_callback(
    tmp_path: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    kineme.pretrain(settings(train_epochs=1), tmp_path / "run", callbacks=[TQDMProgressBar()])
    shown = "".join(capsys.readouterr())
    assert "Epoch 0: 100%" in shown
    assert "3/3" in shown


def test_a_program_keeps_its_random_numbers_its_warnings_and_its_loggers(
    tmp_path: Path, settings: Settings
) -> None:
    lightning = logging.getLogger("lightning.pytorch")
    torch.manual_seed(5)
    before = torch.get_rng_state(), list(warnings.filters), lightning.level
    kineme.pretrain(settings(train_epochs=1, encoder_channels=[8]), tmp_path / "run")
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (list(warnings.filters), lightning.level)
