"""Settings that are out of range, or without effect beside another, are refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kineme.config import Config, DataConfig, EvaluateConfig, FinetuneConfig, LinearConfig, TrainConfig, check
from kineme.errors import KinemeError


def config(section: str = "train", **changed: Any) -> Config:
    """The defaults, with some settings of one section changed."""
    method, encoder = {"name": "aimclr"}, {"name": "stgcn"}
    plain = Config(data=DataConfig(), train=TrainConfig(), method=method, encoder=encoder)
    if section == "linear":
        return replace(plain, evaluate=EvaluateConfig(linear=replace(LinearConfig(), **changed)))
    if section == "finetune":
        return replace(plain, evaluate=EvaluateConfig(finetune=replace(FinetuneConfig(), **changed)))
    if section == "method":
        return replace(plain, method={**method, **changed})
    return replace(plain, **{section: replace(getattr(plain, section), **changed)})


def test_the_defaults_are_in_range() -> None:
    check(config())


@pytest.mark.parametrize(
    ("section", "changed", "message"),
    [
        ("train", {"batch_size": 1}, "train.batch_size is 1; it must be at least 2"),
        ("train", {"weight_decay": -0.1}, "train.weight_decay is -0.1; it must be at least 0"),
        ("train", {"minutes": 0.0}, "train.minutes is 0; it must be above 0"),
        ("train", {"max_minutes": 1.0, "devices": 2}, "train.max_minutes works on one device only"),
        ("train", {"minutes": 1.0, "max_minutes": 1.0}, "train.minutes and train.max_minutes exclude each"),
        ("train", {"clip_gradients": 0.0}, "train.clip_gradients is 0; it must be above 0"),
        ("train", {"schedule": "cosine", "milestones": [1]}, "train.milestones have no effect"),
        ("train", {"schedule": "warmup-cosine", "milestones": [1]}, "train.milestones have no effect"),
        ("train", {"final_lr": 0.1}, "train.final_lr needs schedule: warmup-cosine"),
        ("train", {"betas": (0.9, 1.5)}, "train.betas are (0.9, 1.5); each must be at least 0 and less than"),
        ("train", {"final_weight_decay": 0.0}, "train.final_weight_decay: it and train.weight_decay must be"),
        ("data", {"frames": 1}, "data.frames is 1; it must be at least 2"),
        ("evaluate", {"crop": 0.0}, "evaluate.crop is 0; it must be above 0 and at most 1"),
        ("linear", {"rates": (0.1, 0.0)}, "evaluate.linear.rates are (0.1, 0.0); each must be over 0"),
        ("linear", {"epochs": 0}, "evaluate.linear.epochs is 0; it must be at least 1"),
        ("linear", {"batch_size": -3}, "evaluate.linear.batch_size is -3; it must be at least 1"),
        ("finetune", {"epochs": 0}, "evaluate.finetune.epochs is 0; it must be at least 1"),
        ("finetune", {"batch_size": 0}, "evaluate.finetune.batch_size is 0; it must be at least 1"),
        ("finetune", {"min_crop": 3.0}, "evaluate.finetune.min_crop is 3; it must be from 0 to 1"),
        ("finetune", {"layer_decay": 2.0}, "evaluate.finetune.layer_decay is 2; it must be from 0 to 1"),
        ("finetune", {"dropout": 0.1}, "evaluate.finetune.dropout needs head: joints"),
        ("finetune", {"encoder_lr": -1.0}, "evaluate.finetune.encoder_lr must be above 0"),
        ("train", {"epochs": 10**9}, "train.epochs is 1,000,000,000; it must be at most 10,000,000"),
        (
            "linear",
            {"epochs": 10**9},
            "evaluate.linear.epochs is 1,000,000,000; it must be at most 10,000,000",
        ),
        ("train", {"devices": 10**6}, "train.devices is 1,000,000; it must be at most 1,024"),
        ("train", {"nodes": 10**6}, "train.nodes is 1,000,000; it must be at most 100,000"),
        ("train", {"seed": 2**70}, f"train.seed is {2**70:,}; it must be at most {2**63 - 1:,}"),
        ("train", {"lr": 1e18}, f"train.lr is 1e+18; it must be from -{2**53} to {2**53}"),
        ("method", {"queue": 10**20}, f"method.queue is {10**20}; it must be from -{2**53} to {2**53}"),
    ],
)
def test_what_is_out_of_range_is_named(section: str, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(KinemeError) as caught:
        check(config(section, **changed))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    ("section", "key", "named"),
    [
        ("train", "lr", "train.lr"),
        ("train", "minutes", "train.minutes"),
        ("evaluate", "crop", "evaluate.crop"),
        ("finetune", "noise", "evaluate.finetune.noise"),
        ("method", "temperature", "method.temperature"),
    ],
)
def test_no_setting_is_nan_or_infinite(section: str, key: str, named: str, value: float) -> None:
    with pytest.raises(KinemeError) as caught:
        check(config(section, **{key: value}))
    assert str(caught.value) == f"{named} is {value}; it must be a finite number"


def test_no_rate_is_nan() -> None:
    with pytest.raises(KinemeError, match=r"evaluate\.linear\.rates is nan; it must be a finite number"):
        check(config("linear", rates=(0.1, float("nan"))))
