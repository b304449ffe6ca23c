"""Reads a run's settings from a recipe's YAML, with overrides, and from the config.yaml of a run.

Defaults, types and help come from the classes themselves, so a new method or encoder is configurable as soon
as it is registered or named by its dotted path.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentParser, Namespace

from kineme.arguments import did_you_mean, explain
from kineme.config import (
    Config,
    DataConfig,
    EvaluateConfig,
    FinetuneConfig,
    FusionConfig,
    LinearConfig,
    TrainConfig,
    check,
    plain,
)
from kineme.encoders import ENCODERS, Encoder
from kineme.errors import KinemeError, one_line
from kineme.methods import METHODS, Method
from kineme.packaged import find_recipe, published_recipe
from kineme.untrusted import constructed, read_yaml, yaml_node

SECTIONS = ("data", "train", "method", "encoder", "evaluate")
NAMED = ("method", "encoder")  # sections that name a class
LONGEST_LIST = 1000  # values of one setting

Overrides = Mapping[str, Any] | Sequence[str]


def load_config(recipe: str | Path, overrides: Overrides = ()) -> Config:
    """Reads a recipe, replaces some of its settings, checks every key and type.

    Args:
        recipe: its file, or the name of one that comes with Kineme.
        overrides: settings in place of the recipe's, such as `{"train.epochs": 10}`; or as on the command
            line, `["--train.epochs=10"]`.

    Raises:
        KinemeError: the file is missing or not YAML, a key is unknown (the nearest one is suggested), or a
            value is of the wrong type.

    >>> config = load_config("aimclr-ntu60-xsub", {"train.epochs": 10})
    >>> config.train.epochs, config.train.lr, config.method["name"], config.evaluate.linear.lr
    (10, 0.1, 'aimclr', 3.0)
    """
    recipe = find_recipe(str(recipe))
    contents, lines = _read(recipe)
    given, words = _mapping(contents, recipe), as_words(overrides)
    method, encoder = (_override(words, f"--{part}.name") or _name(given, part, recipe) for part in NAMED)
    parser = _shared_parser(method, encoder)
    known = list(parser.get_defaults().keys())
    for key, line in lines.items():
        if key not in known and not any(each.startswith(f"{key}.") for each in known):
            raise KinemeError(f"{recipe}, line {line}: unknown key {key!r}{_nearest(key, known)}")
    for word in words:
        key = word.partition("=")[0]
        if key.startswith("--") and key[2:] not in known:
            raise KinemeError(f"unknown setting {key}{_nearest(key[2:], known, '--')}")
    try:
        settings = parser.parse_object(given, defaults=True)
    except Exception as error:  # jsonargparse raises several kinds, all caused by the user
        reason = explain(error)
        key = reason.partition(" ")[0]
        place = f"{recipe}, line {lines[key]}" if key in lines else recipe
        raise KinemeError(f"{place}: {reason}") from error
    try:
        settings = parser.parse_args(words, namespace=settings)
    except Exception as error:
        raise KinemeError(explain(error, "--{}".format)) from error
    return _config(settings)


def as_words(overrides: Overrides) -> list[str]:
    """Overrides as they stand on the command line.

    >>> as_words({"train.epochs": 10, "train.betas": (0.9, 0.95)})
    ['--train.epochs=10', '--train.betas=[0.9, 0.95]']
    """
    if isinstance(overrides, Mapping):
        return [f"--{key}={_word(value)}" for key, value in overrides.items()]
    return list(overrides)


def _word(value: Any) -> str:
    return str(value) if isinstance(value, str | Path) else json.dumps(plain(value))


def config_from_dict(data: Mapping[str, Any], where: str) -> Config:
    """The inverse of `Config.to_dict`; `where` names the file in errors."""
    given = _upgraded(_mapping(data, where))
    method, encoder = (_name(given, part, where) for part in NAMED)
    parser = _shared_parser(method, encoder)
    try:
        return _config(parser.parse_object(dict(given), defaults=True))
    except Exception as error:
        raise KinemeError(f"{where}: {explain(error)}") from error


def _upgraded(given: dict[str, Any]) -> dict[str, Any]:
    """Settings written by version 0.1, under today's keys.

    They had no `evaluate` section: a method was evaluated as in its results on NTU-60, cross-subject.
    """
    data = dict(given.get("data", {}))
    if "recipe" not in data:
        return given
    data["preprocessing"] = data.pop("recipe")
    method, encoder = (given[section].get("name") for section in NAMED)
    recipe = published_recipe(method, encoder)
    if recipe is None or "evaluate" in given:
        return {**given, "data": data}
    evaluate = read_yaml(recipe)["evaluate"]
    min_crop = given["method"].get("min_crop")  # fine-tuning took its views from the method
    if min_crop is not None:
        evaluate["finetune"]["min_crop"] = min_crop
    return {**given, "data": data, "evaluate": evaluate}


def make_parser(method: str, encoder: str) -> ArgumentParser:
    """A parser of a recipe's keys, for one method and one encoder."""
    return _parser_of(method, METHODS[method], encoder, ENCODERS[encoder])


def _shared_parser(method: str, encoder: str) -> ArgumentParser:
    """The same, made once for each pair, because that takes as long as parsing does; not to be changed."""
    return _kept_parser_of(method, METHODS[method], encoder, ENCODERS[encoder])


def _parser_of(
    method: str, method_class: type[Method], encoder: str, encoder_class: type[Encoder]
) -> ArgumentParser:
    parser = ArgumentParser(
        prog="kineme pretrain RECIPE",
        exit_on_error=False,
        add_help=False,
        default_env=False,
        usage="%(prog)s",
    )
    parser.add_class_arguments(DataConfig, "data", as_group=True)
    parser.add_class_arguments(TrainConfig, "train", as_group=True)
    parser.add_argument("--method.name", type=str, default=method, help="Pre-training method.")
    parser.add_class_arguments(method_class, "method", skip={"encoder"}, as_group=True)
    parser.add_argument("--encoder.name", type=str, default=encoder, help="Encoder to train.")
    parser.add_class_arguments(encoder_class, "encoder", skip={"shape"}, as_group=True)
    parser.add_class_arguments(EvaluateConfig, "evaluate", as_group=True)
    return parser


# By class as well as by name: a notebook may define a class anew.
_kept_parser_of = lru_cache(maxsize=16)(_parser_of)


def _config(settings: Namespace) -> Config:
    sections = settings.as_dict()
    config = Config(
        data=DataConfig(**sections["data"]),
        train=TrainConfig(**sections["train"]),
        method=sections["method"],
        encoder=sections["encoder"],
        evaluate=_evaluate(sections["evaluate"]),
    )
    check(config)
    return config


def _evaluate(section: Mapping[str, Any]) -> EvaluateConfig:
    """From jsonargparse's form of nested dataclasses."""
    return EvaluateConfig(
        crop=section["crop"],
        linear=LinearConfig(**_as_dict(section["linear"])),
        finetune=FinetuneConfig(**_as_dict(section["finetune"])),
        fusion=FusionConfig(**_as_dict(section["fusion"])),
    )


def _as_dict(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else asdict(value)


def _read(recipe: Path) -> tuple[Any, dict[str, int]]:
    """The contents of a recipe, and the line of each of its keys."""
    try:
        node = yaml_node(recipe)
        return (None, {}) if node is None else (constructed(node), dict(_keys(node)))
    except (OSError, ValueError) as error:
        raise KinemeError(f"{recipe}: cannot be read as a recipe ({one_line(error)})") from error


def _mapping(data: Any, where: Path | str) -> dict[str, Any]:
    if not isinstance(data, Mapping) or not all(isinstance(value, Mapping) for value in data.values()):
        raise KinemeError(f"{where}: not a recipe; it has the sections {', '.join(SECTIONS)}")
    _check_lists(data, "", where)
    return {str(key): value for key, value in data.items()}


def _check_lists(value: Any, key: str, where: Path | str) -> None:
    """Refuses long lists, for which parsing takes minutes: its time grows with their square."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            _check_lists(each, f"{key}.{name}".lstrip("."), where)
    elif isinstance(value, list | tuple) and len(value) > LONGEST_LIST:
        raise KinemeError(f"{where}: {key} has {len(value):,} values; it may have {LONGEST_LIST:,} at most")


def _name(given: Mapping[str, Any], part: str, where: Path | str) -> str:
    name = given.get(part, {}).get("name")
    if not isinstance(name, str):
        raise KinemeError(f"{where}: names no {part}; write `{part}:` and below it `name: ...`")
    return name


def _override(words: Sequence[str], option: str) -> str | None:
    """What an option is set to, as `--method.name=usdrl` or `--method.name usdrl`."""
    for number, word in enumerate(words):
        key, equals, value = word.partition("=")
        if key == option:
            return value if equals else next(iter(words[number + 1 :]), None)
    return None


def _keys(node: yaml.Node, prefix: str = "") -> Iterator[tuple[str, int]]:
    """Dotted keys of a document with their lines, but not those inside a class's mapping."""
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        yield f"{prefix}{key.value}", key.start_mark.line + 1
        if not prefix or prefix == "evaluate.":
            yield from _keys(value, f"{prefix}{key.value}.")


def _nearest(key: str, known: Sequence[str], dashes: str = "") -> str:
    section = key.partition(".")[0]
    pool = [name for name in known if name.startswith(f"{section}.")] or (
        [*SECTIONS] if "." not in key else known
    )
    return did_you_mean(dashes + key, [dashes + name for name in pool], cutoff=0.0)
