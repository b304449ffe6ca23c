"""Reads state dicts of published programs: unwraps, renames and checks them."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter
from zipfile import BadZipFile

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.serialization import safe_globals

from kineme.errors import KinemeError, one_line
from kineme.layouts import LAYOUTS, Layout
from kineme.untrusted import check_packing

State = dict[str, Tensor]
WRAPPERS = ("state_dict", "model", "teacher")
SHOWN = 6  # keys named in an error
_USUAL = {25: "ntu25", 17: "coco17"}  # joints → the layout all authors use; others of the size must be named


def read_state(source: str | Path | Mapping[str, Any]) -> State:
    """A flat state dict from a file or mapping, bare or under `state_dict`, `model` or `teacher`.

    Strips the prefix `module.`.

    Raises:
        KinemeError: the file is missing, holds more than tensors, or is not a state dict.
    """
    where = "state dict" if isinstance(source, Mapping) else str(source)
    if not isinstance(source, Mapping):
        source = _read_file(Path(source))
    for wrapper in WRAPPERS:
        if isinstance(source, Mapping) and isinstance(source.get(wrapper), Mapping):
            source = source[wrapper]
            break
    if not isinstance(source, Mapping) or not all(isinstance(v, Tensor) for v in source.values()):
        raise KinemeError(f"{where}: holds no state dict of tensors")
    if repeated := [key for key, value in source.items() if not _is_whole(value)]:
        raise KinemeError(f"{where}: {str(repeated[0])[:80]!r} repeats few numbers in place of a tensor")
    return {str(key).removeprefix("module."): value for key, value in source.items()}


def _read_file(path: Path) -> Any:
    """What a checkpoint holds; no code in it is run."""
    if not path.is_file():
        raise KinemeError(f"{path}: no such checkpoint file")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        check_packing(path)
    except (OSError, ValueError, BadZipFile, SafetensorError) as error:
        raise KinemeError(f"{path}: cannot be read as a checkpoint ({one_line(error)})") from error
    try:
        with safe_globals([Namespace]), catch_warnings():  # MAMP keeps its command line: a plain container
            simplefilter("ignore")  # advice to whoever wrote the file
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # it promises nothing narrower, and advises to load unsafely
        raise KinemeError(
            f"{path}: cannot be read as a checkpoint of tensors; it is damaged, or holds more than tensors "
            "(code in a checkpoint is not run): save its state dict by itself"
        ) from error


def _is_whole(tensor: Tensor) -> bool:
    """Whether a tensor has memory for each of its numbers: a few bytes can claim to be of any size."""
    return (
        tensor.layout == torch.strided
        and tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()
    )


def load_renamed(module: nn.Module, state: State, rename: Callable[[str], str], system: str) -> None:
    """Loads the authors' tensors into a module; `rename` maps our names to theirs.

    Raises:
        KinemeError: keys are missing, unexpected or of another shape (it names them).
    """
    own = module.state_dict()
    wanted = {rename(name): tensor for name, tensor in own.items()}
    complaints = [
        _listed("missing", [key for key in wanted if key not in state]),
        _listed("unexpected", [key for key in state if key not in wanted]),
        _listed(
            "of another shape",
            [
                f"{key} {tuple(state[key].shape)} instead of {tuple(tensor.shape)}"
                for key, tensor in wanted.items()
                if key in state and state[key].shape != tensor.shape
            ],
        ),
    ]
    if any(complaints):
        raise KinemeError(f"not a checkpoint of {system}: " + "; ".join(filter(None, complaints)))
    module.load_state_dict({name: state[rename(name)] for name in own})


def size(state: State, key: str, axis: int, system: str) -> int:
    """The length of one axis of a tensor."""
    if key not in state or state[key].ndim <= axis:
        raise KinemeError(f"not a checkpoint of {system}: missing: {key}")
    return int(state[key].shape[axis])


def layout_of(joints: int, layout: Layout | None) -> Layout:
    """The layout of a checkpoint with V joints: the given one, or the only built-in one with as many.

    Raises:
        KinemeError: the given one has another number of joints; or none or several built-in ones have V.
    """
    if layout is not None:
        if layout.num_joints != joints:
            raise KinemeError(
                f"the checkpoint has {joints} joints, layout {layout.name!r} {layout.num_joints}"
            )
        return layout
    if joints in _USUAL:
        return LAYOUTS[_USUAL[joints]]
    fitting = [each for each in LAYOUTS.values() if each.num_joints == joints]
    if len(fitting) != 1:
        raise KinemeError(f"no single built-in layout has the checkpoint's {joints} joints; set `layout`")
    return fitting[0]


def _listed(what: str, keys: list[str]) -> str:
    more = f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
    return f"{what}: {', '.join(keys[:SHOWN])}{more}" if keys else ""
