"""The container of C3D: header, parameters, and the frames as a view of the file.

Own and small, because a reader that shares our process must refuse a damaged file, not end the process, and
must not unpack the force plates and muscles of a laboratory to find its markers. The format is described at
c3d.org. All numbers are read with the byte order and the floats (IEEE or DEC) that the parameter section
announces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kineme.sources.poses.arrays import MAX_FRAMES
from kineme.typing import Array

BLOCK = 512
_INTEL, _DEC, _MIPS = 84, 85, 86
_MAX_PARAMETERS = 1 << 20  # bytes
_MANY = (1 << 16) - 1  # frames, or more, of which another place says how many
_SIZES = {-1: 1, 1: 1, 2: 2, 4: 4}  # bytes of a parameter's elements, by type; -1 is text

Groups = Mapping[str, Mapping[str, "Array | list[str]"]]


@dataclass(frozen=True)
class C3DFile:
    """An opened file; `buffer` may be a memory map."""

    buffer: Array  # bytes
    groups: Groups  # group → parameter → numbers (1-D), or lines of text
    processor: int

    def numbers(self, group: str, name: str) -> list[float]:
        """A parameter's numbers, all finite; empty if there is none."""
        found = self.groups.get(group, {}).get(name, [])
        return [] if isinstance(found, list) else np.nan_to_num(found).astype(float).tolist()

    def number(self, group: str, name: str, default: float) -> float:
        """A parameter's first number."""
        found = self.numbers(group, name)
        return found[0] if found else default

    def texts(self, group: str, name: str) -> list[str]:
        """A parameter's lines, those of NAME2, NAME3, ... too: a list that is long is split so."""
        lines: list[str] = []
        for suffix in ("", *range(2, 100)):
            found = self.groups.get(group, {}).get(f"{name}{suffix}")
            if not isinstance(found, list):
                break
            lines += found
        return lines

    def points(self) -> tuple[Array, Array]:
        """(T, N, 3) coordinates in the units of the file, and whether each was measured (T, N)."""
        order = _order(self.processor)
        words = self.buffer[:BLOCK].view(f"{order}u2")
        count, analog = int(words[1]), int(words[2])
        count = int(self.number("POINT", "USED", count)) % (1 << 16)
        scale = self.number("POINT", "SCALE", float(_floats(self.buffer[12:16], self.processor)[0]))
        start = (int(self.number("POINT", "DATA_START", float(words[8]))) % (1 << 16) - 1) * BLOCK
        width = 4 if scale < 0 else 2
        size = (4 * count + analog) * width
        frames = self._frames(words, start, size)
        if start < BLOCK or count == 0 or frames == 0:
            return np.zeros((frames, 0, 3), np.float32), np.zeros((frames, 0), bool)
        rows = self._rows(start, frames, size)[:, : 4 * count * width]
        if width == 4:
            values = _floats(rows, self.processor).reshape(frames, count, 4)
            measured: Array = values[..., 3] >= 0
            return values[..., :3], measured
        whole = np.ascontiguousarray(rows).view(f"{order}i2").reshape(frames, count, 4)
        return whole[..., :3] * np.float32(scale), whole[..., 3] >= 0

    def rotations(self) -> Array:
        """(T, N, 4, 4) poses of segments, as Theia3D writes them."""
        count = int(self.number("ROTATION", "USED", 0)) % (1 << 16)
        start = (int(self.number("ROTATION", "DATA_START", 0)) % (1 << 16) - 1) * BLOCK
        if count == 0 or start < BLOCK:
            return np.zeros((0, 0, 4, 4), np.float32)
        size, words = count * 17 * 4, self.buffer[:BLOCK].view(f"{_order(self.processor)}u2")
        frames = self._frames(words, start, size * self.ratio) * self.ratio
        rows = self._rows(start, frames, size)
        values = _floats(rows, self.processor).reshape(frames, count, 17)
        poses = values[..., :16].reshape(frames, count, 4, 4).swapaxes(-1, -2)  # written column by column
        return np.where((values[..., 16] >= 0)[..., None, None], poses, np.float32(np.nan))

    @property
    def rate(self) -> float:
        """Frames of points a second; 0 if the file does not say."""
        return self.number("POINT", "RATE", 0) or float(_floats(self.buffer[20:24], self.processor)[0])

    @property
    def ratio(self) -> int:
        """Frames of segments for each of points."""
        return max(int(self.number("ROTATION", "RATIO", 1)), 1)

    def _frames(self, words: Array, start: int, size: int) -> int:
        """How many frames of so many bytes there are.

        What the header says are those of the cameras, some of which may have been left out. More than 16 bits
        can say are said in another place; where none does, as in files of ezc3d, all that there is room for.
        """
        frames = int(self.number("POINT", "FRAMES", 0))
        frames += (frames < 0) << 16  # 16 bits without a sign, or a float
        ends = [self.numbers("TRIAL", f"ACTUAL_{end}_FIELD") for end in ("START", "END")]
        first, last = (
            (int(each[0]) % (1 << 16)) + (int(each[1]) % (1 << 16) << 16) if len(each) == 2 else 0
            for each in ends
        )
        trial = last - first + 1 if last else 0
        for other in (trial, int(self.number("POINT", "LONG_FRAMES", 0))):
            if other and frames in (0, _MANY, other % (1 << 16)):
                frames = other
        frames = frames or int(words[4]) - int(words[3]) + 1
        if frames == _MANY:
            frames = max(frames, (len(self.buffer) - start) // max(size, 1))
        if not 0 <= frames <= MAX_FRAMES:
            raise ValueError(f"says {frames:,} frames; expected up to {MAX_FRAMES:,}")
        return frames

    def _rows(self, start: int, frames: int, size: int) -> Array:
        if start + frames * size > len(self.buffer):
            there = max(len(self.buffer) - start, 0) // size
            raise ValueError(f"says {frames:,} frames and has {there:,}; it is cut off or damaged")
        return self.buffer[start : start + frames * size].reshape(frames, size)


def open_c3d(buffer: Array) -> C3DFile:
    """Bytes, at least those of the header and the parameters → the file.

    Raises:
        ValueError: they are no C3D file, or its parameters are damaged.
    """
    if len(buffer) < 2 * BLOCK or buffer[1] != 0x50:
        raise ValueError("is not a C3D file")
    start = (int(buffer[0]) - 1) * BLOCK
    if not BLOCK <= start <= len(buffer) - BLOCK:
        raise ValueError("has no parameters where its header says; it is damaged")
    processor = int(buffer[start + 3])
    if processor not in (_INTEL, _DEC, _MIPS):
        raise ValueError(f"was written by an unknown processor ({processor})")
    section = bytes(
        buffer[start : start + min(int(buffer[start + 2]) * BLOCK or _MAX_PARAMETERS, _MAX_PARAMETERS)]
    )
    try:
        return C3DFile(buffer, _groups(section, processor), processor)
    except (IndexError, ValueError) as error:
        raise ValueError("has damaged parameters") from error


def _groups(section: bytes, processor: int) -> dict[str, dict[str, Array | list[str]]]:
    names: dict[int, str] = {}
    found: dict[int, dict[str, Array | list[str]]] = {}
    order = "big" if processor == _MIPS else "little"
    at = 4
    while at + 2 < len(section) and section[at]:
        length, number = abs(_signed(section[at])), _signed(section[at + 1])
        name = section[at + 2 : at + 2 + length].decode("latin-1").strip().upper()
        at += 2 + length
        step = int.from_bytes(section[at : at + 2], order)  # type: ignore[arg-type]
        if number < 0:
            names[-number] = name
        else:
            found.setdefault(number, {})[name] = _value(section, at + 2, processor)
        if step < 2:
            break
        at += step
    return {names[number]: values for number, values in found.items() if number in names}


def _value(section: bytes, at: int, processor: int) -> Array | list[str]:
    kind, dimensions = _signed(section[at]), section[at + 1]
    if kind not in _SIZES or dimensions > 7:
        raise ValueError("parameter")
    shape = list(section[at + 2 : at + 2 + dimensions])
    count = int(np.prod(shape, dtype=np.int64))
    data = section[at + 2 + dimensions : at + 2 + dimensions + count * _SIZES[kind]]
    if len(data) < count * _SIZES[kind]:
        raise ValueError("parameter")
    if kind == -1:
        width = shape[0] if shape else 1
        text = data.decode("latin-1")
        return [text[i : i + width].strip(" \0") for i in range(0, len(text), max(width, 1))]
    values = np.frombuffer(data, np.uint8)
    if kind == 4:
        return _floats(values, processor)
    return values.view({1: "i1", 2: f"{_order(processor)}i2"}[kind])


def _floats(values: Array, processor: int) -> Array:
    """Bytes (..., 4·n) → float32 (..., n). DEC's have their halves swapped and are four times as large."""
    values = np.ascontiguousarray(values)
    if processor == _DEC:
        halves = values.view("<u2").reshape(*values.shape[:-1], -1, 2)
        swapped = (halves[..., 0].astype(np.uint32) << 16) | halves[..., 1]
        quarters: Array = swapped.view(np.float32) / np.float32(4)
        return quarters
    return values.view(f"{_order(processor)}f4").astype(np.float32)


def _order(processor: int) -> str:
    return ">" if processor == _MIPS else "<"


def _signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte
