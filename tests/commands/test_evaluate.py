"""`kineme evaluate` from a run directory to a result file."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kineme.__main__ import USAGE_ERROR, main
from kineme.checkpoints import save_encoder
from kineme.clips.store import Clip, ClipStore, Manifest
from kineme.clips.writer import StoreWriter
from kineme.commands.evaluate import early, knn, linear, robust, transfer
from kineme.encoders import ENCODERS, STTR, ClipShape
from kineme.errors import KinemeError
from kineme.evaluation.options import TaskOptions
from kineme.evaluation.results import RANDOM, RAW, Predictions, Result
from kineme.layouts import Layout
from kineme.loading import load_run
from kineme.metrics.accuracy import top_k
from kineme.packaged import find_recipe
from kineme.preprocessing import Preprocessing, get_preprocessing
from kineme.settings import load_config

PLAIN = get_preprocessing("plain")
STICK = Layout.from_names("stick", ["hip", "neck", "hand"], [None, "hip", "neck"])
CLASSES = ("rise", "fall", "swing", "push", "rest", "turn")


def write_store(
    path: Path,
    *,
    labelled: bool = True,
    preprocessing: Preprocessing = PLAIN,
    label: Callable[[int], int] = lambda i: i % 6,
    centred: bool = False,
) -> Path:
    """Clips of four subjects; in each class the hand moves another way, so that all can be told apart."""
    ways = np.array([[0, 1, 0], [0, -1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 0], [-1, 0, 1]])
    rng = np.random.default_rng(0)
    manifest = Manifest(STICK, preprocessing, "test", CLASSES)
    with StoreWriter(path, manifest, bodies=1) as writer:
        for i in range(48):
            subject, frames = str(1 + i // 12), 10 + i % 5
            xyz = np.tile([[0, 0, 0], [0, 1, 0], [0.3, 1, 0]], (frames, 1, 1, 1)).astype(float)
            xyz[:, 0, 2] += np.linspace(0, 1, frames)[:, None] * ways[i % 6]
            xyz += 0.01 * rng.standard_normal(xyz.shape)
            xyz -= xyz[:, :, :1] if centred else 0
            writer.add(Clip(f"clip{i:02}", xyz, label=label(i) if labelled else -1, subject=subject))
    return path


def write_run(
    path: Path,
    store: Path,
    *,
    split: str = "odd-even",
    preprocessing: Preprocessing = PLAIN,
    **protocols: Any,
) -> Path:
    path.mkdir()
    settings = {"name": "sttr", "hidden": 8, "depth": 1}
    config = {
        "data": {"store": str(store), "split": split, "stream": "joint", "frames": 8},
        "train": {"seed": 0},
        "method": {"name": "usdrl"},
        "encoder": settings,
        "evaluate": {**asdict(load_config(find_recipe("usdrl-small")).evaluate), **protocols},
    }
    with torch.random.fork_rng():
        torch.manual_seed(1)
        encoder = STTR(ClipShape(STICK, 8, 1), hidden=8, depth=1)
    save_encoder(path / "model.safetensors", encoder, preprocessing, config)
    return path


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "run", write_store(tmp_path / "moves"))


def test_knn_reports_the_encoder_and_its_baselines(run, capsys):
    knn(run)
    result = Result.from_json(run / "results" / "knn.json")
    assert (result.protocol, result.method, result.encoder) == ("knn", "usdrl", "STTR")
    assert (result.store, result.split, result.train_clips, result.test_clips) == (
        "moves",
        "odd-even",
        24,
        24,
    )
    assert result.fingerprint == ClipStore(run.parent / "moves").manifest.fingerprint
    assert result.weights == load_run(run).weights
    assert result.baselines[RAW]["knn"].value == 100.0  # directions of the hand: nothing to learn
    assert np.trace(result.confusion_matrix) / 24 * 100 == pytest.approx(result.scores["knn"].value)
    shown = capsys.readouterr().out
    assert "raw coordinates" in shown
    assert f"{result.scores['knn'].value:.1f}" in shown
    low, high = result.scores["knn"].interval
    assert low <= result.scores["knn"].value <= high


def test_early_prints_and_keeps_the_accuracy_by_share(run, capsys):
    early(run, whole=True)
    result = Result.from_json(run / "results" / "early-whole.json")
    assert (result.protocol, len(result.scores), result.settings["fitted_to"]) == ("early", 11, "whole clips")
    shown = capsys.readouterr().out
    assert "early prediction" in shown
    for name, score in result.scores.items():
        (line,) = (each for each in shown.splitlines() if each.split("│")[1:2] == [f" {name:5} "])
        assert f"{score.value:.1f} ({score.interval[0]:.1f}–{score.interval[1]:.1f})" in line
    kept = Predictions.load(run / "results" / "early-whole.npz")
    assert top_k(kept.scores["50 %"], kept.labels, 1) == pytest.approx(result.scores["50 %"].value)


def test_semi_leaves_the_encoder_frozen_if_told(run, capsys):
    assert main(["evaluate", "semi", str(run), "--frozen", "--fractions", "0.5"]) == 0
    result = Result.from_json(run / "results" / "semi-frozen.json")
    assert list(result.scores) == ["50 %", "50 % logistic"]
    assert len(result.scores["50 %"].values) == 3
    assert main(["evaluate", "semi", str(run), "--frozen", "--epochs", "3"]) == USAGE_ERROR
    assert "with --frozen nothing is fine-tuned" in capsys.readouterr().err


def test_fewshot_prints_and_keeps_the_mean_over_draws(run, capsys):
    assert main(["evaluate", "fewshot", str(run), "--shots", "2", "--draws", "4"]) == 0
    result = Result.from_json(run / "results" / "fewshot-2shots.json")
    assert (result.settings["shots"], result.settings["draws"]) == (2, 4)
    score = result.scores["2 shots"]
    assert score.value == pytest.approx(np.mean(score.values))
    assert f"{score.value:.1f} ± {score.deviation:.1f}" in capsys.readouterr().out


def test_another_stream_than_the_encoders_is_refused(run, capsys):
    assert main(["evaluate", "knn", str(run), "--stream", "bone"]) == USAGE_ERROR
    assert "--stream: the encoder was trained on joint, not on bone" in capsys.readouterr().err


def test_knn_reports_the_ranking(run):
    knn(run, k=5, baselines=False)
    scores = Result.from_json(run / "results" / "knn-k5.json").scores
    assert list(scores) == ["knn", "recall@5", "recall@10", "mAP"]
    knn(run)
    nearest = Result.from_json(run / "results" / "knn.json")
    assert nearest.baselines[RAW]["mAP"].value == pytest.approx(100.0)  # the classes lie apart
    assert nearest.scores["mAP"] == scores["mAP"]  # whoever votes
    assert nearest.scores["knn"].value <= scores["recall@5"].value <= scores["recall@10"].value
    low, high = scores["mAP"].interval
    assert low < scores["mAP"].value < high


def test_classes_that_nobody_trains_are_left_out_of_the_ranking(tmp_path, caplog):
    def label(i: int) -> int:
        return 5 if i // 12 == 3 and i % 6 == 0 else i % 5  # class 5: in clips 36 and 42, of subject 4

    run = write_run(tmp_path / "run", write_store(tmp_path / "moves", label=label))
    knn(run, baselines=False)
    assert (
        "classes without training clips: recall and mAP are computed on the remaining 22"
        in caplog.messages[-1]
    )
    result = Result.from_json(run / "results" / "knn.json")
    sought = [label(i) for i in range(48) if i // 12 in (1, 3)]
    assert (len(sought), sought.count(5)) == (24, 2)
    hits = result.scores["recall@10"].value * 22 / 100
    assert hits == pytest.approx(round(hits))


def test_linear_reports_both_probes_with_the_last_epoch_before_the_best(run):
    linear(run)
    result = Result.from_json(run / "results" / "linear.json")
    assert list(result.scores) == ["logistic", "last", "best"]
    assert set(result.baselines) == {RAW, RANDOM}
    assert result.scores["last"].epoch == 160
    assert result.scores["best"].value >= result.scores["last"].value
    assert result.baselines[RAW]["last"].value == 100.0
    assert result.scores["logistic"].top5 >= result.scores["logistic"].value
    assert result.detailed == "last"
    assert result.settings["lr"] == 0.006
    assert np.mean(result.per_class_accuracy) == pytest.approx(
        result.scores["last"].value
    )  # classes of equal size


def test_the_same_seed_gives_the_same_file(run):
    files = []
    for _ in range(2):
        linear(run)
        data = json.loads((run / "results" / "linear.json").read_text())
        del data["time"], data["seconds"], data["commit"]
        files.append(data)
    assert files[0] == files[1]


def test_predictions_lie_beside_the_result_and_give_it(run):
    linear(run, baselines=False)
    result = Result.from_json(run / "results" / "linear.json")
    predictions = Predictions.load(run / "results" / "linear.npz")
    store = ClipStore(run.parent / "moves")
    assert predictions.names.tolist() == store.names[np.isin(store.index["subject"], ["2", "4"])].tolist()
    assert set(predictions.scores) == {"logistic", "last"}  # the best epoch is chosen on these very clips
    for probe, scores in predictions.scores.items():
        assert top_k(scores, predictions.labels) == result.scores[probe].value


def test_linear_and_knn_share_their_features(run, monkeypatch):
    knn(run)
    before = sorted((run / "features").iterdir())
    assert len(before) == 4  # training and test part, of this encoder and of a random one
    asked = []
    monkeypatch.setattr(ENCODERS["sttr"], "forward", lambda self, clips: asked.append(len(clips)))
    linear(run)
    assert asked == []
    assert sorted((run / "features").iterdir()) == before


def test_without_baselines_only_the_encoder_is_measured(run):
    knn(run, baselines=False)
    assert Result.from_json(run / "results" / "knn.json").baselines == {}
    assert len(list((run / "features").iterdir())) == 2


def test_the_weights_file_stands_for_its_run(run):
    knn(run / "model.safetensors", baselines=False)
    assert (run / "results" / "knn.json").is_file()


def test_what_differs_from_the_pre_training_is_in_the_name(run, tmp_path):
    knn(run, baselines=False)
    knn(run, k=3, seed=2, baselines=False, options=TaskOptions(split="subjects:1,2"))
    knn(run, baselines=False, options=TaskOptions(write_store(tmp_path / "others")))
    spelt_out = TaskOptions(tmp_path / "moves", "odd-even")
    knn(run, baselines=False, options=spelt_out)
    names = {path.name for path in (run / "results").glob("*.json")}
    assert names == {"knn.json", "knn-subjects-1-2-k3-seed2.json", "knn-others.json"}


def test_test_clips_seen_in_pre_training_are_told_and_left_out_if_asked(tmp_path, caplog):
    run = write_run(tmp_path / "run", write_store(tmp_path / "moves"), split="subjects:1,2,3")
    knn(run, baselines=False)
    assert not caplog.messages
    knn(run, baselines=False, options=TaskOptions(split="odd-even"))  # tests on subjects 2 and 4
    assert "12 of 24 test clips were seen in pre-training" in caplog.text
    knn(run, baselines=False, options=TaskOptions(split="odd-even", leave_out_overlap=True))
    results = [Result.from_json(run / "results" / f"knn-odd-even{end}.json") for end in ("", "-unseen")]
    assert [result.test_clips for result in results] == [24, 12]
    assert [result.train_clips for result in results] == [24, 24]


def test_the_recipe_of_the_run_sets_the_probe(tmp_path):
    own = {"lr": 0.5, "batch_size": 7, "epochs": 5, "milestones": [3]}
    run = write_run(tmp_path / "run", write_store(tmp_path / "moves"), linear=own)
    linear(run, baselines=False)
    result = Result.from_json(run / "results" / "linear.json")
    rest = {"init_std": None, "schedule": "step", "norm": False, "rates": []}
    assert result.settings == {**own, **rest}
    assert result.scores["last"].epoch == 5


def test_a_learning_rate_of_ones_own_is_used_and_recorded(run):
    linear(run, lr=1.0, baselines=False)
    result = Result.from_json(run / "results" / "linear.json")
    assert result.settings["lr"] == 1.0
    linear(run, baselines=False)
    assert Result.from_json(run / "results" / "linear.json").scores["last"] != result.scores["last"]


def test_a_given_rate_is_taken_instead_of_a_choice_of_rates(tmp_path):
    own = {"lr": 0.5, "epochs": 5, "milestones": [], "rates": [0.1, 0.2]}
    run = write_run(tmp_path / "run", write_store(tmp_path / "moves"), linear=own)
    linear(run, baselines=False)
    assert Result.from_json(run / "results" / "linear.json").settings["rates"] == [0.1, 0.2]
    linear(run, lr=1.0, baselines=False)
    settings = Result.from_json(run / "results" / "linear.json").settings
    assert (settings["lr"], settings["rates"]) == (1.0, [])


def test_a_split_without_a_test_part_needs_another(tmp_path):
    run = write_run(tmp_path / "run", write_store(tmp_path / "moves"), split="all")
    with pytest.raises(KinemeError, match=r"'all' tests on clips that it trains on; choose another `split`"):
        linear(run)
    knn(run, baselines=False, options=TaskOptions(split="odd-even"))


def test_a_store_of_another_preprocessing_is_refused_unless_allowed(run, tmp_path):
    store = write_store(tmp_path / "turned", preprocessing=get_preprocessing("plain", facing=True))
    with pytest.raises(
        KinemeError, match=r"prepared by plain\(facing=True\), the encoder was trained on plain;"
    ):
        knn(run, options=TaskOptions(store))
    knn(run, baselines=False, options=TaskOptions(store, allow_preprocessing=True))
    result = Result.from_json(run / "results" / "knn-turned.json")
    assert (result.preprocessing, result.store_preprocessing) == ("plain", "plain(facing=True)")


def test_a_store_that_is_gone_is_named(run, tmp_path):
    (tmp_path / "moves").rename(tmp_path / "moved")
    with pytest.raises(KinemeError, match="moves, the store of its pre-training, is gone; pass `store`"):
        knn(run)


def test_transfer_measures_both_on_another_data_set(run, tmp_path):
    other = write_store(tmp_path / "others", label=lambda i: 5 - i % 6)
    transfer(run, options=TaskOptions(other))
    found = Result.from_json(run / "results" / "transfer-others.json")
    assert list(found.scores) == ["logistic", "last", "best", "knn", "recall@5", "recall@10", "mAP"]
    assert (found.store, found.detailed, found.settings["knn"]) == ("others", "last", {"k": 1})
    linear(run, options=TaskOptions(other))
    knn(run, options=TaskOptions(other))
    alone = [Result.from_json(run / "results" / f"{name}-others.json") for name in ("linear", "knn")]
    assert found.scores == {**alone[0].scores, **alone[1].scores}
    assert found.baselines[RAW] == {**alone[0].baselines[RAW], **alone[1].baselines[RAW]}
    predictions = Predictions.load(run / "results" / "transfer-others.npz")
    assert top_k(predictions.scores["last"], predictions.labels) == found.scores["last"].value


def test_transfer_fine_tunes_when_asked(tmp_path):
    run = write_run(
        tmp_path / "run",
        write_store(tmp_path / "moves"),
        finetune={"lr": 5e-4, "epochs": 2, "milestones": []},
    )
    transfer(run, finetune=True, baselines=False, options=TaskOptions(write_store(tmp_path / "others")))
    names = {path.name for path in (run / "results").glob("*.json")}
    assert names == {"transfer-others.json", "finetune-others.json"}
    tuned = Result.from_json(run / "results" / "finetune-others.json")
    assert (tuned.protocol, tuned.store, tuned.scores["last"].epoch) == ("finetune", "others", 2)


def test_transfer_is_to_another_store(run):
    with pytest.raises(KinemeError, match=r"another data set than that of pre-training; pass `store`"):
        transfer(run)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["transfer"], "another data set than that of pre-training; pass --store"),
        (["linear", "--lr", "0"], "--lr: is 0.0; it must be above 0"),
        (["knn", "--split", "all"], "choose another --split"),
        (["knn", "--device", "gpu"], "--device is gpu; it must be one of auto, cpu, cuda"),
        (["finetune", "--batch-size", "0"], "--batch-size: is 0; it must be above 0"),
        (["finetune", "--seed", "-1"], "--seed: is -1; it must be at least 0"),
        (["semi", "--seeds", "0"], "set --seeds to at least 1"),
        (["detect", "--epochs", "3"], "--epochs and --lr are of fine-tuning; set --finetune"),
    ],
)
def test_mistakes_name_the_options_of_the_command_line(run, capsys, words, reason):
    assert main(["evaluate", words[0], str(run), *words[1:]]) == USAGE_ERROR
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert reason in said


def test_options_are_those_of_the_dataclass(run, tmp_path, capsys):
    others = write_store(tmp_path / "others")
    words = ["--store", str(others), "--split", "subjects:1,2", "--no-baselines", "--leave-out-overlap"]
    assert main(["evaluate", "knn", str(run), *words]) == 0
    assert (run / "results" / "knn-others-subjects-1-2-unseen.json").is_file()
    capsys.readouterr()
    assert main(["evaluate", "knn", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for option, told in (
        ("--store", "Clip store to measure on; by default that of"),
        ("--joint-map", "YAML file with the sources of joints that cannot be matched by name"),
        ("--k", "Number of neighbours that vote."),
    ):
        assert option in shown
        assert told in shown


def write_store_of_a_camera(path: Path) -> Path:
    """The same motion by a camera that calls the joints otherwise, and sees the hips and an ear too."""
    layout = Layout.from_names(
        "camera",
        ["LeftHip", "RightHip", "Neck", "Ear", "HandLeft"],
        [1, None, 1, 2, 2],
        origin=["LeftHip", "RightHip"],
    )
    joints = ClipStore(write_store(path.with_name("original")))
    with StoreWriter(path, Manifest(layout, PLAIN, "test", CLASSES), bodies=1) as writer:
        for i in range(len(joints)):
            hip, neck, hand = np.moveaxis(joints.clip(i), 2, 0)
            side = np.array([0.1, 0, 0], dtype=np.float32)
            xyz = np.stack([hip + side, hip - side, neck, neck + side, hand], axis=2)
            index = joints.index
            writer.add(Clip(str(joints.names[i]), xyz, int(index["label"][i]), str(index["subject"][i])))
    return path


def test_a_store_of_another_layout_is_mapped_when_asked(run, tmp_path):
    store = write_store_of_a_camera(tmp_path / "camera")
    with pytest.raises(KinemeError, match=r"its layout is camera, the encoder's stick; set `map_joints`"):
        knn(run, options=TaskOptions(store))
    with pytest.raises(KinemeError, match="no joints to place these of 'stick': hand;"):
        knn(
            run, options=TaskOptions(store, map_joints=True)
        )  # whose hand that is, the encoder's layout does not say
    (tmp_path / "hands.yaml").write_text("hand: HandLeft\n")
    knn(run, options=TaskOptions(store, joint_map=tmp_path / "hands.yaml"))
    found = Result.from_json(run / "results" / "knn-camera-hands.json")
    assert found.joint_map == {
        "hip": {"LeftHip": 0.5, "RightHip": 0.5},
        "neck": {"Neck": 1.0},
        "hand": {"HandLeft": 1.0},
    }
    knn(run, options=TaskOptions(write_store(tmp_path / "same", centred=True)))
    same = Result.from_json(run / "results" / "knn-same.json")
    assert same.joint_map is None
    assert found.fingerprint != same.fingerprint
    assert found.scores == same.scores  # joints of other names in the same places
    assert found.baselines == same.baselines


def test_mapping_joints_changes_nothing_where_they_are_the_encoders_own(run):
    knn(run, baselines=False, options=TaskOptions(map_joints=True))
    assert Result.from_json(run / "results" / "knn.json").joint_map is None


def test_robust_prints_every_condition_beside_the_clean_figure(run, capsys):
    robust(run, baselines=False)
    result = Result.from_json(run / "results" / "robust.json")
    assert (result.protocol, result.seed, result.detailed) == ("robust", 0, "clean")
    shown = capsys.readouterr().out
    for name, score in result.scores.items():
        (line,) = (each for each in shown.splitlines() if [name] == [c.strip() for c in each.split("│")[1:2]])
        assert f"{score.value:.1f} ({score.interval[0]:.1f}–{score.interval[1]:.1f})" in line
