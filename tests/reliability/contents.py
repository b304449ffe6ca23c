"""What a folder holds, without the times that no two runs share."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TIMES = {
    "results/*.json": "time, seconds",
    "history.csv": "seconds",
    "state.ckpt": "seconds in the rows of the history",
}
_TIMED = {"time", "seconds", "training_seconds", "hours"}


def snapshot(folder: Path, outside: dict[str, bytes]) -> dict[str, str]:
    """Name → digest of all in a folder."""
    found = {name: hashlib.sha256(data).hexdigest() for name, data in outside.items()}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir():
            found[f"{name}/"] = "folder"
        else:
            found[name] = hashlib.sha256(timeless(path)).hexdigest()
    return found


def differences(expected: dict[str, str], found: dict[str, str]) -> Iterator[str]:
    """Each file that is missing, left over or other, in words."""
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            yield f"{name} is missing"
        elif name not in expected:
            yield f"{name} is left over"
        elif expected[name] != found[name]:
            yield f"{name} has other bytes"


def timeless(path: Path) -> bytes:
    """The bytes of a file without its times; damaged ones as they are."""
    data = path.read_bytes()
    try:
        if path.suffix == ".json":
            return json.dumps(_without_times(json.loads(data))).encode()
        if path.name == "history.csv":
            return repr(
                [{**row, "seconds": ""} for row in csv.DictReader(io.StringIO(data.decode()))]
            ).encode()
        if path.name == "state.ckpt":
            return _state(path)
    except Exception:  # cut off somewhere
        return data
    return data


def _state(path: Path) -> bytes:
    import torch

    return repr(_plain(torch.load(path, weights_only=True))).encode()


def _plain(value: Any) -> Any:
    import torch

    if isinstance(value, torch.Tensor):
        return (str(value.dtype), tuple(value.shape), hashlib.sha256(value.numpy().tobytes()).hexdigest())
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items() if key not in _TIMED}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_times(each) for key, each in value.items() if key not in _TIMED}
    return [_without_times(each) for each in value] if isinstance(value, list) else value
