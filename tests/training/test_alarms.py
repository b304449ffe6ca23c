"""Training that goes wrong is said in one line, and training that goes well in none."""

from __future__ import annotations

import csv
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from conftest import STICK, Settings
from kineme.clips.batches import Clips
from kineme.clips.store import Clip, Manifest
from kineme.clips.writer import StoreWriter
from kineme.encoders.base import View
from kineme.methods import Method
from kineme.preprocessing import get_preprocessing
from kineme.settings import config_from_dict
from kineme.training.alarms import Collapse
from kineme.training.callbacks import ClipFeatures, History
from kineme.training.faults import risen
from kineme.training.run import train


class Agreement(Method):
    """Noisy copies of a clip have nearby features, and nothing keeps those of different clips apart."""

    def __init__(self, encoder: Any, noise: float = 0.3):
        super().__init__()
        self.encoder, self.noise = encoder, noise

    def views(self, clips: Clips, generator: torch.Generator) -> Sequence[View]:
        shape = self.encoder.shape
        clean = shape.take(clips.resize(shape.frames))
        noise = self.noise * torch.randn(clean.shape, generator=generator)
        return View(clean), View(clean + noise)

    def loss(self, views: Sequence[View], progress: float) -> dict[str, Tensor]:
        one, other = (self.encoder(view.clips).clip for view in views)
        return {"loss": (one - other).square().sum(1).mean() + self.extra(one, progress)}

    def extra(self, features: Tensor, progress: float) -> Tensor:
        return torch.zeros(())


class Ascent(Agreement):
    """A loss that grows with time."""

    def extra(self, features: Tensor, progress: float) -> Tensor:
        return torch.tensor(10.0 * max(0.0, progress - 0.4)) + features.new_zeros(())


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]


def run_of(path: Path, store: Path, method: type | str, **changes: Any) -> list[dict[str, str]]:
    """Trains a transformer by a method; the rows of its history."""
    config = Settings(store)(
        train_optimizer="adam", **{"train_lr": 0.01, "train_epochs": 40, "train_knn_every": 5, **changes}
    )
    config.encoder = {"name": "sttr", "hidden": 16, "heads": 1, "depth": 2}
    config.method = {"name": method if isinstance(method, str) else f"{method.__module__}.{method.__name__}"}
    train(config, path)
    return list(csv.DictReader((path / "history.csv").open()))


def test_an_encoder_that_collapses_is_named_once(
    moves: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = run_of(tmp_path / "run", moves, Agreement)
    (line,) = warned(caplog)
    assert ": the embedding has collapsed: sampled clips have nearly the same feature" in line
    assert line.endswith("; lower train.lr, or train by another method or recipe")
    assert float(rows[-1]["feature_std"]) < 1e-3


def test_a_loss_that_rises_is_named_once(
    moves: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run_of(tmp_path / "run", moves, Ascent, train_lr=0.001)
    lines = [line for line in warned(caplog) if "the loss rises" in line]
    assert len(lines) == 1
    assert lines[0].endswith("; lower train.lr")


@pytest.mark.parametrize("method", ["usdrl", "scdnet"])
def test_a_normal_run_alarms_nobody(
    moves: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, method: str
) -> None:
    rows = run_of(tmp_path / "run", moves, method, train_lr=0.002)
    assert warned(caplog) == []
    looked = [row for row in rows if row["feature_rank"]]
    assert [row["epoch"] for row in looked] == [str(epoch) for epoch in range(5, 41, 5)]
    assert all(1 < float(row["feature_rank"]) < 24 and 0 < float(row["feature_std"]) < 1 for row in looked)


def test_clips_that_are_all_the_same_are_no_fault_of_the_encoder(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with StoreWriter(tmp_path / "still", Manifest(STICK, get_preprocessing("plain"), "test"), 2) as writer:
        for i in range(16):
            writer.add(Clip(f"clip{i}", np.ones((9, 2, 3, 3), dtype=np.float32)))
    run_of(tmp_path / "run", tmp_path / "still", "usdrl", train_epochs=5, train_lr=0.001)
    (line,) = warned(caplog)
    assert line == (
        "epoch 5: all sampled clips are the same, so there is nothing to learn; check the recordings"
    )


def test_a_resumed_run_remembers_how_the_untrained_encoder_saw_the_clips(tmp_path: Path) -> None:
    alarm = Collapse(History(tmp_path), ClipFeatures(), every=1, seed=0)
    alarm.load_state_dict({"deviation": 0.3, "rank": 4.0})
    assert alarm.state_dict() == {"deviation": 0.3, "rank": 4.0}


def test_only_a_whole_window_above_the_one_before_has_risen() -> None:
    falling = [10.0 - i for i in range(10)]
    assert risen([*falling, *falling[::-1]], epochs=20) == (3.0, 8.0, 5)
    assert risen([*falling, 1, 1, 1, 1, 1, 1.5, 1.4, 1.6, 1.5, 1.5], epochs=20) is None  # within the noise
    assert risen([*falling, 1, 1, 1, 1, 1, 4, 4, 1, 4, 4], epochs=20) is None  # one epoch has not
    assert risen([1, 1, 1, 1, 1, 2, 3, 4, 5, 6], epochs=100) is None  # it has hardly begun


def test_clips_that_sit_out_are_told(moves: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run_of(tmp_path / "most", moves, "usdrl", train_epochs=1, train_batch_size=15)
    assert warned(caplog) == [
        "9 of 24 clips are left out of each epoch, as they do not fill a batch of 15; "
        "train.batch_size=12 leaves out fewer"
    ]
    caplog.clear()
    run_of(tmp_path / "few", moves, "usdrl", train_epochs=1, train_batch_size=23)
    assert warned(caplog) == []


def test_aimclr_alarms_nobody(settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its queue fills and its mining begins, which changes the loss."""
    train(settings(train_epochs=30), tmp_path / "run")
    assert warned(caplog) == []


@pytest.mark.parametrize(("batch_size", "told"), [(2, True), (3, False)])
def test_batches_too_small_to_learn_from_are_told(
    tmp_path: Path, settings: Settings, caplog: pytest.LogCaptureFixture, batch_size: int, told: bool
) -> None:
    plain = settings(train_epochs=1, train_batch_size=batch_size, train_knn_every=0).to_dict()
    own = {"method": {"name": "tandem"}, "encoder": {"name": "canonical", "hidden": 8, "depth": 1}}
    sections = {"data": plain["data"], "train": plain["train"], **own}
    train(config_from_dict(sections, "test"), tmp_path / "run")
    line = (
        "tandem compares too little in batches of 2 clips, and its loss may rise; give more clips, of each "
        "store if there are several, and set train.batch_size to 3 or more"
    )
    assert (line in caplog.messages) == told
    rows = list(csv.DictReader((tmp_path / "run" / "history.csv").open()))
    assert np.isfinite(float(rows[0]["loss"]))
