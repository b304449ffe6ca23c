"""What a folder holds, without the times that no two runs share."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_TIMED = re.compile(r"time|commit|(.*_)?seconds")  # keys whose values no two runs share


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
        if path.suffix == ".csv":
            return repr(_without_times(list(csv.DictReader(io.StringIO(data.decode()))))).encode()
        if path.name == "table.md":  # of a grid; its times and commits
            return re.sub(rb"[\d.]+ (s|min)\b|\b[\da-f]{8}\b", b"", data)
        if path.name == "state.ckpt":
            return _state(path)
    except Exception:  # cut off somewhere
        return data
    return data


def _state(path: Path) -> bytes:
    import torch

    def digest(value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        tensor = value.contiguous()
        return [str(tensor.dtype), *tensor.shape, hashlib.sha256(tensor.numpy().tobytes()).hexdigest()]

    return repr(_without_times(torch.load(path, weights_only=True), digest)).encode()


def _without_times(value: Any, tensor: Callable[[Any], Any] = lambda value: value) -> Any:
    """Dictionaries and lists without the entries that are times; other values as `tensor` puts them."""
    if isinstance(value, dict):
        return {
            key: _without_times(each, tensor) for key, each in value.items() if not _TIMED.fullmatch(str(key))
        }
    if isinstance(value, list | tuple):
        return [_without_times(each, tensor) for each in value]
    return tensor(value)
