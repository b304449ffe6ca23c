"""Weights in and out: our safetensors files, and the published programs' checkpoints.

A `model.safetensors` holds an encoder; its header says all that is needed to build and feed it: the run's
configuration, the layout, the number of bodies, and the preprocessing of the clips it was trained on.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from kineme.authors import SYSTEMS
from kineme.authors.state import read_state
from kineme.encoders import ENCODERS, ClipShape, Encoder
from kineme.errors import KinemeError
from kineme.files import atomic_write
from kineme.layouts import Layout
from kineme.methods import METHODS, Method
from kineme.preprocessing import Preprocessing, stored_preprocessing

WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Pretrained:
    """An encoder and what belongs to it.

    Attributes:
        encoder: in evaluation mode, float32, on the CPU.
        method: name of the method that trained it.
        preprocessing: of the clips it was trained on.
        stream: joint, bone or motion.
        config: the run's complete configuration.
        weights: SHA-256 of the encoder's weights.
        epochs: it was trained for so many; None where that is not known.
    """

    encoder: Encoder
    method: str
    preprocessing: Preprocessing
    stream: str
    config: Mapping[str, Any]
    weights: str
    epochs: int | None = None

    @property
    def crop(self) -> float:
        """Share of a clip's frames, about its centre, that evaluation looks at."""
        return METHODS[self.method].crop


def build_encoder(settings: Mapping[str, Any], shape: ClipShape) -> Encoder:
    """The encoder of a configuration's `encoder` section."""
    arguments = {key: value for key, value in settings.items() if key != "name"}
    return ENCODERS[settings["name"]](shape, **arguments)


def build_method(settings: Mapping[str, Any], encoder: Encoder) -> Method:
    """The method of a configuration's `method` section, about an encoder it can train.

    Raises:
        KinemeError: the method needs another kind of encoder.
    """
    name = settings["name"]
    if not isinstance(encoder, trainable_by(name)):
        fitting = [each for each, kind in ENCODERS.items() if issubclass(kind, trainable_by(name))]
        raise KinemeError(
            f"method {name} cannot train this encoder; set encoder.name to {' or '.join(fitting)}"
        )
    arguments = {key: value for key, value in settings.items() if key != "name"}
    return METHODS[name](encoder, **arguments)


def trainable_by(method: str) -> type[Encoder]:
    """The kind of encoder that a method trains: what its constructor asks for."""
    parameters = inspect.signature(METHODS[method], eval_str=True).parameters
    kind: type[Encoder] = parameters["encoder"].annotation
    return kind


def save_encoder(
    path: Path,
    encoder: Encoder,
    preprocessing: Preprocessing,
    config: Mapping[str, Any],
    epochs: int | None = None,
) -> None:
    """Writes an encoder's weights and description; the file appears when it is whole.

    Args:
        path: the safetensors file.
        encoder: its state is saved as it is.
        preprocessing: of the clips it was trained on.
        config: the run's complete configuration.
        epochs: it has been trained for so many.

    Raises:
        KinemeError: the file cannot be written.
    """
    description = {
        "preprocessing": preprocessing.to_dict(),
        "layout": encoder.shape.layout.to_dict(),
        "bodies": encoder.shape.bodies,
        "config": config,
        "epochs": epochs,
    }
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in encoder.state_dict().items()}
    with atomic_write(path) as aside:
        # One entry only: the library writes several in a random order, and equal runs make equal files.
        aside.write_bytes(save(state, metadata={"kineme": json.dumps(description)}))


def load_pretrained(path: str | Path) -> Pretrained:
    """The encoder of a run directory, or of one safetensors file.

    Raises:
        KinemeError: nothing is there, the file is damaged or was not written by Kineme.
    """
    path = Path(path)
    file = path / WEIGHTS if path.is_dir() else path
    if not file.is_file():
        raise KinemeError(f"{file}: no such weights; train with `kineme pretrain` or name a run directory")
    try:
        with safe_open(file, framework="pt") as opened:
            description = json.loads((opened.metadata() or {})["kineme"])
            state = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (no mapping)
        config = description["config"]
        layout = Layout.from_dict(description["layout"], where=str(file))
        shape = ClipShape(layout, config["data"]["frames"], description["bodies"])
        encoder = build_encoder(config["encoder"], shape)
        encoder.load_state_dict(state)
        preprocessing = stored_preprocessing(description.get("preprocessing") or description["recipe"])
        method, stream = config["method"]["name"], config["data"]["stream"]
        if method not in METHODS:
            raise ValueError(f"no method is called {method!r}")
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise KinemeError(f"{file}: not a model that this Kineme wrote ({reason})") from error
    return Pretrained(
        encoder=encoder.eval(),
        method=method,
        preprocessing=preprocessing,
        stream=stream,
        config=config,
        weights=_fingerprint(encoder),
        epochs=description.get("epochs"),
    )


def random_like(pretrained: Pretrained, seed: int) -> Pretrained:
    """The same encoder as it was before training: freshly initialised from a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = build_encoder(pretrained.config["encoder"], pretrained.encoder.shape).eval()
    return replace(with_encoder(pretrained, encoder), epochs=0)


def with_encoder(pretrained: Pretrained, encoder: Encoder) -> Pretrained:
    """The same with another encoder, in evaluation mode."""
    return replace(pretrained, encoder=encoder.eval(), weights=_fingerprint(encoder))


def from_authors(system: str, source: str | Path | Mapping[str, Any], layout: Layout | None = None) -> Method:
    """A method with the weights of a published program's checkpoint, its sizes inferred from the tensors.

    Args:
        system: `aimclr`, `scdnet` or `usdrl`.
        source: the checkpoint's path, or its state dict, bare or under `state_dict`, with or without
            `module.`.
        layout: the joints it was trained on, where their number does not tell.

    Returns:
        the method in evaluation mode; `method.encoder(clips).clip` is the feature.

    Raises:
        KinemeError: no such system, an unreadable file, or keys that do not fit, which it names.
    """
    if system not in SYSTEMS:
        raise KinemeError(f"no published system is called {system!r}; there are {', '.join(SYSTEMS)}")
    return SYSTEMS[system](read_state(source), layout)


def _fingerprint(encoder: Encoder) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(encoder.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
