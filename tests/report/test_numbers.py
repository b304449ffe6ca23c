"""The results on the page are those of the result files."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

from kineme.commands.evaluate import knn
from kineme.evaluation.options import TaskOptions
from kineme.evaluation.results import PRETRAINED, RAW, Result, Score
from kineme.report.numbers import Table, TableRow, _worded

from .pages import Reader, made


def test_the_scores_are_those_of_the_result_files(whole: tuple[str, Reader], finished: Path) -> None:
    _, reader = whole
    for number, protocol in enumerate(("linear", "knn")):
        result = Result.from_json(finished / "results" / f"{protocol}.json")
        for title, scores in {RAW: result.baselines[RAW], PRETRAINED: result.scores}.items():
            cells = reader.rows(title)[number][1:]
            assert len(cells) == len(scores)
            for cell, score in zip(cells, scores.values(), strict=True):
                assert cell.split()[0] == f"{score.value:.1f}"
                assert score.interval is not None
                assert "{:.1f}–{:.1f}".format(*score.interval) in cell


def test_the_header_tells_the_first_score_and_its_baselines(
    whole: tuple[str, Reader], finished: Path
) -> None:
    text, _ = whole
    result = Result.from_json(finished / "results" / "linear.json")
    header = text.partition("<header>")[2].partition("</header>")[0]
    assert f"<strong>{result.scores['logistic'].value:.1f}&nbsp;%</strong>" in header
    assert "of 24 test clips are recognised from the encoder's features by logistic regression" in header
    assert f" and {result.baselines[RAW]['logistic'].value:.1f}&nbsp;% from raw coordinates.</p>" in header


def test_settings_are_worded() -> None:
    settings = {"lr": 3.0, "init_std": None, "rates": [], "windows": {"kind": "tokens", "frames": 64}}
    assert _worded(settings) == "lr 3, windows (kind tokens, frames 64)"
    assert _worded({"body_height": 1.5664637088775635, "jitter": [0.01, 0.03]}) == (
        "body height 1.56646, jitter [0.01, 0.03]"
    )


def test_the_strips_of_a_table_share_an_axis_of_full_tens() -> None:
    rows = [TableRow("a", "", {"knn": Score(61.0, (58.5, 70.2)), "mAP": Score(5.0)})]
    assert Table("", {"knn": "kNN"}, rows).axis == (50, 80)
    assert Table("", {"knn": "kNN", "mAP": "mAP"}, rows).axis == (0, 80)
    assert Table("", {"knn": "kNN"}, [TableRow("a", "", {"knn": Score(100.0)})]).axis == (100, 110)


def test_a_result_of_earlier_weights_is_marked(run: Path) -> None:
    path = run / "results" / "knn.json"
    weights = json.loads(path.read_text())["weights"]
    path.write_text(path.read_text().replace(weights, "0" * 64))
    text = made(run)[0]
    assert "knn.json was measured on other weights than first has now" in text
    assert "linear.json was measured on other weights" not in text


def test_runs_measured_alike_share_a_table(run: Path, finished: Path, tmp_path: Path) -> None:
    second = Path(shutil.copytree(finished, tmp_path / "second"))
    _, reader = made(run, second)
    linear = [table for table in reader.tables if "Logistic" in "".join(table[0])]
    assert [row[0].split() for row in linear[0][1:]] == [
        ["raw", "coordinates"],
        ["random", "encoder"],
        ["pre-trained", "encoder", "first"],
        ["pre-trained", "encoder", "second"],
    ]


def test_runs_measured_on_other_stores_of_one_size_stand_apart(
    run: Path, finished: Path, tmp_path: Path
) -> None:
    second = Path(shutil.copytree(finished, tmp_path / "second"))
    path = second / "results" / "knn.json"
    path.write_text(replace(Result.from_json(path), fingerprint="0" * 64).to_json())
    _, reader = made(run, second)
    assert len([table for table in reader.tables if "kNN" in "".join(table[0])]) == 2


def test_runs_measured_on_other_clips_stand_apart(run: Path, finished: Path, tmp_path: Path) -> None:
    second = Path(shutil.copytree(finished, tmp_path / "second"))
    shutil.rmtree(second / "results")
    knn(second, options=TaskOptions(split="subjects:1", device="cpu"))
    _, reader = made(run, second)
    assert len([table for table in reader.tables if "kNN" in "".join(table[0])]) == 2
