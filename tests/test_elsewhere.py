"""What takes a `device` gives the same there as on the CPU, and mixes no tensors of the two.

So a GPU's errors are found without one; `elsewhere.py` says how. Of training steps, `methods/test_devices.py`
says that.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from torch.utils import backend_registration

from kineme.settings import config_from_dict
from kineme.training.run import train

PROGRAM = Path(__file__).with_name("elsewhere.py")
USES = (
    "embed",
    "embed an array",
    "embed_table",
    "nearest",
    "nearest_label",
    "rank",
    "logistic",
    "sgd",
    "knn",
    "robust",
    "features of frames",
    "classes of frames",
    "teach",
    "predict",
    "watch",
    "suggest",
    "search",
    "cluster",
)
WRONG = {
    "mixed": "RuntimeError: add of tensors on two devices",
    "read": "RuntimeError: .numpy() is not supported for tensor subclasses.",
    "drawn": "RuntimeError: rand from a generator on cpu",
}

pytestmark = pytest.mark.skipif(
    not hasattr(backend_registration, "_setup_privateuseone_for_python_backend"),
    reason="this version of PyTorch has no devices that are made in Python",
)


@pytest.fixture(scope="module")
def outcomes(moves: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What went wrong, of each use."""
    run = tmp_path_factory.mktemp("elsewhere") / "run"
    config = {
        "data": {"store": str(moves), "frames": 8, "split": "odd-even"},
        "train": {"epochs": 1, "batch_size": 6, "lr": 0.01, "device": "cpu", "knn_every": 0},
        "method": {"name": "usdrl"},
        "encoder": {"name": "sttr", "hidden": 16},
    }
    train(config_from_dict(config, "test"), run)
    done = subprocess.run([sys.executable, PROGRAM, run, moves], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    assert set(found) == {*USES, *WRONG}
    return found


@pytest.mark.parametrize("use", USES)
def test_a_device_changes_nothing(use: str, outcomes: dict[str, str]) -> None:
    assert outcomes[use] == ""


@pytest.mark.parametrize("use", WRONG)
def test_what_cuda_refuses_is_refused(use: str, outcomes: dict[str, str]) -> None:
    assert outcomes[use] == WRONG[use]
