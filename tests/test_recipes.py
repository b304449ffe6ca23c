"""Recipes of published results train as the papers and programs do: their settings, written down by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kineme.config import TrainConfig
from kineme.packaged import find_recipe, recipes
from kineme.settings import config_from_dict, load_config

OWN_RECIPES = {"demo", "tandem"}
CELLS = ("ntu60-xsub", "ntu60-xview", "ntu120-xsub", "ntu120-xset", "pkummd1-xsub", "pkummd2-xsub")
WITHOUT_PKUMMD1 = tuple(cell for cell in CELLS if not cell.startswith("pkummd1"))
SYSTEMS = {
    "aimclr": CELLS,
    "scdnet": CELLS,
    "usdrl-sttr": WITHOUT_PKUMMD1,
    "usdrl-dste": WITHOUT_PKUMMD1,
    "mpct-sttr": WITHOUT_PKUMMD1,
    "mamp": WITHOUT_PKUMMD1,
    "slim": WITHOUT_PKUMMD1,
}
PUBLISHED = [f"{system}-{cell}" for system, cells in SYSTEMS.items() for cell in cells]
ENCODERS = {"aimclr": "stgcn", "scdnet": "disentangled", "mamp": "mamp", "slim": "slim"}
PREPROCESSING = {"aimclr": "crossclr", "scdnet": "agcn", "usdrl": "agcn", "mpct": "agcn"}
CTRGCN = {"ntu60": "ctrgcn", "ntu120": "ctrgcn(bodies=copied)", "pkummd2": "ctrgcn(bodies=recorded)"}
FRAMES = {"aimclr": 50, "mamp": 120}
CROP = {"scdnet": 0.95, "mamp": 0.95, "slim": 0.95}
USDRL = TrainConfig(
    optimizer="adam", lr=5e-4, weight_decay=1e-5, batch_size=356, epochs=450, milestones=(350,)
)
TRAINING = {
    "aimclr": TrainConfig(lr=0.1, weight_decay=1e-4, batch_size=128, epochs=300, milestones=(250,)),
    "scdnet": TrainConfig(lr=0.01, weight_decay=1e-4, batch_size=64, epochs=450, milestones=(350,)),
    "usdrl": USDRL,
    "mpct": USDRL,
    "mamp": TrainConfig(
        optimizer="adamw", betas=(0.9, 0.95), lr=1e-3, weight_decay=0.05, decay_vectors=False, batch_size=128,
        epochs=400, schedule="warmup-cosine", warmup=20, final_lr=5e-4,
    ),
    "slim": TrainConfig(
        optimizer="adamw", lr=1.732e-4, weight_decay=0.04, final_weight_decay=0.2, decay_vectors=False,
        batch_size=192, devices=4, clip_gradients=3.0, schedule="warmup-cosine", final_lr=1e-6,
    ),
}  # fmt: skip
USDRL_ON_PKUMMD2 = replace(USDRL, batch_size=512, epochs=1200, milestones=(800,))
TRAINING_CLIPS = {"ntu60-xsub": 40_091, "ntu60-xview": 37_646, "ntu120-xsub": 63_026, "ntu120-xset": 54_468}
STEPS, WARMUP_STEPS = 150 * 1250, 20 * 1250  # SLiM


def test_every_published_cell_has_its_recipe() -> None:
    own = {name for name in recipes() if name.endswith("-small")} | OWN_RECIPES
    assert set(recipes()) - own == set(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_it_is_trained_as_published(name: str) -> None:
    config = load_config(find_recipe(name))
    method, data, split = name.split("-")[0], *name.split("-")[-2:]
    train = replace(config.train, save_every=1, knn_every=5)
    expected = USDRL_ON_PKUMMD2 if TRAINING[method] == USDRL and data == "pkummd2" else TRAINING[method]
    if method == "slim":  # its epochs follow from a number of steps, see below
        expected = replace(expected, epochs=train.epochs, warmup=train.warmup)
    assert train == expected
    assert config.data.preprocessing == PREPROCESSING.get(method, CTRGCN.get(data))
    assert config.data.split in (split, f"{split}{data.removeprefix('ntu')}")
    assert config.data.frames == FRAMES.get(method, 64)
    assert config.data.stream == ("joint+bone+motion" if method == "mpct" else "joint")
    assert config.method["name"] == method
    assert config.encoder["name"] == ENCODERS.get(method, name.split("-")[1])
    assert config.evaluate.crop == CROP.get(method, 1.0)


@pytest.mark.parametrize("name", [f"slim-{cell}" for cell in TRAINING_CLIPS])
def test_slim_takes_the_published_number_of_steps(name: str) -> None:
    train = load_config(find_recipe(name)).train
    steps = TRAINING_CLIPS[name.removeprefix("slim-")] // (train.batch_size * train.devices)
    assert train.batch_size * train.devices == 768
    assert train.lr == pytest.approx(2e-4 * (768 / 1024) ** 0.5, rel=1e-4)
    assert train.epochs * steps == pytest.approx(STEPS, abs=steps / 2)
    assert train.warmup * steps == pytest.approx(WARMUP_STEPS, abs=steps / 2)


@pytest.mark.parametrize("name", [name for name in PUBLISHED if name.startswith("mamp")])
def test_mamp_differs_between_data_sets(name: str) -> None:
    """Temperature of the masking and depth of the decoder."""
    method = load_config(find_recipe(name)).method
    expected = {"ntu60": (0.8, 3), "ntu120": (0.75, 5), "pkummd2": (0.8, 5)}[name.split("-")[1]]
    assert (method["temperature"], method["decoder_depth"]) == expected


@pytest.mark.parametrize("name", PUBLISHED)
def test_methods_and_encoders_have_their_defaults_which_are_published(name: str) -> None:
    """Which defaults are published: tests/methods/test_defaults.py."""
    config = load_config(find_recipe(name))
    named = {part: {"name": getattr(config, part)["name"]} for part in ("method", "encoder")}
    usual = config_from_dict(named, "names")
    assert config.encoder == usual.encoder
    differing = {key for key, value in config.method.items() if value != usual.method[key]}
    assert differing <= ({"temperature", "decoder_depth"} if name.startswith("mamp") else set())
