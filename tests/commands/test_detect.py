"""`kineme evaluate detect`, as it is typed; its detectors are applied in `test_predict.py`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from evaluation.detection.recordings import write_recordings

from conftest import Settings
from kineme.__main__ import main
from kineme.evaluation.detection.predictions import Detections
from kineme.training.run import train

QUICK = ["--window", "8", "--no-baselines"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recordings(tmp_path_factory.mktemp("stores") / "stick")


@pytest.fixture(scope="module")
def run(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """AimCLR on windows of the recordings, one epoch."""
    path = tmp_path_factory.mktemp("runs") / "run"
    train(Settings(store)(data_split="odd-even", data_window=16, train_epochs=1), path)
    return path


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main([*words]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_a_detector_is_measured_and_kept(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "detect", str(run), *QUICK]) == 0
    assert "mAP_a@0.5" in capsys.readouterr().out
    result = json.loads((run / "results" / "detect.json").read_text())
    assert result["settings"]["windows"] == {"kind": "centred", "frames": 8, "step": 1}
    assert result["settings"]["context"] == {"neighbours": 4, "spacing": 2, "smoothing": 0.5}
    found = Detections.load(run / "results" / "detect.npz")
    assert found.names.tolist() == [f"recording{i}" for i in (1, 3, 5, 7)]
    assert found.probabilities.shape == (4 * 120, 3)
    assert (run / "results" / "detect.safetensors").is_file()


def test_fine_tuning_has_its_own_file(run: Path) -> None:
    assert main(["evaluate", "detect", str(run), *QUICK, "--finetune", "--epochs", "1", "--seed", "3"]) == 0
    names = {path.name for path in (run / "results").iterdir()}
    assert {f"detect-finetune-seed3.{kind}" for kind in ("json", "npz", "safetensors")} <= names
    probabilities = Detections.load(run / "results" / "detect-finetune-seed3.npz").probabilities
    assert np.isfinite(probabilities).all()


def test_a_linear_layer_has_its_own_file(run: Path) -> None:
    assert main(["evaluate", "detect", str(run), *QUICK, "--linear"]) == 0
    result = json.loads((run / "results" / "detect-linear.json").read_text())
    assert result["settings"]["classifier"]["hidden"] == 0
    assert main(["evaluate", "detect", str(run), *QUICK, "--segments", "A", "--linear"]) == 0
    assert (run / "results" / "detect-A.json").is_file()  # rule A has none other


def test_tokens_of_an_encoder_without_any_are_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = refused(capsys, "evaluate", "detect", str(run), *QUICK, "--kind", "tokens")
    assert "STGCN has no features of frames; set --kind to centred" in error


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--epochs", "3"], "set --finetune"),
        (["--window", "1"], "--window: is 1; it must be at least 2"),
        (["--window", "16", "--step", "17"], "--step: is 17; it must be at least 1 and at most 16"),
        (["--context", "-1"], "--context: is -1; it must be at least 0"),
        (["--finetune", "--epochs", "0"], "--epochs: is 0; it must be above 0"),
    ],
)
def test_settings_without_meaning_are_refused(
    run: Path, capsys: pytest.CaptureFixture[str], options: list[str], reason: str
) -> None:
    assert reason in refused(capsys, "evaluate", "detect", str(run), *options)


def test_trimmed_clips_have_nothing_to_be_detected(
    run: Path, moves: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    error = refused(capsys, "evaluate", "detect", str(run), "--store", str(moves))
    assert "error" in error
