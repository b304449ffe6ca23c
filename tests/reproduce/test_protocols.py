"""Whether a result has the settings of a cell."""

from __future__ import annotations

from dataclasses import asdict, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from golden_fill import GOLDEN

from kineme.config import EvaluateConfig, FinetuneConfig, LinearConfig
from kineme.evaluation.detection.boundaries import boundaries_settings
from kineme.evaluation.detection.classifier import ClassifierSettings
from kineme.evaluation.finetune import FRACTIONS, percent
from kineme.evaluation.options import NEIGHBOURS
from kineme.evaluation.results import Result
from kineme.loading import load_run
from kineme.reproduce.protocols import PROTOCOLS, WINDOWS

EVALUATE = EvaluateConfig(
    linear=LinearConfig(lr=0.1), finetune=FinetuneConfig(lr=0.02, batch_size=4, epochs=10)
)
LINEAR = {"lr": 0.1, "batch_size": 128, "epochs": 100, "milestones": [80], "init_std": None}
FINETUNE = {
    "epochs": 10, "batch_size": 4, "optimizer": "sgd", "lr": 0.02, "weight_decay": 1e-4, "schedule": "step",
    "milestones": [80], "precision": "32-true", "min_crop": 1.0, "shear": 0.0, "pad_crop": False,
}  # fmt: skip
DETECT = {
    "windows": {"kind": "centred", "frames": 64, "step": 4},
    "context": {"neighbours": 4, "spacing": 16, "smoothing": 4.0},
    "segments": "C",
    "change": 4.0,
    "classifier": {**asdict(ClassifierSettings(hidden=128, networks=3)), "speeds": [0.7, 1.0, 1.4]},
    "boundaries": boundaries_settings(WINDOWS, NEIGHBOURS),
    "finetuned": None,
}


def settled(protocol: str, settings: Any, clips: int = 1000, **overrides: Any) -> bool:
    result = cast(Result, SimpleNamespace(settings=settings, train_clips=clips))
    return PROTOCOLS[protocol].settled(result, EVALUATE, overrides)


def test_the_settings_are_those_of_the_run() -> None:
    assert settled("linear", LINEAR)
    assert settled("finetune", FINETUNE)
    assert settled("transfer", {"linear": LINEAR, "knn": {"k": 1}})
    assert settled("knn", {"k": 1})
    assert settled("early", {"probe": LINEAR, "fitted_to": "clips cut alike"})
    assert settled("detect", DETECT)


@pytest.mark.parametrize(
    ("protocol", "settings"),
    [
        ("linear", {**LINEAR, "lr": 0.03}),
        ("linear", {**LINEAR, "milestones": [50]}),
        ("finetune", {**FINETUNE, "min_crop": 0.5}),
        ("transfer", {"linear": {**LINEAR, "epochs": 3}, "knn": {"k": 1}}),
        ("knn", {"k": 5}),
        ("early", {"probe": LINEAR, "fitted_to": "whole clips"}),
        ("early", {"probe": {**LINEAR, "lr": 0.2}, "fitted_to": "clips cut alike"}),
        ("detect", {**DETECT, "windows": {**DETECT["windows"], "step": 8}}),
        ("detect", {**DETECT, "classifier": {**DETECT["classifier"], "hidden": 0}}),
        ("detect", {**DETECT, "classifier": {**DETECT["classifier"], "networks": 1}}),
        ("detect", {**DETECT, "finetuned": {"epochs": 10}}),
        ("linear", {**LINEAR, "warmup": 3}),  # of a version that is not this one
    ],
)
def test_other_settings_are_others(protocol: str, settings: Any) -> None:
    assert not settled(protocol, settings)


def test_a_grid_may_set_some() -> None:
    assert settled("linear", {**LINEAR, "lr": 0.03}, lr=0.03)
    assert not settled("linear", LINEAR, lr=0.03)
    assert settled("finetune", {**FINETUNE, "batch_size": 8}, batch_size=8)
    assert settled("finetune", {**FINETUNE, "epochs": 5, "milestones": [40]}, epochs=5)


def test_a_rate_of_a_grid_is_taken_instead_of_a_choice_of_rates() -> None:
    several = EvaluateConfig(linear=LinearConfig(lr=0.1, rates=(0.1, 0.2)))
    measured = cast(Result, SimpleNamespace(settings={**LINEAR, "lr": 0.03, "rates": []}))
    assert PROTOCOLS["linear"].settled(measured, several, {"lr": 0.03})


def test_the_device_decides_the_precision() -> None:
    assert settled("finetune", {**FINETUNE, "precision": "bf16-mixed"})


def test_a_result_without_a_younger_setting_was_measured_by_its_default() -> None:
    old = {key: value for key, value in FINETUNE.items() if key not in ("min_crop", "shear", "pad_crop")}
    assert settled("finetune", old)
    result = cast(Result, SimpleNamespace(settings=old, train_clips=1000))
    cropped = replace(EVALUATE, finetune=replace(EVALUATE.finetune, min_crop=0.5))
    assert not PROTOCOLS["finetune"].settled(result, cropped, {})
    assert PROTOCOLS["finetune"].lacking(result, cropped, {}) == ["min_crop"]


def test_detection_without_a_younger_setting_is_of_another_detector() -> None:
    context = {key: value for key, value in DETECT["context"].items() if key != "smoothing"}
    old = {key: value for key, value in DETECT.items() if key != "boundaries"} | {"context": context}
    assert not settled("detect", old)
    result = cast(Result, SimpleNamespace(settings=old, train_clips=1000))
    assert PROTOCOLS["detect"].lacking(result, EVALUATE, {}) == ["context.smoothing", "boundaries"]


def test_few_clips_are_trained_by_their_own_settings() -> None:
    few = {**FINETUNE, "optimizer": "adam", "lr": 5e-4, "weight_decay": 1e-5}
    assert settled("finetune", few, clips=31)
    assert not settled("finetune", FINETUNE, clips=31)


def test_few_labels_are_all_shares_and_as_many_draws() -> None:
    shares = {percent(fraction): {"clips": 1000, **FINETUNE} for fraction in FRACTIONS}
    assert settled("semi", {"seeds": 3, "training": shares})
    assert not settled("semi", {"seeds": 5, "training": shares})
    assert settled("semi", {"seeds": 5, "training": shares}, seeds=5)
    assert not settled("semi", {"seeds": 3, "training": {"10 %": shares["10 %"]}})


def test_probes_on_few_labels_are_of_as_many_draws() -> None:
    clips = {percent(fraction): 1000 for fraction in FRACTIONS}
    five = {"probe": LINEAR, "seeds": 5, "clips": clips}
    assert settled("semi-frozen", {**five, "seeds": 3})
    assert not settled("semi-frozen", five)
    assert settled("semi-frozen", five, seeds=5)


def test_nothing_has_settings_that_lack_a_rate() -> None:
    result = cast(Result, SimpleNamespace(settings=LINEAR))
    assert not PROTOCOLS["linear"].settled(result, EvaluateConfig(), {})
    assert PROTOCOLS["linear"].settled(result, EvaluateConfig(), {"lr": 0.1})


@pytest.mark.parametrize("protocol", ["linear", "knn"])
def test_results_of_version_0_1_count(protocol: str) -> None:
    run = GOLDEN / "format1" / "runs" / "usdrl-whole"
    result = Result.from_json(run / "results" / f"{protocol}.json")
    assert PROTOCOLS[protocol].settled(result, load_run(run).protocols, {})
