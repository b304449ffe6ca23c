"""From recordings to encoders: all methods train on what `kineme prepare` makes."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from golden_fill import GOLDEN

from kineme.__main__ import main
from kineme.loading import load_run
from kineme.model import random_like

TINY = {
    "aimclr-small": ["method.queue=8", "encoder.channels=[8]", "data.frames=16"],
    "scdnet-small": ["encoder.hidden=32", "encoder.stem=[8]", "data.frames=16"],
    "mamp-small": ["encoder.hidden=16", "encoder.depth=1", "method.decoder_hidden=16", "data.frames=16"],
    "slim-small": [
        *("encoder.hidden=16", "encoder.heads=2", "encoder.depth=1", "data.frames=16"),
        *("method.prototypes=16", "method.head_hidden=16", "method.head_out=8"),
    ],
    "usdrl-small": ["encoder.hidden=32", "data.frames=16"],
    "usdrl-dste-small": ["encoder.hidden=32", "data.frames=16"],
}


def trains(recipe: str, store: Path, run: Path, *settings: str) -> None:
    """Two epochs; the loss is finite, and all weights move."""
    words = [
        "data.split=all",
        "train.batch_size=4",
        "train.epochs=2",
        "train.warmup=0",
        *TINY[recipe],
        *settings,
    ]
    options = [f"--{word}" for word in (f"data.store={store}", *words)]
    assert main(["pretrain", recipe, "--out", str(run), *options]) == 0
    with (run / "history.csv").open(newline="") as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert len(losses) == 2
    assert np.isfinite(losses).all()
    trained = load_run(run)
    assert trained.epochs == 2
    before = dict(random_like(trained, trained.config["train"]["seed"]).encoder.named_parameters())
    still = [
        name for name, weights in trained.encoder.named_parameters() if torch.equal(weights, before[name])
    ]
    assert still == []


@pytest.mark.parametrize("recipe", TINY)
@pytest.mark.parametrize("preprocessing", ["agcn", "crossclr"])
def test_raw_files_of_ntu(recipe: str, preprocessing: str, tmp_path: Path) -> None:
    raw, store = GOLDEN / "ntu_raw", tmp_path / "store"
    assert main(["prepare", "ntu60", str(raw), str(store), "--preprocessing", preprocessing]) == 0
    trains(recipe, store, tmp_path / "run")


@pytest.mark.data
@pytest.mark.parametrize("recipe", TINY)
@pytest.mark.parametrize("name", ["utd_mhad", "hdm05_11", "precog"])
def test_recordings_in_containers(recipe: str, name: str, tmp_path: Path) -> None:
    folder = os.environ.get("KINEME_DATA")
    if not folder:
        pytest.skip("KINEME_DATA is not set: it names the folder of the recorded data sets")
    store = tmp_path / "store"
    assert main(["prepare", "container", f"{folder}/{name}.npz", str(store)]) == 0
    trains(
        recipe,
        store,
        tmp_path / "run",
        "train.batch_size=64",
        "method.queue=64" if "aimclr" in recipe else "train.seed=1",
    )
