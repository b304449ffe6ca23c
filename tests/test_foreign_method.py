"""A method in one file outside the package trains, is measured and reported by the ordinary commands."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import kineme
from kineme.__main__ import main
from kineme.evaluation.results import RANDOM

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """examples/new_method.yaml beside its method, in a folder that Python finds."""
    for name in ("new_method.py", "new_method.yaml"):
        shutil.copy(EXAMPLES / name, tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / "new_method.yaml"
    sys.modules.pop("new_method", None)


def test_a_method_in_a_file_of_ones_own(recipe: Path, tmp_path: Path) -> None:
    """One file of at most 60 lines, and no change in Kineme."""
    assert len((tmp_path / "new_method.py").read_text().splitlines()) <= 60
    store, run, page = tmp_path / "store", tmp_path / "run", tmp_path / "page.html"
    kineme.generate_store(store, subjects=4, repetitions=2, cameras=[2])

    assert main(["pretrain", str(recipe), "--out", str(run), "--data.store", str(store)]) == 0
    with (run / "history.csv").open() as lines:
        losses = [float(row["loss"]) for row in csv.DictReader(lines)]
    assert losses[-1] < 0.8 * losses[0]

    assert main(["evaluate", "knn", str(run)]) == 0
    result = json.loads((run / "results" / "knn.json").read_text())
    assert result["method"] == "new_method.VICReg"
    own, random = result["scores"]["knn"], result["baselines"][RANDOM]["knn"]
    assert own["value"] > random["value"]

    assert main(["report", str(run), "--out", str(page)]) == 0
    assert "new_method.VICReg" in page.read_text()

    model = kineme.load(run)
    assert model.embed(store).shape == (len(kineme.open_store(store)), 256)


def test_a_setting_of_the_method_is_a_key_of_its_recipe(recipe: Path, capsys: pytest.CaptureFixture) -> None:
    """The parser knows them by the constructor and describes them by its docstring."""
    assert main(["pretrain", str(recipe), "--method.widht", "64"]) == 2
    assert "--method.width" in capsys.readouterr().err
    with_help = [str(recipe), "--help"]
    assert main(["pretrain", *with_help]) == 0
    assert "weight of the distance between the views" in " ".join(capsys.readouterr().out.split())
