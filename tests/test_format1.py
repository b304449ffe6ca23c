"""What version 0.1 has written still opens: stores, runs, results."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from golden_fill import GOLDEN

import kineme
from kineme.__main__ import main
from kineme.clips.seen import SEEN_CLIPS, Seen
from kineme.evaluation.results import Result
from kineme.training.directory import load_run_config

OLD = GOLDEN / "format1"
RUNS = ["aimclr", "usdrl", "dste", "scdnet", "usdrl-whole"]


def test_a_store_opens() -> None:
    store = kineme.open_store(OLD / "store")
    assert (len(store), store.manifest.preprocessing) == (24, kineme.Plain())
    assert store.manifest.class_names == ("rise", "swing", "push")


@pytest.mark.parametrize("name", RUNS)
def test_a_run_opens_with_the_protocols_of_its_method(name: str) -> None:
    model = kineme.load(OLD / "runs" / name)
    assert model.preprocessing == kineme.Plain()
    linear, finetune = model.protocols.linear, model.protocols.finetune
    rates = {"aimclr": (3.0, 0.1), "usdrl": (0.006, 5e-4), "scdnet": (2.0, 0.01)}
    assert (linear.lr, finetune.lr) == rates[model.method]
    assert model.crop == (0.95 if model.method == "scdnet" else 1.0)
    assert finetune.min_crop == (1.0 if model.method == "aimclr" else 0.1)
    assert load_run_config(OLD / "runs" / name).to_dict() == model.config
    seen = Seen.load(OLD / "runs" / name / SEEN_CLIPS)
    assert seen.preprocessing == "plain"
    features = model.embed(OLD / "store")
    assert np.isfinite(features).all()


@pytest.mark.parametrize("protocol", ["linear", "knn"])
def test_a_result_opens_and_is_what_is_measured_today(
    protocol: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parents[1])  # the run names its store from there
    old = Result.from_json(OLD / "runs" / "usdrl-whole" / "results" / f"{protocol}.json")
    assert (old.preprocessing, old.store_preprocessing) == ("plain", "plain")
    run = tmp_path / "run"
    shutil.copytree(OLD / "runs" / "usdrl-whole", run)
    shutil.rmtree(run / "results")
    assert main(["evaluate", protocol, str(run)]) == 0
    now = Result.from_json(run / "results" / f"{protocol}.json")
    assert {name: score.value for name, score in now.scores.items()} == {
        name: score.value for name, score in old.scores.items()
    }
    assert (now.weights, now.fingerprint) == (old.weights, old.fingerprint)
    assert {name: now.settings[name] for name in old.settings} == old.settings  # others came later
