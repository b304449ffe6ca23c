"""What somebody else's module brings works by the ordinary commands, named by its dotted path."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import kineme
from kineme.__main__ import main
from kineme.evaluation.results import Result

THEIRS = '''
from dataclasses import dataclass

import numpy as np

from kineme import Clip, METRICS, Preprocessing, Source, get_layout


@dataclass(frozen=True)
class Doubled(Preprocessing):
    """Twice as large, about the first joint."""

    times: int = 2

    def apply(self, xyz, layout):
        return self.times * (xyz - xyz[:, :, :1])


def open_walks(raw, *, pace=1.0):
    """Text files of a name and a class each: people who walk along x."""
    lines = [line.split() for line in raw.read_text().splitlines()]
    return Source(
        name="walks", layout=get_layout("ntu25"), class_names=("slow", "fast"), fps=30.0, bodies=1,
        names=[name for name, _ in lines], items=lines, read=lambda item: read(*item, pace),
    )


def read(name, label, pace):
    rng = np.random.default_rng(len(name))
    pose = rng.normal(size=(1, 1, 25, 3))
    step = (1 + 3 * int(label)) * pace * np.linspace(0, 1, 20)[:, None, None, None]
    swing = step * np.sin(np.arange(25))[None, None, :, None]
    return Clip(name, (pose + swing).astype(np.float32), label=int(label), subject=name[1:])


@METRICS.register("errors made")
def errors_made(labels, predicted):
    return float(np.sum(labels != predicted))
'''


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of the module."""
    (tmp_path / "their_walks.py").write_text(THEIRS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(kineme.METRICS, "_registered", {})
    return "their_walks"


def test_a_raw_format_a_preprocessing_and_a_metric(theirs: str, tmp_path: Path) -> None:
    raw, store, run = tmp_path / "walks.txt", tmp_path / "store", tmp_path / "run"
    raw.write_text("".join(f"w{i} {i % 2}\n" for i in range(1, 17)))
    preprocessing = f"{theirs}.Doubled(times=3)"
    assert main(["prepare", f"{theirs}.open_walks", str(raw), str(store),
                 "--preprocessing", preprocessing]) == 0  # fmt: skip
    opened = kineme.open_store(store)
    assert (opened.manifest.preprocessing.id, opened.manifest.source) == (preprocessing, "walks")
    pose = np.random.default_rng(len("w1")).normal(size=(1, 1, 25, 3))
    np.testing.assert_allclose(opened.clip(0)[0, 0], 3 * (pose - pose[:, :, :1])[0, 0], atol=1e-5)

    short = ["--train.epochs=1", "--train.batch_size=4", "--encoder.hidden=8", "--data.split=all"]
    assert main(["pretrain", "usdrl-small", "--store", str(store), "--out", str(run), *short]) == 0
    split = "subjects:" + ",".join(str(i) for i in range(1, 9))
    assert main(["evaluate", "knn", str(run), "--split", split]) == 0
    path = next((run / "results").glob("knn*.json"))
    result = Result.from_json(path)
    assert result.preprocessing == preprocessing
    wrong = json.loads(path.read_text())["metrics"]["errors made"]
    assert wrong == pytest.approx(8 * (1 - result.scores["knn"].value / 100))

    clip = pose[0, 0] + np.zeros((20, 1, 1))
    assert kineme.load(run).embed(clip).shape == (16,)


def test_options_of_a_raw_format_reach_it(theirs: str, tmp_path: Path) -> None:
    raw = tmp_path / "walks.txt"
    raw.write_text("w1 0\n")
    prepared = kineme.prepare(
        f"{theirs}.open_walks", raw, tmp_path / "store", preprocessing="plain", pace=0.0
    )
    still = prepared.store.clip(0)
    np.testing.assert_allclose(still, np.broadcast_to(still[:1], still.shape), atol=1e-6)
    with pytest.raises(kineme.KinemeError, match=r"source .* has no option `speed`; it takes `pace`"):
        kineme.prepare(f"{theirs}.open_walks", raw, tmp_path / "other", speed=2)
