"""Writes small C3D files in every dialect, for readers to be tried on."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from kineme.typing import Array

INTEL, DEC, MIPS = 84, 85, 86
Parameters = Mapping[str, Mapping[str, Sequence[str] | Sequence[float] | Sequence[int]]]


def c3d_bytes(
    points: Array,
    labels: Sequence[str],
    *,
    processor: int = INTEL,
    scale: float = -1.0,
    rate: float = 100.0,
    units: str = "mm",
    analog: int = 0,
    more: Parameters | None = None,
) -> bytes:
    """(T, N, 3) points, NaN for what was not measured; floats if `scale` is negative, else integers."""
    frames, count = points.shape[:2]
    order = ">" if processor == MIPS else "<"
    extra = more or {}
    groups = {
        **extra,
        "POINT": {
            "USED": [count], "SCALE": [float(scale)], "RATE": [float(rate)], "FRAMES": [frames],
            "DATA_START": [0], "LABELS": list(labels), "UNITS": [units],
            **extra.get("POINT", {}),
        },
    }  # fmt: skip
    blocks = -(-len(_section(groups, processor, 1, 0)) // 512)
    start = 2 + blocks
    section = _section(groups, processor, blocks, start).ljust(512 * blocks, b"\0")
    words = np.zeros(256, f"{order}u2")
    words[1:5], words[8], words[9] = (count, analog, 1, frames), start, analog
    header = bytearray(words.tobytes())
    header[0], header[1] = 2, 0x50
    header[12:16], header[20:24] = _float(scale, processor), _float(rate, processor)
    missing = np.isnan(points).any(axis=-1)
    rows = np.concatenate([np.nan_to_num(points), np.where(missing, -1.0, 0.0)[..., None]], axis=-1)
    body = b""
    for row in rows:
        if scale < 0:
            body += b"".join(_float(number, processor) for number in row.ravel()) + b"\1\2\3\4" * analog
        else:
            whole = np.where(np.arange(4) < 3, np.round(row / scale), row).astype(f"{order}i2")
            body += whole.tobytes() + b"\1\2" * analog
    data = bytes(header) + section + body
    return data + b"\0" * (-len(data) % 512)


def _float(number: float, processor: int) -> bytes:
    if processor == DEC:
        high, low = struct.unpack(">HH", struct.pack(">f", number * 4))
        return struct.pack("<HH", high, low)
    return struct.pack(">f" if processor == MIPS else "<f", number)


def _section(groups: Parameters, processor: int, blocks: int, start: int) -> bytes:
    order = ">" if processor == MIPS else "<"
    out = bytes([1, 0x50, blocks, processor])
    for number, (group, parameters) in enumerate(groups.items(), start=1):
        out += struct.pack("bb", len(group), -number) + group.encode() + struct.pack(f"{order}hB", 3, 0)
        for name, values in parameters.items():
            values = [start] if name == "DATA_START" else values
            if values and isinstance(values[0], str):
                width = max(len(str(value)) for value in values)
                content = struct.pack("bBBB", -1, 2, width, len(values))
                content += b"".join(str(value).ljust(width).encode() for value in values)
            elif values and isinstance(values[0], float):
                content = struct.pack("bBB", 4, 1, len(values)) + b"".join(
                    _float(float(v), processor) for v in values
                )
            else:
                content = struct.pack(f"{order}bBB{len(values)}H", 2, 1, len(values), *values)
            out += struct.pack("bb", len(name), number) + name.encode()
            out += struct.pack(f"{order}h", 3 + len(content)) + content + b"\0"
    return out + b"\0\0"


def write_by_ezc3d(
    path: Path,
    points: Array,
    parameters: Parameters,
    rotations: Array | None = None,
) -> None:
    """A file that ezc3d writes: points (3, V, T), parameters by group and name, poses (4, 4, V, T).

    In a process of its own: in Python 3.12 it cannot write beside other modules made by SWIG, such as faiss.
    """
    with get_context("spawn").Pool(1) as process:
        process.apply(_written, (path, points, parameters, rotations))


def _written(path: Path, points: Array, parameters: Parameters, rotations: Array | None) -> None:
    import ezc3d

    file = ezc3d.c3d()
    file["data"]["points"] = np.pad(points, ((0, 1), (0, 0), (0, 0)), constant_values=1)
    if rotations is not None:
        file["data"]["rotations"] = rotations
    for group, named in parameters.items():
        for name, value in named.items():
            file.add_parameter(group, name, value)
    file.write(str(path))
