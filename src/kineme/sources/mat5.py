"""One numeric array out of a MATLAB file (level 5, MATLAB 5 to 7), in memory that is bounded beforehand.

A file is a header of 128 bytes and a run of elements: a tag of type and size, then that many bytes, padded to
eight. A compressed element holds one other element. A matrix holds elements itself: flags with its class, its
dimensions, its name, its numbers (stored as any type that loses nothing, column by column). scipy.io reads
more of the format; it asks for the memory that a file claims before it looks whether the file has it.
(MathWorks, MAT-File Format, version 7.)
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator

import numpy as np

from kineme.typing import Array

_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_NUMERIC = range(6, 16)  # classes of a matrix: double, single, then integers
_COMPLEX = 0x0800  # among the flags
_MAX_AXES = 32


def read_mat5(data: bytes, name: str, limit: int) -> Array:
    """The real numbers of one variable, in their stored type, with the shape that MATLAB shows.

    Args:
        data: the file.
        name: of the variable.
        limit: bytes that may be unpacked; a file that swells beyond is refused.

    Raises:
        ValueError: the file is none of level 5, is damaged, or holds no such array; the message says why,
            without the file's name.
    """
    if data[:128].startswith(b"MATLAB 7.3") or data[:8] == b"\x89HDF\r\n\x1a\n":
        raise ValueError("is a MATLAB 7.3 file; save it with -v7")
    if len(data) < _HEADER or data[126:128] not in (b"IM", b"MI"):
        raise ValueError("is no MATLAB file of level 5")
    order = "<" if data[126:128] == b"IM" else ">"
    for kind, content in _elements(data[_HEADER:], order):
        if kind == _COMPRESSED:
            content = _unpacked(content, limit)
            limit -= len(content)
            kind, content = next(_elements(content, order), (0, b""))
        if kind != _MATRIX:
            continue
        parts = list(_elements(content, order))
        if len(parts) > 2 and parts[2][1] == name.encode():
            return _array(parts, order)
    raise ValueError(f"holds no variable {name!r}")


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Type and bytes of each element."""
    at = 0
    while at < len(data):
        if at + 8 > len(data):
            raise ValueError("is cut off")
        kind, size = (int(number) for number in np.frombuffer(data, order + "u4", 2, at))
        start = at + 8
        if kind >> 16:  # a small element: its size, its type and up to four bytes in eight
            kind, size, start = kind & 0xFFFF, kind >> 16, at + 4
            if size > 4:
                raise ValueError("holds a small element of more than four bytes")
        if start + size > len(data):
            raise ValueError("is cut off")
        yield kind, data[start : start + size]
        at = start + size
        if kind != _COMPRESSED:
            at += -at % 8


def _unpacked(content: bytes, limit: int) -> bytes:
    unpacking = zlib.decompressobj()
    try:
        data = unpacking.decompress(content, limit + 1)
    except zlib.error as error:
        raise ValueError(f"is damaged ({error})") from error
    if len(data) > limit:
        raise ValueError("swells beyond what such a file can hold")
    if not unpacking.eof:
        raise ValueError("is cut off")
    return data


def _array(parts: list[tuple[int, bytes]], order: str) -> Array:
    """Flags, dimensions, name and numbers of a matrix → its array."""
    if len(parts[0][1]) != 8 or len(parts) != 4:
        raise ValueError("holds no plain array of numbers under that name")
    flags = int(np.frombuffer(parts[0][1], order + "u4", 1)[0])
    kind, numbers = parts[3]
    if flags & 0xFF not in _NUMERIC or flags & _COMPLEX or kind not in _TYPES:
        raise ValueError("holds no plain array of numbers under that name")
    dtype = np.dtype(order + _TYPES[kind])
    if len(parts[1][1]) % 4 or not 2 <= len(parts[1][1]) // 4 <= _MAX_AXES:
        raise ValueError("holds an array of damaged shape")
    shape = tuple(np.frombuffer(parts[1][1], order + "i4").tolist())
    if min(shape) < 0 or math.prod(shape) * dtype.itemsize != len(numbers):
        raise ValueError(f"holds an array of shape {shape}, but {len(numbers):,} bytes of it")
    return np.frombuffer(numbers, dtype).reshape(shape, order="F")
