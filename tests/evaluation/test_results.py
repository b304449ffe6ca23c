"""Result files and the table: what is written can be read, by people and by programs."""

import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from kineme.errors import KinemeError
from kineme.evaluation.results import (
    RANDOM,
    RAW,
    Predictions,
    Result,
    Score,
    per_class,
    save,
    source_commit,
    table,
)

LABELS, PREDICTED = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])


def result(**changes) -> Result:
    values = {
        "protocol": "linear",
        "method": "aimclr",
        "encoder": "STGCN",
        "stream": "joint",
        "weights": "ab" * 32,
        "pretrained_epochs": 300,
        "preprocessing": "plain",
        "crop": 1.0,
        "settings": {"lr": 3.0, "milestones": (80,), "init_std": None},
        "seed": 0,
        "version": "0.1.0",
        "commit": None,
        "store": "walks",
        "fingerprint": "cd" * 32,
        "store_preprocessing": "plain",
        "split": "odd-even",
        "train_clips": 6,
        "test_clips": 4,
        "scores": {
            "logistic": Score(80.0),
            "last": Score(75.0, epoch=100),
            "best": Score(77.5, (60.0, 85.25), epoch=55),
        },
        "baselines": {RAW: {"logistic": Score(50.0)}, RANDOM: {"logistic": Score(62.5), "last": Score(60.0)}},
        "detailed": "last",
        "class_names": ("wave [left\n", "sit", "never seen"),
        **per_class(LABELS, PREDICTED, 3),
        "time": "2026-01-01T00:00:00+00:00",
        "seconds": 1.5,
        **changes,
    }
    return Result(**values)


def test_a_score_is_of_the_highest_and_the_five_highest():
    scores = np.tile(np.arange(8.0)[::-1], (4, 1))  # every clip: 0 is the first guess, then 1, 2, ...
    score = Score.of(scores, np.array([0, 4, 5, 7]), epoch=3)
    assert (score.value, score.top5, score.epoch) == (25.0, 50.0, 3)


def test_with_five_classes_or_fewer_there_is_no_top_5():
    assert Score.of(np.eye(5), np.arange(5)) == Score(100.0, (100.0, 100.0), None)


def test_what_is_saved_can_be_read_again(tmp_path):
    path = save(result(), tmp_path)
    assert path == tmp_path / "results" / "linear.json"
    read = Result.from_json(path)
    assert read.scores == result().scores
    assert read.baselines == result().baselines
    assert read.class_names == ["wave [left\n", "sit", "never seen"]
    assert read.per_class_accuracy == [50.0, 100.0, None]
    assert read.confusion_matrix == [[1, 1, 0], [0, 2, 0], [0, 0, 0]]
    assert json.loads(path.read_text())["unit"] == "per cent"


def test_a_row_of_the_confusion_matrix_is_a_line(tmp_path):
    lines = save(result(), tmp_path).read_text().splitlines()
    assert "  [0, 2, 0]," in lines


def test_qualifiers_become_part_of_the_name(tmp_path):
    assert (
        save(result(), tmp_path, "other", "subjects:1,2", "seed3").name
        == "linear-other-subjects-1-2-seed3.json"
    )


def test_an_earlier_result_is_replaced_whole(tmp_path):
    save(result(), tmp_path)
    path = save(result(seed=4), tmp_path)
    assert Result.from_json(path).seed == 4
    assert [p.name for p in path.parent.iterdir()] == ["linear.json"]


def test_what_is_no_result_is_refused(tmp_path):
    (tmp_path / "x.json").write_text('{"unit": "per cent"}')
    with pytest.raises(KinemeError, match=r"x\.json: cannot be read as a result"):
        Result.from_json(tmp_path / "x.json")


def test_the_table_has_baselines_first_and_joins_protocols():
    knn = result(
        protocol="knn",
        scores={"knn": Score(81.25)},
        baselines={RAW: {"knn": Score(70.0)}, RANDOM: {"knn": Score(71.0)}},
    )
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(table(result(), knn))
    text = [line.split("│") for line in console.export_text().splitlines() if "│" in line]
    cells = [[cell.strip() for cell in line[1:-1]] for line in text]
    assert cells == [
        ["raw coordinates", "50.0", "", "", "70.0"],
        ["random encoder", "62.5", "60.0", "", "71.0"],
        ["pre-trained encoder", "80.0", "75.0", "77.5", "81.2"],
        ["", "", "", "60.0–85.2", ""],
    ]


def test_the_title_says_what_the_figures_are():
    ranking = result(protocol="knn", scores={"knn": Score(81.25), "mAP": Score(70.0)}, baselines={})
    assert table(ranking).title.endswith("odd-even: top-1, recall and mAP %")
    assert table(result()).title.endswith("odd-even: top-1 %")


def test_several_seeds_are_shown_with_their_deviation():
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(table(result(scores={"last": Score(71.04, deviation=1.26)}, baselines={})))
    assert "71.0 ± 1.3" in console.export_text()


def test_the_table_says_how_many_test_clips_were_seen():
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(table(result(seen_clips=3)))
    assert "3 of the test clips were seen in pre-training" in console.export_text()


def test_predictions_are_read_as_they_were_written(tmp_path):
    scores = {"last": np.array([[0.1, 0.9], [0.7, 0.3]])}
    Predictions(np.array(["a", "b"]), np.array([1, 0]), scores).save(tmp_path / "linear.npz")
    read = Predictions.load(tmp_path / "linear.npz")
    assert (read.names.tolist(), read.labels.tolist()) == (["a", "b"], [1, 0])
    np.testing.assert_array_equal(read.scores["last"], scores["last"])
    (tmp_path / "linear.npz").write_text("no arrays")
    with pytest.raises(KinemeError, match=r"linear\.npz: cannot be read as predictions"):
        Predictions.load(tmp_path / "linear.npz")


def test_without_baselines_there_is_one_row():
    assert table(replace(result(), baselines={})).row_count == 1


def test_the_commit_is_a_hash_where_there_is_a_checkout():
    commit = source_commit()
    assert commit is None or len(commit.removesuffix("-dirty")) == 40
