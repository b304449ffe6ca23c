"""Early prediction on the page: its curve, and the chief scores of its table."""

from __future__ import annotations

from pathlib import Path

from kineme.commands.evaluate import early
from kineme.evaluation.options import TaskOptions
from kineme.evaluation.results import RAW, Result, Score
from kineme.report.early import curves

from .pages import made


def test_a_curve_is_drawn_through_the_shares_and_not_the_mean() -> None:
    drawn = curves(
        [("mine", {"10 %": Score(20.0), "100 %": Score(80.0), "mean": Score(50.0)})], "whole clips"
    )
    assert "Top-1 by the share that is seen, probes fitted to whole clips" in drawn
    assert '"x":[10.0,100.0],"y":[20.0,80.0]' in drawn.unescape()


def test_the_page_has_the_curve_and_every_score(run: Path) -> None:
    """In the table those of 10, 50 and 100 % and their mean; the others below it."""
    early(run, lr=0.1, options=TaskOptions(device="cpu"))
    result = Result.from_json(run / "results" / "early.json")
    text, reader = made(run)
    assert "Early prediction: gestures" in text
    assert text.count("Top-1 by the share that is seen, probes fitted to clips cut alike over % of the") == 1
    chief, others = (
        table for table in reader.tables if "10 %" in "".join(table[0]) or "20 %" in "".join(table[0])
    )
    for table, names in ((chief, ("10 %", "50 %", "100 %", "mean")), (others, ("20 %", "30 %"))):
        row = next(row for row in table if row[0].strip() == RAW)
        for name in names:
            at = [cell.strip() for cell in table[0]].index(name)
            assert row[at].split()[0] == f"{result.baselines[RAW][name].value:.1f}"
