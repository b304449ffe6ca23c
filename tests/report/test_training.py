"""Training curves of one run and of several."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from kineme.report.runs import Run
from kineme.report.training import MAX_POINTS, training


def run(name: str, method: str, **columns: list[float]) -> Run:
    config: Any = SimpleNamespace(method={"name": method})
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    history = [{"epoch": i + 1.0, "seconds": 60.0 * i, **row} for i, row in enumerate(rows)]
    return Run(Path(name), name, config, history=history)


def titles(html: str) -> list[str]:
    """Titles of the charts over epochs."""
    return re.findall("<figcaption>(.*)</figcaption>", html.partition('class="charts over-1"')[0])


def test_a_panel_for_each_quantity() -> None:
    one = run(
        "one", "usdrl", loss=[3.0, 2.0], similarity=[1.0, 0.5], lr=[0.1, 0.1], effective_rank=[8.0, 4.0]
    )
    one.history[1]["knn"] = 0.5
    html = training([one])
    knn = "kNN on training clips, neighbours of other subjects"
    assert titles(html) == ["Loss", knn, "Loss terms", "Effective rank of the embedding", "Learning rate"]
    assert "<b>50 %</b>" in html
    assert html.count("over epoch:") == html.count("over minutes:") == 5


def test_losses_of_different_methods_have_panels_of_their_own() -> None:
    html = training([run("one", "usdrl", loss=[3.0]), run("two", "aimclr", loss=[2.0])])
    assert titles(html)[:2] == ["Loss (usdrl)", "Loss (aimclr)"]


def test_long_lines_are_thinned_and_keep_their_end() -> None:
    html = training([run("one", "usdrl", loss=[float(i) for i in range(3 * MAX_POINTS, 0, -1)])])
    (path,) = re.findall(r'd="(M[^"]*)"', html.partition('class="charts over-1"')[0])
    assert MAX_POINTS <= path.count(" ") <= MAX_POINTS + 1
    assert "loss ends at 1" in html


def test_a_run_without_history_is_named() -> None:
    html = training([Run(Path("one"), "one", None)])  # type: ignore[arg-type]
    assert "one has no training history" in html
    assert "<fieldset" not in html
