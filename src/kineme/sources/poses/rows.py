"""Rows of a table as they lie in the bytes of its file; their fields are split a block at a time.

The fields of an hour of recordings, let alone of one with a row per joint, would take gigabytes. Functions
raise ValueError with what is wrong, and in which line.
"""

from __future__ import annotations

import codecs
import csv
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import overload

import numpy as np

from kineme.sources.raw import RemediedError, shown
from kineme.typing import Array

_BLOCK = 1 << 12  # rows whose fields are in memory
_PIECE = 1 << 24  # bytes that are searched for line ends at a time
_NOTHING = ("none", "null", "na", "n/a")  # besides nan, for a joint that was not found
_LF, _CR, _HASH = b"\n\r#"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
AS_UTF8 = "save it in UTF-8 (in Excel: CSV UTF-8)"

Row = list[str]


class FileBytes:
    """The bytes of a file that is too large to be held: a slice of them is read when it is asked for.

    Raises:
        OSError: the file cannot be opened, or a slice not read.
        ValueError: it was cut off meanwhile.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self._size = os.fstat(self._file.fileno()).st_size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> bytes:
        first, after, _ = part.indices(self._size)
        self._file.seek(first)
        data = self._file.read(max(after - first, 0))
        if len(data) < after - first:
            raise ValueError("was cut off while it was read")
        return data


@dataclass(frozen=True)
class Rows(Sequence[tuple[int, Row]]):
    """Line number and fields of rows."""

    data: bytes | FileBytes
    start: Array  # (R,) int64, the first byte of each row
    end: Array  # (R,) int64, the byte after its last
    numbers: Array  # (R,) int64, its line, from 1
    delimiter: str
    quoted: bool

    def __len__(self) -> int:
        return len(self.start)

    @overload
    def __getitem__(self, place: int) -> tuple[int, Row]: ...

    @overload
    def __getitem__(self, place: slice | Array) -> Rows: ...

    def __getitem__(self, place: int | slice | Array) -> tuple[int, Row] | Rows:
        if isinstance(place, slice | np.ndarray):
            start, end, numbers = self.start[place], self.end[place], self.numbers[place]
            return replace(self, start=start, end=end, numbers=numbers)
        at = range(len(self))[place]
        return next(iter(self[at : at + 1]))

    def __iter__(self) -> Iterator[tuple[int, Row]]:
        for block in self._blocks():
            yield from zip(block.numbers.tolist(), block.fields(), strict=True)

    def check_width(self, width: int, like: str) -> None:
        """Refuses a row that has not as many fields as what it is to be `like`, such as the header."""
        mark = self.delimiter.encode()
        for block in self._blocks():
            if block.quoted:
                counts = [len(row) for row in block.fields()]
            else:
                counts = [line.count(mark) + 1 for line in block.lines()]
            for number, count in zip(block.numbers.tolist(), counts, strict=True):
                if count != width:
                    raise ValueError(f"line {number}: has {count} fields, {like} {width}")

    def codes(self, column: int) -> tuple[Array, list[str]]:
        """(R,) which text each row has in a column, and the texts in order of appearance."""
        known: dict[str, int] = {}
        fields = (field.strip() for _, field in self.column(column))
        codes = np.fromiter((known.setdefault(field, len(known)) for field in fields), np.int32, len(self))
        return codes, list(known)

    def changes(self, column: int) -> Array:
        """(R,) bool, in which rows a column has another text than in the row before; not in the first."""
        before: str | None = None
        changed = np.empty(len(self), bool)
        for place, (_, field) in enumerate(self.column(column)):
            changed[place] = before is not None and field.strip() != before
            before = field.strip()
        return changed

    def integers(self, column: int) -> Array:
        """(R,) int64 numbers of frames."""
        numbers = np.empty(len(self), np.int64)
        for place, (number, field) in enumerate(self.column(column)):
            try:
                value = float(field)
                numbers[place] = int(value)
                if value != int(value):
                    raise ValueError
            except (ValueError, OverflowError):
                raise ValueError(f"line {number}: {shown(field)} is not a frame number") from None
        return numbers

    def floats(self, columns: Sequence[int]) -> Array:
        """(R, columns) numbers, float32; an empty field is NaN."""
        values = np.empty((len(self), len(columns)), np.float32)
        with np.errstate(over="ignore"):  # what is beyond float32 is refused as infinite
            for at, block in self._placed():
                values[at] = _floats(block, columns)
        return values

    def column(self, column: int) -> Iterator[tuple[int, str]]:
        """The line number of each row, and its field in a column."""
        for block in self._blocks():
            fields = block.fields(column + 1)
            yield from zip(block.numbers.tolist(), (row[column] for row in fields), strict=True)

    def _blocks(self) -> Iterator[Rows]:
        return (block for _, block in self._placed())

    def _placed(self) -> Iterator[tuple[slice, Rows]]:
        for first in range(0, len(self), _BLOCK):
            place = slice(first, min(first + _BLOCK, len(self)))
            yield place, self[place]

    def lines(self) -> list[bytes]:
        """The bytes of the rows, all in memory."""
        data, before = self.data, 0
        if isinstance(data, FileBytes) and len(self):
            before = int(self.start[0])
            data = data[before : int(self.end[-1])]
        edges = zip((self.start - before).tolist(), (self.end - before).tolist(), strict=True)
        return [data[start:end] for start, end in edges]

    def texts(self) -> list[str]:
        """The text of the rows, all in memory."""
        try:
            return b"\n".join(self.lines()).decode().split("\n")
        except UnicodeDecodeError as error:
            raise RemediedError("is not UTF-8 text", AS_UTF8) from error

    def fields(self, most: int = -1) -> list[Row]:
        """The fields of the rows, all in memory; the first `most` may be all that are told apart."""
        lines = self.texts()
        if not self.quoted:
            return [line.split(self.delimiter, most) for line in lines]
        try:
            rows = list(csv.reader(lines, delimiter=self.delimiter))
        except csv.Error as error:
            raise ValueError(f"line {self.numbers[0]} or after it: {error}") from error
        if len(rows) != len(lines):
            raise ValueError(f"line {self.numbers[0]} or after it: a field in quotes ends in another line")
        return rows


def in_utf8(data: bytes) -> bytes:
    """Text as it is, UTF-16 with its mark (so Windows writes "Unicode") as UTF-8.

    >>> in_utf8("hip_x".encode("utf-16")), in_utf8(b"hip_x")
    (b'hip_x', b'hip_x')
    """
    return data.decode("utf-16", errors="replace").encode() if data.startswith(_UTF16) else data


def rows_of(data: bytes | FileBytes) -> Rows:
    """The rows of a CSV file that are neither blank nor comments, separated by commas, semicolons or tabs.

    A line about the file that stands above its header, with a blank line between them, is no row.
    """
    if isinstance(data, bytes):
        data = in_utf8(data)
        if b"\n" not in data:
            data = data.replace(b"\r", b"\n")
    elif data[:2] in _UTF16:
        raise RemediedError("is UTF-16 text, and too long to be read as such", AS_UTF8)
    start, end, first, quoted = _lines(data)
    kept = np.ones(len(start), dtype=bool)
    for place in np.flatnonzero(np.isin(first, np.frombuffer(b"#,;\t \r\n", np.uint8))).tolist():
        kept[place] = first[place] != _HASH and bool(data[start[place] : end[place]].strip(b",;\t "))
    if not kept.any():
        raise ValueError("is empty")
    numbers = np.flatnonzero(kept) + 1
    start, end = start[kept], end[kept]
    header = data[start[0] : end[0]]
    if len(numbers) > 2 and numbers[1] > numbers[0] + 1:
        second = data[start[1] : end[1]]
        if _fields(second) > _fields(header):
            numbers, start, end, header = numbers[1:], start[1:], end[1:], second
    delimiter = max(",;\t", key=lambda each: header.count(each.encode()))
    return Rows(data, start, end, numbers, delimiter, quoted)


def _fields(line: bytes) -> int:
    return 1 + max(line.count(mark) for mark in (b",", b";", b"\t"))


def _lines(data: bytes | FileBytes) -> tuple[Array, Array, Array, bool]:
    """(L,) the first byte of each line, without a byte order mark, the byte after its last, and what its
    first byte is; and whether there are quotation marks. What is too large to be held is read in pieces."""
    begin = 3 if data[:3] == b"\xef\xbb\xbf" else 0
    ends, shortened, firsts, quoted = [], [], [np.frombuffer(data[begin : begin + 1], np.uint8)], False
    for at in range(0, len(data), _PIECE):
        before = max(at - 1, 0)
        piece = data[before : at + _PIECE + 1]  # with the byte before it and the one after it
        if b"\0" in piece:
            raise ValueError("is binary, not a CSV file")
        quoted = quoted or b'"' in piece
        codes = np.frombuffer(piece, np.uint8)
        found = np.flatnonzero(codes[at - before : at - before + _PIECE] == _LF) + at - before
        ends.append(found + before)
        shortened.append((found > 0) & (codes[found - 1] == _CR))
        firsts.append(codes[found[found + 1 < len(codes)] + 1])
    end = np.concatenate([*ends, [len(data)]])
    start = np.concatenate([[begin], end[:-1] + 1])
    cut = np.concatenate([*shortened, [data[max(len(data) - 1, 0) :] == b"\r"]])
    there = start < len(data)
    start, end, cut = start[there], end[there], cut[there]
    return start, end - ((end > start) & cut), np.concatenate(firsts)[: len(start)], quoted


def _at_once(lines: Sequence[str], delimiter: str, columns: Sequence[int]) -> Array | None:
    """(lines, columns) numbers by NumPy's parser, float64; an empty field is NaN.

    It takes a third of the time of Python's `float`, and gives the same numbers. None where a field is not
    what both take for a number.
    """
    text, nothing = "\n".join(["", *lines, ""]), f"{delimiter}nan{delimiter}"
    for _ in range(2):  # the second of three delimiters in a row ends one empty field and begins another
        text = text.replace(2 * delimiter, nothing)
    text = text.replace(f"{delimiter}\n", f"{delimiter}nan\n").replace(f"\n{delimiter}", f"\nnan{delimiter}")
    try:
        values: Array = np.loadtxt(
            io.StringIO(text), np.float64, delimiter=delimiter, usecols=columns, comments=None, ndmin=2
        )
    except ValueError:
        return None
    return values if len(values) == len(lines) else None


def _floats(rows: Rows, columns: Sequence[int]) -> Array | list[list[float]]:
    found = None if rows.quoted else _at_once(rows.texts(), rows.delimiter, columns)
    if found is not None:
        return found
    fields = rows.fields()
    try:
        return [[float(row[column] or "nan") for column in columns] for row in fields]
    except ValueError:
        for number, row in zip(rows.numbers.tolist(), fields, strict=True):
            for column in columns:
                if not is_number(row[column]):
                    raise ValueError(f"line {number}: {shown(row[column])} is not a number") from None
        return [[_number(row[column]) for column in columns] for row in fields]


def is_number(field: str) -> bool:
    """Whether it is a number, or stands for none."""
    try:
        _number(field)
    except ValueError:
        return False
    return True


def is_float(field: str) -> bool:
    """Whether it is a number as Python writes one."""
    try:
        float(field)
    except ValueError:
        return False
    return True


def decimal(field: str) -> str:
    """A number with a decimal point, where half the world writes a comma."""
    return field if "." in field else field.replace(",", ".")


def _number(field: str) -> float:
    text = decimal(field).strip()
    return float("nan") if not text or text.lower() in _NOTHING else float(text)
