"""MATLAB's files of level 5, which MATLAB 5 to 7 write: numbers, text, cells and structs are read.

A file is a header of 128 bytes, and elements: a type and a size, then data, filled up to 8 bytes. A variable
is an element `matrix` (flags, dimensions, name, contents), which may lie deflated in another. (MathWorks,
MAT-File Format.)

SciPy reads these files too. A damaged type code in one makes it crash, however, and it inflates whatever is
in a file, so strangers' files are read here. Sizes are checked before anything is allocated.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from kineme.sources.raw import RemediedError, shown
from kineme.typing import Array

_HDF5 = b"\x89HDF\r\n\x1a\n"
_HEADER = 128
_MATRIX, _DEFLATED, _UTF8, _UTF16, _UTF32 = 14, 15, 16, 17, 18
_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_CELL, _STRUCT, _CHAR, _NUMBERS = 1, 2, 4, range(6, 16)
_COMPLEX = 0x0800
_DEEPEST = 8  # cells in structs in cells
_MOST_VALUES = 1 << 16
_MOST_AXES = 8
_MOST_TEXT = 1 << 20


@dataclass
class _Reader:
    """What is left to a file that is being read.

    Attributes:
        order: of bytes, `<` or `>`.
        inflated: bytes that it may still inflate to.
        values: that it may still have.
    """

    order: str
    inflated: int
    values: int = _MOST_VALUES

    def elements(self, data: memoryview) -> Iterator[tuple[int, memoryview]]:
        """Types and contents of elements that lie one after another."""
        at = 0
        while at + 8 <= len(data):
            kind, size = (int(each) for each in np.frombuffer(data[at : at + 8], f"{self.order}u4"))
            if kind >> 16:  # both in four bytes, and the contents in the next four
                kind, size, begin, after = kind & 0xFFFF, kind >> 16, at + 4, at + 8
            else:
                begin = at + 8
                after = begin + size + (-size % 8 if kind != _DEFLATED else 0)
            if begin + size > min(len(data), after):
                raise ValueError("is cut off or damaged: an element is longer than what holds it")
            yield kind, data[begin : begin + size]
            at = after

    def variable(self, kind: int, data: memoryview) -> tuple[str, Any]:
        """Name and value of an element of the file."""
        if kind == _DEFLATED:
            inflater = zlib.decompressobj()
            try:
                content = inflater.decompress(data, self.inflated + 1)
            except zlib.error as error:
                raise ValueError(f"is damaged ({error})") from error
            if len(content) > self.inflated:
                raise ValueError("inflates to more than a clip can have")
            if not inflater.eof:
                raise ValueError("is cut off or damaged: a variable ends early")
            self.inflated -= len(content)
            kind, data = next(self.elements(memoryview(content)), (0, memoryview(b"")))
        if kind != _MATRIX:
            raise ValueError(f"is damaged: it has an element of type {kind} where a variable belongs")
        return self.matrix(data, 0)

    def matrix(self, data: memoryview, depth: int) -> tuple[str, Any]:
        """Name and value, None of a kind that is not read."""
        self.values -= 1
        if self.values < 0 or depth > _DEEPEST:
            raise ValueError(f"has more than {_MOST_VALUES:,} values, or deeper ones than a clip's")
        parts = self.elements(data)
        head = [part for _, part in zip(range(3), parts, strict=False)]
        if not head:
            return "", np.zeros((0, 0))  # an empty one has no contents at all
        if len(head) < 3 or len(head[0][1]) != 8 or len(head[1][1]) % 4:
            raise ValueError("is damaged: a variable lacks its dimensions or its name")
        flags = int(np.frombuffer(head[0][1], f"{self.order}u4")[0])
        shape = tuple(np.frombuffer(head[1][1], f"{self.order}i4").tolist())
        if not 2 <= len(shape) <= _MOST_AXES or min(shape) < 0:
            raise ValueError(f"is damaged: a variable has the shape {shown(shape)}")
        name = bytes(head[2][1]).decode("utf-8", errors="replace")
        kind = flags & 0xFF
        if kind in _NUMBERS and not flags & _COMPLEX:
            return name, self.numbers(next(parts, (0, memoryview(b""))), shape)
        if kind == _CHAR:
            return name, self.text(next(parts, (0, memoryview(b""))), shape)
        if kind == _CELL:
            return name, [self.inner(each, depth) for each in parts]
        return name, self.struct(parts, shape, depth) if kind == _STRUCT else None

    def inner(self, element: tuple[int, memoryview], depth: int) -> Any:
        """The value of a matrix in another."""
        if element[0] != _MATRIX:
            raise ValueError(f"is damaged: it has an element of type {element[0]} where a value belongs")
        return self.matrix(element[1], depth + 1)[1]

    def numbers(self, element: tuple[int, memoryview], shape: tuple[int, ...]) -> Array:
        """Numbers as they are stored: doubles that are small integers are stored as those."""
        kind, data = element
        if kind not in _TYPES:
            raise ValueError(f"is damaged: it has numbers of type {kind}")
        dtype = np.dtype(self.order + _TYPES[kind])
        if math.prod(shape) * dtype.itemsize != len(data):
            raise ValueError(f"is damaged: it has {len(data):,} bytes of numbers of shape {shown(shape)}")
        return np.frombuffer(data, dtype).reshape(shape, order="F")

    def text(self, element: tuple[int, memoryview], shape: tuple[int, ...]) -> str:
        """The text of a variable; rows of more than one are joined."""
        kind, data = element
        width = {2: 1, 1: 1, 4: 2, _UTF8: 1, _UTF16: 2, _UTF32: 4}.get(kind)
        if width is None or len(data) > _MOST_TEXT:
            raise ValueError(f"is damaged: it has {len(data):,} bytes of text of type {kind}")
        wide = {1: "utf-8", 2: "utf-16", 4: "utf-32"}[width]
        codec = wide if width == 1 else f"{wide}-{'le' if self.order == '<' else 'be'}"
        found = bytes(data).decode(codec, errors="replace")
        rows = shape[0]
        return (
            found
            if rows <= 1
            else "\n".join(found[row::rows].rstrip() for row in range(min(rows, len(found))))
        )

    def struct(self, parts: Iterator[tuple[int, memoryview]], shape: tuple[int, ...], depth: int) -> Any:
        """Field → value; of several structs a list of these."""
        sizes = [part for _, part in zip(range(2), parts, strict=False)]
        if len(sizes) < 2 or len(sizes[0][1]) != 4:
            raise ValueError("is damaged: a struct lacks the names of its fields")
        width = int(np.frombuffer(sizes[0][1], f"{self.order}i4")[0])
        packed = bytes(sizes[1][1])
        if not 1 <= width <= 256 or len(packed) % width:
            raise ValueError("is damaged: names of fields have the wrong length")
        fields = [
            packed[at : at + width].partition(b"\0")[0].decode("utf-8", errors="replace")
            for at in range(0, len(packed), width)
        ]
        values = [self.inner(each, depth) for each in parts]
        if len(values) != len(fields) * math.prod(shape):
            raise ValueError("is damaged: a struct has another number of values than of fields")
        step = max(len(fields), 1)
        found = [dict(zip(fields, values[at : at + step], strict=True)) for at in range(0, len(values), step)]
        return found[0] if len(found) == 1 else found


def is_hdf5(data: bytes) -> bool:
    """Whether a file is of version 7.3, which is HDF5 after a header."""
    return data[:10] == b"MATLAB 7.3" or _HDF5 in (data[:8], data[512:520])


def matlab_variables(data: bytes, limit: int) -> dict[str, Any]:
    """The bytes of a MATLAB file → its variables: arrays, text, lists (cells) and dicts (structs); None for
    those of other kinds, such as complex numbers, sparse matrices, functions and objects.

    Args:
        data: the file.
        limit: bytes to which its variables may inflate in all.

    Raises:
        ValueError: it is damaged, of another level, or inflates to more.
    """
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if is_hdf5(data):
        raise RemediedError("is a MATLAB file of version 7.3", "save it by save(name, '-v7')")
    if order is None or len(data) < _HEADER:
        raise ValueError("is not a MATLAB file of the versions 5 to 7")
    reader = _Reader(order, limit)
    found = {}
    for kind, part in reader.elements(memoryview(data)[_HEADER:]):
        name, value = reader.variable(kind, part)
        if name:
            found[name] = value
    if not found:
        raise ValueError("has no variables; it is cut off or damaged")
    return found
