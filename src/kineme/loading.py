"""Trained encoders from files: runs, their weights, published programs' checkpoints, shared models."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from kineme import checkpoints
from kineme.authors import SYSTEMS, encoder_settings, method_settings
from kineme.authors.state import read_state
from kineme.checkpoints import encoder_with, fingerprint
from kineme.encoders import ClipShape
from kineme.errors import KinemeError, one_line
from kineme.hub import fetch, is_address
from kineme.layouts import Layout, get_layout
from kineme.methods import Method
from kineme.model import Model
from kineme.packaged import published_recipe
from kineme.preprocessing import parse_preprocessing, stored_preprocessing
from kineme.runs import weights_of
from kineme.settings import config_from_dict, load_config
from kineme.training.directory import located
from kineme.untrusted import MALFORMED


def load(
    path: str | Path,
    *,
    system: str | None = None,
    layout: str | Layout | None = None,
    stream: str = "joint",
    split: str = "xsub",
) -> Model:
    """Loads a pre-trained model: a run, its `model.safetensors`, or a published program's checkpoint.

    Args:
        path: a run directory, a safetensors file, the authors' checkpoint (.pt, .pth, .tar), or the address
            of a shared model, such as `hf:user/name` or `hf:user/name@revision`.
        system: of an authors' checkpoint: `aimclr`, `usdrl`, `scdnet`, `mamp` or `slim`; by default the one
            that fits. Required for SLiM's safetensors.
        layout: of an authors' checkpoint, if the number of joints is ambiguous.
        stream: of an authors' checkpoint, which does not say.
        split: that the authors trained on, which their checkpoint does not say either. Preprocessing and
            protocols are those published for `xsub` (of NTU RGB+D 60), `xview`, `xsub120` or `xset`; for any
            other split, those for `xsub`.

    Raises:
        KinemeError: the file is missing or damaged, or none of these.

    >>> import kineme
    >>> kineme.load(example_run).method
    'usdrl'
    """
    if is_address(path):
        return load_run(fetch(path), stranger=True)
    path = Path(path)
    if path.is_file() and (system or path.suffix in (".pt", ".pth", ".tar")):
        named = get_layout(layout) if isinstance(layout, str) else layout
        return from_authors(path, system=system, layout=named, stream=stream, split=split)
    return load_run(path)


def load_run(path: str | Path, *, stranger: bool = False) -> Model:
    """The model of a run directory or a safetensors file.

    Args:
        path: of either.
        stranger: refuse parts that are named by a dotted path, because finding them imports a module.

    Raises:
        KinemeError: the file is missing, damaged, or was not written by Kineme.
    """
    file = weights_of(Path(path))
    try:
        with safe_open(file, framework="pt") as opened:
            description = json.loads((opened.metadata() or {})["kineme"])
            state = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (no mapping)
        preprocessed_by = description.get("preprocessing") or description["recipe"]
        if stranger:
            check_loadable(description["config"], str(preprocessed_by["name"]))
        config = config_from_dict(description["config"], where="its settings").to_dict()
        config["data"]["store"] = located(file.parent, config["data"]["store"])
        layout = Layout.from_dict(description["layout"], where="its layout")
        data = description["config"]["data"]
        shape = ClipShape(layout, data["frames"], description["bodies"], data["stream"])
        encoder = encoder_with(config["encoder"], shape, state)
        preprocessing = stored_preprocessing(preprocessed_by)
    except (SafetensorError, *MALFORMED) as error:
        reason = one_line(error)
        raise KinemeError(f"{file}: not a model that this Kineme can load ({reason})") from error
    return Model(
        encoder=encoder.eval(),
        method=config["method"]["name"],
        preprocessing=preprocessing,
        config=config,
        weights=fingerprint(encoder),
        epochs=description.get("epochs"),
        units=description.get("units"),
    )


def check_loadable(config: Mapping[str, Any], preprocessing: str) -> None:
    """Checks that a model's parts are found without importing what somebody names: none has a dotted path.

    Raises:
        KinemeError: one is named by a dotted path.
    """
    named = {part: str(config[part]["name"]) for part in ("encoder", "method")}
    for part, name in {**named, "preprocessing": preprocessing}.items():
        if "." in name:
            raise KinemeError(
                f"{part} {name} is code outside Kineme, which a shared model must not name; put it into a "
                "package that registers it (docs/extend.md)"
            )


def from_authors(
    path: Path,
    *,
    system: str | None = None,
    layout: Layout | None = None,
    stream: str = "joint",
    split: str = "xsub",
) -> Model:
    """The model of a published program's checkpoint; settings that weights do not reveal are as published.

    They are those of the recipe for NTU RGB+D and the split, see `published_recipe`.

    Raises:
        KinemeError: the file cannot be read, or its keys fit no known system.
    """
    state, wrong = read_state(path), []
    for name in [system] if system else SYSTEMS:
        try:
            return _of_method(name, checkpoints.from_authors(name, state, layout), stream, split)
        except KinemeError as error:
            wrong.append(error)
    if system:
        raise wrong[0]
    raise KinemeError(f"{path}: its weights fit none of {', '.join(SYSTEMS)}; set `system` to see why")


def _of_method(system: str, method: Method, stream: str, split: str) -> Model:
    """A published method with the protocols and preprocessing of its recipe for the split."""
    encoder = method.encoder
    encoder.shape = replace(encoder.shape, stream=stream)
    settings = encoder_settings(method)
    recipe = published_recipe(system, settings["name"], split)
    assert recipe is not None, system
    published = load_config(recipe).to_dict()
    preprocessing = published["data"]["preprocessing"]
    data = {"split": split, "stream": stream, "frames": encoder.shape.frames, "preprocessing": preprocessing}
    sections = {
        "data": data,
        "method": published["method"] | method_settings(system, method),
        "encoder": settings,
        "evaluate": published["evaluate"],
    }
    return Model(
        encoder=encoder.eval(),
        method=system,
        preprocessing=parse_preprocessing(preprocessing),
        config=config_from_dict(sections, where=system).to_dict(),
        weights=fingerprint(encoder),
    )
