"""Published programs' checkpoints are found out and loaded; runs are, in tests/test_checkpoints.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from golden_fill import load_filled

import kineme
from kineme.errors import KinemeError


@pytest.mark.parametrize(
    ("name", "method", "preprocessing"),
    [
        ("aimclr", "aimclr", "crossclr"),
        ("usdrl_sttr", "usdrl", "agcn"),
        ("scdnet", "scdnet", "agcn"),
        ("mamp", "mamp", "ctrgcn"),
    ],
)
def test_an_authors_checkpoint_is_a_model(name: str, method: str, preprocessing: str, tmp_path: Path) -> None:
    path = tmp_path / "released.pt"
    torch.save({"state_dict": load_filled(f"{name}.keys.json")}, path)
    found = kineme.load(path, stream="motion")
    assert (found.method, found.preprocessing.id, found.stream) == (method, preprocessing, "motion")
    assert found.protocols.linear.lr == {"aimclr": 3.0, "usdrl": 0.006, "scdnet": 2.0, "mamp": 0.1}[method]
    features = found.embed([*np.random.default_rng(0).normal(size=(3, 40, 2, 25, 3))])
    assert features.shape == (3, found.encoder.dim)
    assert np.isfinite(features).all()
    found.save(tmp_path / "run")
    again = kineme.load(tmp_path / "run")
    assert (again.weights, again.config) == (found.weights, found.config)


@pytest.mark.parametrize(
    ("name", "split", "preprocessing", "rate"),
    [("usdrl_sttr", "xview", "agcn", 0.03), ("mamp", "xsub120", "ctrgcn(bodies=copied)", 0.1)],
)
def test_what_an_authors_checkpoint_does_not_say_is_as_published_for_the_split(
    name: str, split: str, preprocessing: str, rate: float, tmp_path: Path
) -> None:
    path = tmp_path / "released.pt"
    torch.save({"state_dict": load_filled(f"{name}.keys.json")}, path)
    found = kineme.load(path, split=split)
    assert (found.preprocessing.id, found.protocols.linear.lr) == (preprocessing, rate)


def test_a_checkpoint_of_nobody_is_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(3)}, tmp_path / "own.pt")
    with pytest.raises(KinemeError, match="weights fit none of aimclr, usdrl, scdnet, mamp, slim"):
        kineme.load(tmp_path / "own.pt")
