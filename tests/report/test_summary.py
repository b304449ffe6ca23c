"""What was trained, and whether runs can be compared."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kineme.report.runs import read_runs
from kineme.report.summary import FACTS, duration, summary

from .pages import Reader


@pytest.mark.parametrize(
    ("seconds", "text"), [(45.4, "45 s"), (119, "119 s"), (720, "12 min"), (12000, "3 h 20 min")]
)
def test_durations_are_in_the_units_that_people_use(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_facts_are_those_of_the_run(finished: Path) -> None:
    (run,) = read_runs([finished])
    facts = {label: read(run) for label, read in FACTS.items()}
    assert (facts["method"], facts["encoder"], facts["split"]) == ("aimclr", "stgcn", "odd-even")
    assert facts["layout"] == "stick, 3 joints, 2 bodies"
    assert facts["clips"] == "24 training clips, 24 test clips"
    assert facts["epochs"] == "3"
    assert facts["optimiser"] == "sgd, learning rate 0.05, step, batches of 8"
    run.history = run.history[:2]
    assert FACTS["epochs"](run) == "2 of 3"


def test_differences_between_runs_are_marked_and_decide_whether_they_compare(
    run: Path, finished: Path, tmp_path: Path
) -> None:
    second = Path(shutil.copytree(finished, tmp_path / "second"))
    text = summary(read_runs([run, second]))
    assert "The runs were trained on the same data, with the same preprocessing and split." in text
    assert "≠" not in text
    config = second / "config.yaml"
    config.write_text(config.read_text().replace("odd-even", "subjects:1"))
    text = summary(read_runs([run, second]))
    assert "<strong>Not directly comparable:</strong> the runs differ in split." in text
    assert Reader(text).rows("split")[0][0].split() == ["split", "≠"]


def test_what_could_not_be_read_is_named(run: Path) -> None:
    (run / "history.csv").write_text("epoch,loss\n1,<b>\n")
    text = summary(read_runs([run]))
    assert "Left out:" in text
    assert "history.csv: cannot be read as a training history" in text
    assert "&lt;b&gt;" in text
