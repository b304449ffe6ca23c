"""`kineme fuse` from run directories to one score."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from conftest import STICK
from kineme.__main__ import main
from kineme.checkpoints import save_encoder
from kineme.encoders import STTR, ClipShape
from kineme.evaluation.results import Predictions, Result
from kineme.metrics.accuracy import top_k
from kineme.packaged import find_recipe
from kineme.preprocessing import get_preprocessing
from kineme.settings import load_config


def write_run(path: Path, store: Path, stream: str, seed: int) -> Path:
    path.mkdir()
    config = {
        "data": {"store": str(store), "split": "odd-even", "stream": stream, "frames": 8},
        "train": {"seed": 0},
        "method": {"name": "usdrl"},
        "encoder": {"name": "sttr", "hidden": 8, "depth": 1},
        "evaluate": asdict(load_config(find_recipe("usdrl-small")).evaluate),
    }
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        encoder = STTR(ClipShape(STICK, 8, 2), hidden=8, depth=1)
    save_encoder(path / "model.safetensors", encoder, get_preprocessing("plain"), config)
    return path


@pytest.fixture
def runs(tmp_path, moves) -> list[Path]:
    streams = ("joint", "bone", "motion")
    return [write_run(tmp_path / each, moves, each, seed) for seed, each in enumerate(streams)]


def evaluated(runs: list[Path], *options: str) -> list[str]:
    for run in runs:
        assert main(["evaluate", "linear", str(run), "--no-baselines", *options]) == 0
    return [str(run) for run in runs]


def test_three_runs_become_one_score(runs, capsys):
    words = evaluated(runs)
    capsys.readouterr()
    assert main(["fuse", *words]) == 0
    shown = capsys.readouterr().out
    result = Result.from_json(runs[0] / "results" / "fused.json")
    fused = Predictions.load(runs[0] / "results" / "fused.npz")
    alone = [Predictions.load(run / "results" / "linear.npz") for run in runs]
    for probe in ("logistic", "last"):
        added = sum(each.scores[probe].astype(np.float64) for each in alone)
        np.testing.assert_allclose(fused.scores[probe], added)
        assert result.scores[probe].value == top_k(fused.scores[probe], alone[0].labels)
        assert f"{result.scores[probe].value:.1f}" in shown
    for run in runs:
        own = Result.from_json(run / "results" / "linear.json")
        assert result.baselines[own.stream] == {name: own.scores[name] for name in ("logistic", "last")}
    assert result.settings["held_out"] is None


def test_weights_are_given_in_the_order_of_the_runs(runs, tmp_path):
    words = evaluated(runs[:2])
    assert main(["fuse", *words, "--weights", "0", "1", "--out", str(tmp_path / "fused")]) == 0
    result = Result.from_json(tmp_path / "fused" / "results" / "fused.json")
    assert result.settings["weights"]["last"] == {"joint": 0.0, "bone": 1.0}
    alone = Result.from_json(runs[1] / "results" / "linear.json")
    assert result.scores["last"].value == alone.scores["last"].value
    assert not (runs[0] / "results" / "fused.json").exists()


def test_a_search_holds_training_clips_out_and_leaves_the_test_clips_alone(runs, capsys):
    words = evaluated(runs)
    assert main(["fuse", *words, "--search"]) == 0
    found = Result.from_json(runs[0] / "results" / "fused-searched.json")
    assert found.settings["held_out"]["clips"] == 3  # of the four clips a class has to train on, one
    for probe in ("logistic", "last"):
        weights = found.settings["weights"][probe]
        assert sum(weights.values()) == pytest.approx(1)
        share = found.settings["held_out"]["top1"][probe] * 3 / 100
        assert share == pytest.approx(round(share))
        assert share >= found.settings["held_out"]["top1_of_usual_weights"][probe] * 3 / 100
    assert "weights chosen on 3 held-out training clips" in capsys.readouterr().out
    # Other test scores, the same weights.
    for run in runs:
        path = run / "results" / "linear.npz"
        kept = Predictions.load(path)
        Predictions(kept.names, kept.labels, {k: -v for k, v in kept.scores.items()}).save(path)
    assert main(["fuse", *words, "--search"]) == 0
    again = Result.from_json(runs[0] / "results" / "fused-searched.json")
    assert again.settings == found.settings
    assert again.scores != found.scores


def test_another_evaluation_is_found_by_its_options(runs):
    options = ("--split", "subjects:1,2", "--seed", "3")
    words = evaluated(runs[:2], *options)
    assert main(["fuse", *words, *options]) == 0
    assert Result.from_json(runs[0] / "results" / "fused-subjects-1-2-seed3.json").split == "subjects:1,2"


def test_runs_that_were_not_evaluated_are_named_with_the_command(runs, capsys):
    words = evaluated(runs[:1])
    assert main(["fuse", *words, str(runs[1])]) == 2
    assert f"no predictions of this run; evaluate it with: kineme evaluate linear {runs[1]}\n" in (
        capsys.readouterr().err
    )


def test_predictions_of_other_weights_are_refused(runs, moves, capsys):
    words = evaluated(runs[:2])
    (runs[1] / "model.safetensors").write_bytes(
        (write_run(runs[1].with_name("newer"), moves, "bone", 9) / "model.safetensors").read_bytes()
    )
    assert main(["fuse", *words]) == 2
    assert "bone/results/linear.json: the weights of the run have changed since" in capsys.readouterr().err


def test_weights_are_given_or_searched(runs, capsys):
    assert main(["fuse", *map(str, runs[:2]), "--weights", "1", "1", "--search"]) == 2
    assert "--search finds the weights; leave out --weights" in capsys.readouterr().err
