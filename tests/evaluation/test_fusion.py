"""Streams fused by hand: three clips, three classes, scores that can be added in one's head."""

from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from kineme.config import EvaluateConfig, FusionConfig, LinearConfig
from kineme.errors import KinemeError
from kineme.evaluation.fusion import (
    Stream,
    _held_out_scores,
    add,
    best_weights,
    check_alike,
    fuse,
    given_weights,
)
from kineme.evaluation.results import Predictions, Result, Score, details
from kineme.metrics.accuracy import top_k
from kineme.packaged import recipes
from kineme.settings import load_config

NAMES, LABELS = ["a", "b", "c"], [0, 1, 2]
JOINT = np.array([[2.0, 1, 0], [0, 1, 2], [0, 0, 3]])  # a and c are right
BONE = np.array([[0.0, 1, 0], [0, 4, 0], [1, 0, 0]])  # b is right
MOTION = np.array([[1.0, 0, 0], [0, 0, 1], [0, 5, 0]])  # a is right


EQUAL, AIMCLR = FusionConfig(), FusionConfig(joint=0.6, bone=0.6, motion=0.4)


def stream(
    name: str,
    scores: np.ndarray,
    *,
    method: str = "usdrl",
    names: list[str] = NAMES,
    weights: FusionConfig = EQUAL,
) -> Stream:
    """A run on this stream and its scores of the clips, which may lie in any order."""
    order = [NAMES.index(each) for each in names]
    labels = np.array(LABELS)[order]
    result = Result(
        protocol="linear", method=method, encoder="STTR", stream=name, weights=name * 8,
        pretrained_epochs=3, preprocessing="plain", crop=1.0, settings={}, seed=0, version="0", commit=None,
        store="moves", fingerprint="f" * 64, store_preprocessing="plain", split="odd-even", train_clips=3,
        test_clips=3, scores={"logistic": Score(50.0), "last": Score(60.0, epoch=4)}, baselines={},
        detailed="last", class_names=("x", "y", "z"), **details(labels, labels, 3), time="", seconds=0.0,
    )  # fmt: skip
    task = SimpleNamespace(
        run=Path(f"runs/{name}"),
        model=SimpleNamespace(method=method, stream=name, protocols=EvaluateConfig(fusion=weights)),
        store=SimpleNamespace(path=Path("stores/moves")),
    )
    predictions = Predictions(np.array(names), labels, {"logistic": scores[order] / 2, "last": scores[order]})
    return Stream(task, result, predictions)  # type: ignore[arg-type]  # all of a task that fusing reads


def test_scores_are_added_with_weights():
    added = add(np.stack([JOINT, BONE]), (0.5, 2.0))
    np.testing.assert_array_equal(added, [[1, 2.5, 0], [0, 8.5, 1], [2, 0, 1.5]])


def test_a_class_that_nobody_trains_stays_impossible_whatever_the_weights():
    scores = np.array([[[-np.inf, -1.0]], [[-np.inf, -3.0]]])
    for weights in ((1.0, 1.0), (1.0, 0.0)):
        assert add(scores, weights).argmax() == 1
        assert np.isfinite(add(scores, weights)).all()


def test_clips_are_joined_by_name_not_by_order():
    in_order, _ = fuse([stream("joint", JOINT), stream("bone", BONE)])
    shuffled, predictions = fuse([stream("joint", JOINT), stream("bone", BONE, names=["c", "a", "b"])])
    np.testing.assert_array_equal(predictions.scores["last"], JOINT + BONE)
    assert predictions.names.tolist() == NAMES
    assert shuffled.scores == in_order.scores
    _, of_the_first = fuse([stream("joint", JOINT, names=["c", "b", "a"]), stream("bone", BONE)])
    assert of_the_first.names.tolist() == ["c", "b", "a"]
    np.testing.assert_array_equal(of_the_first.scores["last"], (JOINT + BONE)[::-1])
    assert in_order.scores["last"].value == 100.0  # a by the joints (2, 2), b by the bones, c by the joints


def test_the_result_tells_the_streams_alone_the_weights_and_the_runs():
    result, predictions = fuse([stream("joint", JOINT), stream("bone", BONE)], weights=(1.0, 3.0))
    assert (result.protocol, result.stream, result.fingerprint) == ("fused", "joint+bone", "f" * 64)
    assert result.baselines["bone"]["last"] == Score(60.0, epoch=4)
    assert result.settings["weights"]["last"] == {"joint": 1.0, "bone": 3.0}
    assert result.settings["runs"] == {"joint": "runs/joint", "bone": "runs/bone"}
    np.testing.assert_array_equal(predictions.scores["logistic"], (JOINT + 3 * BONE) / 2)
    assert result.scores["last"].value == pytest.approx(
        100 * 1 / 3
    )  # a: (2, 4, 0), b: (0, 13, 2), c: 3 and 3
    assert result.confusion_matrix == [[0, 1, 0], [0, 1, 0], [1, 0, 0]]


@pytest.mark.parametrize(
    ("joint", "bone", "both"), [(0, 0, 0), (0, 2, 2), (1, 0, 1), (0, None, None), (None, 2, 2)]
)
def test_test_clips_that_any_stream_has_seen_are_told(joint: int | None, bone: int | None, both: int | None):
    streams = [stream("joint", JOINT), stream("bone", BONE)]
    told = [
        replace(each, result=replace(each.result, seen_clips=seen))
        for each, seen in zip(streams, (joint, bone), strict=True)
    ]
    assert fuse(told)[0].seen_clips == both


def test_weights_are_those_of_the_recipe_unless_given():
    own = [stream("motion", MOTION, weights=AIMCLR), stream("joint", JOINT, weights=AIMCLR)]
    assert given_weights(own, None) == (0.4, 0.6)
    assert given_weights([stream("motion", MOTION), stream("joint", JOINT)], None) == (1.0, 1.0)
    assert given_weights(own, [0, 2]) == (0, 2)


@pytest.mark.parametrize(
    ("weights", "reason"),
    [([1.0], "1 given for 2 runs"), ([1.0, -0.1], "at least 0"), ([0.0, 0.0], "not all of them 0")],
)
def test_weights_that_cannot_be_are_refused(weights, reason):
    with pytest.raises(KinemeError, match=f"`weights`.*{reason}"):
        given_weights([stream("motion", MOTION), stream("joint", JOINT)], weights)


def test_the_weights_of_every_published_recipe():
    for name, path in recipes().items():
        fusion = load_config(path).evaluate.fusion
        assert fusion == (AIMCLR if name.startswith("aimclr") else EQUAL), name


def test_the_best_weights_are_found():
    """Right where the second stream weighs more than the first, but less than four times as much."""
    first = np.array([[1.0, 0.0], [4.0, 0.0]])
    second = np.array([[0.0, 1.0], [0.0, 1.0]])
    weights, accuracy = best_weights(np.stack([first, second]), np.array([1, 0]))
    assert accuracy == 100.0
    assert weights == (0.4, 0.6)  # of 0.3, 0.7 and 0.4, 0.6 the evener


def test_probes_that_weights_are_chosen_by_see_no_held_out_clip():
    """Two clips say which way is which, and six that are held out are called the other way round."""
    ways = np.array([1, -1, 1, -1, 1, -1, 1, -1], dtype=np.float32)
    labels = np.array([0, 1, 1, 0, 1, 0, 1, 0])
    task = SimpleNamespace(
        model=None, train_rows=np.arange(8), train_labels=labels, classes=2, device="cpu",
        features=lambda model, rows: ways[rows, None],
    )  # fmt: skip
    probe = asdict(LinearConfig(lr=1.0, epochs=20, milestones=()))
    seen = Stream(task, SimpleNamespace(settings=probe), None)  # type: ignore[arg-type]
    for scores in _held_out_scores(seen, np.arange(2), np.arange(2, 8), seed=0).values():
        assert top_k(scores, labels[2:]) == 0.0


def test_a_stream_of_no_use_gets_no_weight():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 200)
    right = np.eye(3)[labels] + 0.1 * rng.standard_normal((200, 3))
    wrong = 2 * np.eye(3)[(labels + 1) % 3]
    assert best_weights(np.stack([right, 20 * wrong]), labels)[0] == (1.0, 0.0)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (stream("joint", BONE), "both trained on the joint stream"),
        (stream("bone", BONE, method="aimclr"), r"trained by usdrl, runs/bone trained by aimclr"),
        (stream("bone", BONE[:2], names=["a", "b"]), "other test clips"),
        (stream("joint+bone", BONE), r"runs/joint\+bone was measured on joint\+bone in one encoder"),
    ],
)
def test_what_does_not_belong_together_is_refused(other, reason):
    with pytest.raises(KinemeError, match=reason):
        check_alike([stream("joint", JOINT), other])


def test_other_clips_or_another_split_are_refused():
    bone = stream("bone", BONE)
    for change, reason in (
        ({"fingerprint": "0" * 64}, "measured on the store stores/moves"),
        ({"split": "xsub"}, "measured on the split odd-even, runs/bone measured on the split xsub"),
    ):
        other = replace(bone, result=replace(bone.result, **change))
        with pytest.raises(KinemeError, match=reason):
            check_alike([stream("joint", JOINT), other])


def test_one_stream_is_nothing_to_fuse():
    with pytest.raises(KinemeError, match="at least two runs"):
        check_alike([stream("joint", JOINT)])
