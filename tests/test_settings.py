"""Settings: complete, typed, and refused with the place and the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from kineme.config import Config
from kineme.encoders import ENCODERS
from kineme.errors import KinemeError
from kineme.methods import METHODS
from kineme.settings import config_from_dict, load_config, make_parser

RECIPES = sorted((Path(__file__).parents[1] / "recipes").glob("*.yaml"))
RECIPE = """\
data:
  frames: 8
train:
  epochs: 2
method:
  name: aimclr
encoder:
  name: stgcn
"""


def load(tmp_path: Path, text: str, *overrides: str) -> Config:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return load_config(path, overrides)


def refusal(tmp_path: Path, text: str, *overrides: str) -> str:
    with pytest.raises(KinemeError) as caught:
        load(tmp_path, text, *overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(f"{tmp_path}/", "")


def test_a_recipe_is_completed_by_the_defaults_of_its_classes(tmp_path: Path) -> None:
    config = load(tmp_path, RECIPE)
    assert (config.data.frames, config.data.stream, config.train.epochs, config.train.lr) == (
        8,
        "joint",
        2,
        0.1,
    )
    assert config.method["name"] == "aimclr"
    assert (config.method["queue"], config.method["temperature"]) == (32768, 0.07)
    assert config.encoder["name"] == "stgcn"
    assert list(config.encoder["strided"]) == [4, 7]


def test_overrides_come_after_the_recipe(tmp_path: Path) -> None:
    overrides = (
        "--train.epochs",
        "3",
        "--train.lr=1e-3",
        "--encoder.channels=[4, 8]",
        "--method.extreme=false",
    )
    config = load(tmp_path, RECIPE, *overrides, "--train.milestones", "[1, 2]")
    assert (config.train.epochs, config.train.lr, config.train.milestones) == (3, 0.001, (1, 2))
    assert config.encoder["channels"] == [4, 8]
    assert config.method["extreme"] is False
    assert config.data.frames == 8


@pytest.mark.parametrize("equals", [True, False])
def test_method_and_encoder_can_be_overridden(tmp_path: Path, equals: bool) -> None:
    words = [("--method.name", "usdrl"), ("--encoder.name", "sttr")]
    overrides = [f"{k}={v}" for k, v in words] if equals else [each for pair in words for each in pair]
    config = load(tmp_path, RECIPE, *overrides, "--encoder.hidden=16")
    assert (config.method["name"], config.encoder["name"], config.encoder["hidden"]) == ("usdrl", "sttr", 16)


def test_settings_survive_their_file(tmp_path: Path) -> None:
    config = load(tmp_path, RECIPE, "--train.milestones=[1]", "--encoder.channels=[4, 8]")
    text = yaml.safe_dump(config.to_dict())
    again = config_from_dict(yaml.safe_load(text), "config.yaml")
    assert again.to_dict() == config.to_dict()
    assert (again.data, again.train) == (config.data, config.train)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_that_comes_with_kineme_loads(recipe: Path) -> None:
    assert load_config(recipe).data.store is None  # whose clips, only the user knows


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_every_setting_has_a_line_of_help(method: str, encoder: str) -> None:
    for action in make_parser(method, encoder)._actions:
        assert action.help, action.dest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("epochs: 2", "epoch: 2"),
            "mine.yaml, line 4: unknown key 'train.epoch'; did you mean train.epochs?",
        ),
        (("train:", "trian:"), "mine.yaml, line 3: unknown key 'trian'; did you mean train?"),
        (
            ("name: stgcn", "name: stgcn\n  chanels: [4]"),
            "line 9: unknown key 'encoder.chanels'; did you mean ",
        ),
        (("epochs: 2", "epochs: two"), "mine.yaml, line 4: train.epochs is two; it must be a whole number"),
        (
            ("frames: 8", "stream: bones"),
            "line 2: data.stream is bones; it must be one of joint, bone, motion, joint+bone+motion; did you "
            "mean bone?",
        ),
        (("name: stgcn", "name: stgcn\n  channels: 3"), "line 9: encoder.channels is 3; it must be a list"),
        (("epochs: 2", "epochs: 0"), "train.epochs is 0; it must be at least 1"),
        (("epochs: 2", "seed: -1"), "train.seed is -1; it must be at least 0"),
        (("aimclr", "aimcrl"), "unknown method 'aimcrl'; did you mean aimclr?"),
        (("stgcn", "resnet"), "unknown encoder 'resnet'; choose from stgcn, "),
        (
            ("  name: aimclr", "  queue: 3"),
            "mine.yaml: names no method; write `method:` and below it `name: ...`",
        ),
        (
            ("  frames: 8", ""),
            "mine.yaml: not a recipe; it has the sections data, train, method, encoder, evaluate",
        ),
        (
            ("epochs: 2", "schedule: cosine\n  milestones: [1]"),
            "train.milestones have no effect with a cosine",
        ),
        (("frames: 8", "frames: [8"), "mine.yaml: cannot be read as a recipe (line 3: did not find expected"),
        (("frames: 8", "frames: !!python/object:os.system {}"), "mine.yaml: cannot be read as a recipe"),
    ],
)
def test_mistakes_in_a_recipe_are_named(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    assert change[0] in RECIPE
    assert message in refusal(tmp_path, RECIPE.replace(*change))


@pytest.mark.parametrize("text", ["", "- a\n", "nothing but words"])
def test_what_is_no_recipe_is_refused(tmp_path: Path, text: str) -> None:
    assert "mine.yaml: not a recipe" in refusal(tmp_path, text)


def test_a_list_that_would_be_parsed_for_minutes_is_refused(tmp_path: Path) -> None:
    of_encoder = {"method": {"name": "aimclr"}, "encoder": {"name": "stgcn", "channels": [8] * 1001}}
    with pytest.raises(
        KinemeError, match=r"model: encoder\.channels has 1,001 values; it may have 1,000 at most"
    ):
        config_from_dict(of_encoder, "model")
    of_probe = f"evaluate: {{linear: {{milestones: {[1] * 20_000}}}}}"
    assert "mine.yaml: evaluate.linear.milestones has 20,000 values" in refusal(tmp_path, of_probe)


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(KinemeError, match=r"none\.yaml: cannot be read as a recipe \(No such file"):
        load_config(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["--train.epoch=3"], "unknown setting --train.epoch; did you mean --train.epochs?"),
        (["--trian.epochs", "3"], "unknown setting --trian.epochs; did you mean --train.epochs?"),
        (["--train.batch_size=x"], "--train.batch_size is x; it must be a whole number"),
        (["--method.extreme", "maybe"], "--method.extreme is maybe; it must be true or false"),
        (["--train.batch_size=1"], "train.batch_size is 1; it must be at least 2"),
        (["--train.epochs"], "--train.epochs needs a value"),
        (["--method.name=usdlr"], "unknown method 'usdlr'; did you mean usdrl?"),
        (["epochs=3"], "epochs=3"),
    ],
)
def test_mistakes_in_overrides_are_named(tmp_path: Path, overrides: list[str], message: str) -> None:
    assert message in refusal(tmp_path, RECIPE, *overrides)


def test_a_damaged_configuration_is_named_by_its_file() -> None:
    with pytest.raises(
        KinemeError, match=r"run/config\.yaml: train\.epochs is many; it must be a whole number"
    ):
        config_from_dict(
            {"train": {"epochs": "many"}, "method": {"name": "aimclr"}, "encoder": {"name": "stgcn"}},
            where="run/config.yaml",
        )
