"""Runs as they are on disk."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from kineme.errors import KinemeError
from kineme.report.runs import read_runs, store_measured, stores_of


def test_a_run_is_read_whole(finished: Path) -> None:
    (run,) = read_runs([finished])
    assert run.name == "first"
    assert [row["epoch"] for row in run.history] == [1, 2, 3]
    assert [each.file for each in run.measured] == ["linear.json", "knn.json"]
    assert all(each.predictions is not None for each in run.measured)
    assert run.complaints == []


def test_runs_of_the_same_name_are_told_apart_by_their_paths(run: Path, finished: Path) -> None:
    assert [each.name for each in read_runs([run, finished / "model.safetensors"])] == [
        str(run),
        str(finished),
    ]


def test_a_run_is_named_once(run: Path) -> None:
    with pytest.raises(KinemeError, match="first: is given twice"):
        read_runs([run, run / "model.safetensors"])


def test_what_is_not_a_run_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KinemeError, match=r"is not a run directory \(it has no config.yaml\)"):
        read_runs([tmp_path])


def test_what_cannot_be_read_is_named_and_left_out(run: Path) -> None:
    results = run / "results"
    data = json.loads((results / "knn.json").read_text())
    (results / "linear.json").write_text('{"unit": "per cent"}')
    (results / "knn.npz").write_bytes(b"no archive")
    (results / "semi.json").write_text(json.dumps({**data, "class_names": ["rise"]}))
    (run / "model.safetensors").write_bytes(b"")
    (found,) = read_runs([run])
    assert [each.file for each in found.measured] == ["knn.json"]
    assert found.measured[0].predictions is None
    assert found.pretrained is None
    weights, linear, knn, semi = found.complaints
    assert "model.safetensors" in weights
    assert "linear.json: cannot be read as a result" in linear
    assert "knn.npz: cannot be read as predictions" in knn
    assert "semi.json: is incomplete (no scores, or no matrix of 1 classes)" in semi


def test_stores_are_those_given_then_the_run_s_own(run: Path, gestures: Path, tmp_path: Path) -> None:
    (found,) = read_runs([run])
    copy = Path(shutil.copytree(gestures, tmp_path / "copy"))
    assert [store.path for store in stores_of(found, [copy])] == [copy, gestures]
    found.config.data.store = None
    with pytest.raises(KinemeError, match="the clip store of first, is not known; name the store"):
        stores_of(found, [])


def test_a_result_s_store_is_found_by_its_fingerprint(run: Path, gestures: Path, tmp_path: Path) -> None:
    (found,) = read_runs([run])
    result = found.measured[0].result
    other = Path(shutil.copytree(gestures, tmp_path / "other"))
    manifest = json.loads((other / "manifest.json").read_text())
    (other / "manifest.json").write_text(json.dumps({**manifest, "fingerprint": "ab" * 32}))
    assert store_measured(found, result, [other]).path == gestures
    found.config.data.store = None
    with pytest.raises(KinemeError, match="no known store holds the clips of gestures as they were measured"):
        store_measured(found, result, [other])
