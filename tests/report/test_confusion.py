"""Confusion matrices: every cell says what it counts."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from pathlib import Path

import numpy as np

from kineme.evaluation.results import Result
from kineme.report.confusion import _matrix, _result, confusion
from kineme.report.runs import Measured, read_runs

from .pages import Reader


def test_cells_are_those_of_the_matrix(finished: Path) -> None:
    text = confusion(read_runs([finished])[0])
    result = Result.from_json(finished / "results" / "linear.json")
    matrix, names = np.array(result.confusion_matrix), result.class_names
    for row, column in zip(*np.nonzero(matrix), strict=True):
        clips, total = matrix[row, column], matrix[row].sum()
        share = f"({100 * clips / total:.0f} %)"
        said = (
            f"{names[row]}: {clips} of {total} recognised {share}"
            if row == column
            else f"{names[row]} → {names[column]}: {clips} of {total} {share}"
        )
        assert f"<title>{escape(said).replace('&quot;', '&#34;')}</title>" in text


def test_pairs_begin_with_the_most_confused_and_classes_with_the_worst(finished: Path) -> None:
    (run,) = read_runs([finished])
    result = replace(
        run.measured[0].result,
        class_names=("a", "b", "c", "d"),
        confusion_matrix=[[5, 3, 0, 0], [0, 8, 0, 0], [4, 0, 0, 0], [0, 0, 0, 0]],
        per_class_accuracy=[62.5, 100.0, 0.0, None],
    )
    told = _result("linear.json", result)
    assert told["pairs"] == [("c", "a", "4 of 4"), ("a", "b", "3 of 8")]
    assert told["classes"] == [("c", 0.0, "0 of 4"), ("a", 62.5, "5 of 8"), ("b", 100.0, "8 of 8")]
    matrix = _matrix(np.array(result.confusion_matrix), result.class_names)
    side, margin = matrix["cell"], matrix["margin"]
    places = [((each["x"] - margin) / side, (each["y"] - margin) / side) for each in matrix["cells"]]
    assert places == [(0, 0), (1, 0), (1, 1), (0, 2)]  # predicted to the right, true downwards
    assert [each["wrong"] for each in matrix["cells"]] == [False, True, False, True]
    run.measured = [Measured("linear.json", result)]
    assert Reader(confusion(run)).rows("c")[0] == ["c ", "a ", "4 of 4 "]


def test_without_confusions_the_page_says_so(finished: Path) -> None:
    (run,) = read_runs([finished])
    perfect = replace(run.measured[0].result, confusion_matrix=np.diag([8, 8, 8]).tolist())
    run.measured = [Measured("linear.json", perfect)]
    assert "No class was confused with another." in confusion(run)
