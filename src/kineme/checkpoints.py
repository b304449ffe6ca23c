"""Reads and writes weights: our safetensors files, and the published programs' checkpoints.

A `model.safetensors` holds an encoder; its header has what is needed to build and feed it: the run's
configuration, the layout, the number of bodies, and the preprocessing and units of its training clips.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from kineme.authors import SYSTEMS
from kineme.authors.state import read_state
from kineme.encoders import ENCODERS, ClipShape, Encoder
from kineme.encoders.base import COORDINATES
from kineme.errors import KinemeError
from kineme.files import atomic_write
from kineme.layouts import Layout
from kineme.methods import METHODS, Method
from kineme.preprocessing import Preprocessing
from kineme.streams import STREAMS, single_streams

LARGEST_CLIP = 1 << 26  # numbers of one clip that an encoder may be built for
LARGEST_BATCH = 1 << 31  # numbers of the clips of a batch
LARGEST_MODEL = 1 << 30  # numbers that are trained or kept with the trained: 4 GB
LEAST_WEIGHT = 1 << 18  # as how many numbers a weight counts at least: a module takes time and memory too


def build_encoder(settings: Mapping[str, Any], shape: ClipShape) -> Encoder:
    """Builds the encoder of a configuration's `encoder` section.

    Raises:
        KinemeError: it takes one stream only, and the clips are of several.
    """
    arguments = {key: value for key, value in settings.items() if key != "name"}
    encoder = ENCODERS[settings["name"]]
    if len(single_streams(shape.stream)) > 1 and not encoder.several_streams:
        able = " or ".join(name for name in ENCODERS if ENCODERS[name].several_streams)
        raise KinemeError(
            f"encoder {settings['name']} takes one stream, not {shape.stream}; set encoder.name to {able}, "
            f"or data.stream to {', '.join(STREAMS)}"
        )
    return encoder(shape, **arguments)


def encoder_with(settings: Mapping[str, Any], shape: ClipShape, state: Mapping[str, Tensor]) -> Encoder:
    """The encoder of a file's settings, with the weights of the file.

    Settings may be a stranger's. Where they ask for another encoder than the file has weights for, they are
    refused before memory is taken for it. (Encoders from outside Kineme are built as they are.)

    Args:
        settings: the `encoder` section.
        shape: what it is built for.
        state: name → weights.

    Raises:
        KinemeError: as `build_encoder`.
        ValueError, RuntimeError: settings and weights do not match, or a clip of this shape is too large.
    """
    if not 0 < _numbers(shape) <= LARGEST_CLIP:
        raise ValueError(f"its clips have {shape.frames} frames of {shape.bodies} bodies")
    if ENCODERS[settings["name"]].__module__.startswith("kineme."):
        _check_size(settings, shape, state)
    with torch.random.fork_rng(devices=[]):  # loading leaves the program's random numbers as they were
        encoder = build_encoder(settings, shape)
    encoder.load_state_dict(state)
    return encoder


def _check_size(settings: Mapping[str, Any], shape: ClipShape, state: Mapping[str, Tensor]) -> None:
    """Builds the encoder without memory for its weights, and stops where these become too many.

    Some arithmetic on tensors without memory loads PyTorch's compiler, which takes a second: `normal_`, and
    what is not in place. Encoders do without.
    """
    most = 2 * sum(each.numel() for each in state.values())  # some are registered twice
    refusal = ValueError("its settings ask for a larger encoder than it has weights for")
    with weights_within(most, refusal), torch.device("meta"):
        outline = build_encoder(settings, shape)
    if sum(each.numel() for each in outline.buffers()) > LARGEST_CLIP + sum(map(torch.numel, state.values())):
        raise ValueError("its settings ask for more memory than its weights explain")
    for name, each in outline.state_dict().items():
        if name in state and state[name].shape != each.shape:
            raise ValueError(f"{name} is {tuple(state[name].shape)}, and {tuple(each.shape)} by its settings")


def _numbers(shape: ClipShape) -> int:
    """Numbers of one clip."""
    return shape.frames * shape.bodies * shape.layout.num_joints * COORDINATES


@contextmanager
def weights_within(most: int, refusal: Exception, least: int = 1) -> Iterator[None]:
    """Stops the building of modules at the weight with which they have too many.

    Args:
        most: numbers of all weights together.
        refusal: what is raised.
        least: as how many numbers a weight counts that has fewer.
    """
    left = most

    def count(module: nn.Module, name: str, parameter: nn.Parameter) -> None:
        nonlocal left
        left -= max(least, parameter.numel())
        if left < 0:
            raise refusal

    counting = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        counting.remove()


def check_memory(
    encoder: Mapping[str, Any], method: Mapping[str, Any], shape: ClipShape, batch_size: int
) -> None:
    """Refuses settings that ask for absurdly much, such as a depth with a digit too many.

    Memory is not taken for it: encoder and method are built without. Those from outside Kineme, which may not
    be built so, are not checked.

    Args:
        encoder: the `encoder` section.
        method: the `method` section.
        shape: what the encoder is built for.
        batch_size: clips of a batch.

    Raises:
        KinemeError: clips, a batch, encoder or method would be too large; or encoder and method do not fit.
    """
    if _numbers(shape) > LARGEST_CLIP:
        raise KinemeError(f"data.frames is {shape.frames}; clips of so many do not fit in memory, lower it")
    if batch_size * _numbers(shape) > LARGEST_BATCH:
        raise KinemeError(
            f"train.batch_size is {batch_size}; so many clips of {shape.frames} frames do not fit in memory, "
            "lower it, or data.frames"
        )
    parts = ENCODERS[encoder["name"]], METHODS[method["name"]]
    if not all(each.__module__.startswith("kineme.") for each in parts):
        return
    refusal = KinemeError(
        f"these settings ask for an encoder and a method of over {LARGEST_MODEL:,} numbers, or of hundreds "
        "of layers; lower those that set their sizes"
    )
    try:
        with weights_within(LARGEST_MODEL, refusal, LEAST_WEIGHT), torch.device("meta"):
            outline = build_method(method, build_encoder(encoder, shape))
    except RuntimeError as error:
        if "overflow" not in str(error):  # sizes that PyTorch cannot count
            raise
        raise refusal from error
    if sum(each.numel() for each in (*outline.parameters(), *outline.buffers())) > LARGEST_MODEL:
        raise refusal


def build_method(settings: Mapping[str, Any], encoder: Encoder) -> Method:
    """Builds the method of a configuration's `method` section.

    Raises:
        KinemeError: the method needs another kind of encoder, or keeps none.
    """
    kind = METHODS[settings["name"]]
    check_trains(settings["name"], encoder)
    method = kind(encoder, **{key: value for key, value in settings.items() if key != "name"})
    if not isinstance(getattr(method, "encoder", None), Encoder):
        raise KinemeError(
            f"method {settings['name']}: sets no `self.encoder`; set it to the encoder that it is given"
        )
    return method


def check_trains(method: str, encoder: Encoder) -> None:
    """Checks that a method can train an encoder.

    Raises:
        KinemeError: it is not of the method's `encoder_type`; names those that are.
    """
    wanted = METHODS[method].encoder_type
    if not isinstance(encoder, wanted):
        fitting = [name for name in ENCODERS if issubclass(ENCODERS[name], wanted)]
        raise KinemeError(
            f"method {method} cannot train this encoder; set encoder.name to {' or '.join(fitting)}"
        )


def save_encoder(
    path: Path,
    encoder: Encoder,
    preprocessing: Preprocessing,
    config: Mapping[str, Any],
    epochs: int | None = None,
    units: str | None = None,
) -> None:
    """Writes an encoder's weights and description.

    Args:
        path: the safetensors file.
        encoder: the network.
        preprocessing: of its training clips.
        config: the run's complete configuration.
        epochs: of training so far.
        units: of its training clips.

    Raises:
        KinemeError: the file cannot be written.
    """
    description = {
        "preprocessing": preprocessing.to_dict(),
        "layout": encoder.shape.layout.to_dict(),
        "bodies": encoder.shape.bodies,
        "config": config,
        "epochs": epochs,
        "units": units,
    }
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in encoder.state_dict().items()}
    with atomic_write(path) as aside:
        # One entry only: safetensors writes several in random order, and equal runs must give equal files.
        aside.write_bytes(save(state, metadata={"kineme": json.dumps(description)}))


def from_authors(system: str, source: str | Path | Mapping[str, Any], layout: Layout | None = None) -> Method:
    """A method with the weights of a published program's checkpoint, its sizes inferred from the tensors.

    Args:
        system: `aimclr`, `scdnet`, `usdrl`, `mamp` or `slim`.
        source: the checkpoint's path, or its state dict, bare or under `state_dict`, `model` or
            `teacher`, with or without the prefix `module.`.
        layout: of its joints, if their number is ambiguous.

    Returns:
        the method in evaluation mode; `method.encoder(clips).clip` is the feature.

    Raises:
        KinemeError: no such system, an unreadable file, or keys that do not fit (it names them).
    """
    if system not in SYSTEMS:
        raise KinemeError(f"unknown published system {system!r}; choose from {', '.join(SYSTEMS)}")
    return SYSTEMS[system](read_state(source), layout)


def fingerprint(encoder: Encoder) -> str:
    """SHA-256 of an encoder's weights."""
    digest = hashlib.sha256()
    for name, tensor in sorted(encoder.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
