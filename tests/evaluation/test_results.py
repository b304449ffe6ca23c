"""Result files: what is written can be read, by people and by programs."""

import json
from pathlib import Path

import numpy as np
import pytest
from golden_fill import GOLDEN

from kineme.errors import KinemeError
from kineme.evaluation.results import (
    RANDOM,
    RAW,
    Predictions,
    Result,
    Score,
    details,
    result_path,
    save,
    source_commit,
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
        **details(LABELS, PREDICTED, 3),
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
    path = tmp_path / "results" / "linear.json"
    save(result(), path)
    read = Result.from_json(path)
    assert read.scores == result().scores
    assert read.baselines == result().baselines
    assert read.class_names == ["wave [left\n", "sit", "never seen"]
    assert read.per_class_accuracy == [50.0, 100.0, None]
    assert read.confusion_matrix == [[1, 1, 0], [0, 2, 0], [0, 0, 0]]
    assert read.metrics == result().metrics
    assert json.loads(path.read_text())["unit"] == "per cent"


def test_the_metrics_of_the_detailed_probe_are_kept():
    """Three of four clips are right; class 1 has an F1 of 2·2 / (3 + 2), class 0 of 2·1 / (1 + 2)."""
    metrics = result().metrics
    assert metrics["top-1"] == 75.0
    assert metrics["balanced accuracy"] == 75.0
    assert metrics["macro-F1"] == pytest.approx(100 * (2 / 3 + 4 / 5) / 2)
    assert metrics["per-class recall"] == [50.0, 100.0, None]
    assert "top-5" not in metrics  # there are no scores


def test_a_row_of_the_confusion_matrix_is_a_line(tmp_path):
    save(result(), tmp_path / "linear.json")
    assert "  [0, 2, 0]," in (tmp_path / "linear.json").read_text().splitlines()


def test_qualifiers_and_a_seed_become_part_of_the_name():
    run = Path("runs/mine")
    assert result_path(run, "knn") == run / "results" / "knn.json"
    path = result_path(run, "linear", "other", "subjects:1,2", seed=3)
    assert path == run / "results" / "linear-other-subjects-1-2-seed3.json"


def test_the_result_of_another_store_of_the_same_name_stays(tmp_path):
    path = result_path(tmp_path, "knn", "other", clips="a" * 64)
    assert path == tmp_path / "results" / "knn-other.json"
    save(result(fingerprint="a" * 64), path)
    assert result_path(tmp_path, "knn", "other", clips="a" * 64) == path
    assert result_path(tmp_path, "knn", "other", clips="b" * 64).name == "knn-other-bbbbbbbb.json"


def test_an_earlier_result_is_replaced_whole(tmp_path):
    path = tmp_path / "linear.json"
    for seed in (0, 4):
        save(result(seed=seed), path)
    assert Result.from_json(path).seed == 4
    assert [p.name for p in path.parent.iterdir()] == ["linear.json"]


def test_what_lies_beside_a_result_is_there_before_it(tmp_path):
    class Broken:
        def save(self, path: Path) -> None:
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        save(result(), tmp_path / "linear.json", beside={".npz": Broken()})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "value"), [("linear", 100.0), ("knn", 100 * 11 / 12)])
def test_results_of_version_0_1_are_read(name, value):
    read = Result.from_json(GOLDEN / "format1" / "runs" / "usdrl-whole" / "results" / f"{name}.json")
    assert (read.version, read.preprocessing, read.store_preprocessing) == ("0.1.0", "plain", "plain")
    assert read.scores[read.detailed].value == pytest.approx(value)
    assert read.metrics == {}


def test_what_is_no_result_is_refused(tmp_path):
    (tmp_path / "x.json").write_text('{"unit": "per cent"}')
    with pytest.raises(KinemeError, match=r"x\.json: cannot be read as a result"):
        Result.from_json(tmp_path / "x.json")


def test_predictions_are_read_as_they_were_written(tmp_path):
    scores = {"last": np.array([[0.1, 0.9], [0.7, 0.3]])}
    Predictions(np.array(["a", "b"]), np.array([1, 0]), scores).save(tmp_path / "linear.npz")
    read = Predictions.load(tmp_path / "linear.npz")
    assert (read.names.tolist(), read.labels.tolist()) == (["a", "b"], [1, 0])
    np.testing.assert_array_equal(read.scores["last"], scores["last"])
    (tmp_path / "linear.npz").write_text("no arrays")
    with pytest.raises(KinemeError, match=r"linear\.npz: cannot be read as predictions"):
        Predictions.load(tmp_path / "linear.npz")


def test_the_commit_is_a_hash_where_there_is_a_checkout():
    commit = source_commit()
    assert commit is None or len(commit.removesuffix("-dirty")) == 40
