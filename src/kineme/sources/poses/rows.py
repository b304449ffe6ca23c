"""Rows of a table as they lie in the bytes of its file; their fields are split a block at a time.

The fields of an hour of recordings, let alone of one with a row per joint, would take gigabytes. Functions
raise ValueError with what is wrong, and in which line.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import overload

import numpy as np

from kineme.sources.raw import shown
from kineme.typing import Array

_BLOCK = 1 << 12  # rows whose fields are in memory
_PIECE = 1 << 24  # bytes that are searched for line ends at a time
_NOTHING = ("none", "null", "na", "n/a")  # besides nan, for a joint that was not found
_LF, _CR, _HASH = b"\n\r#"

Row = list[str]


@dataclass(frozen=True)
class Rows(Sequence[tuple[int, Row]]):
    """Line number and fields of rows."""

    data: bytes
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
                    raise ValueError(f"line {number} has {count} fields, {like} {width}")

    def codes(self, column: int) -> tuple[Array, list[str]]:
        """(R,) which text each row has in a column, and the texts in order of appearance."""
        known: dict[str, int] = {}
        codes = np.empty(len(self), np.int32)
        for at, block in self._placed():
            fields = (row[column].strip() for row in block.fields())
            codes[at] = [known.setdefault(field, len(known)) for field in fields]
        return codes, list(known)

    def integers(self, column: int) -> Array:
        """(R,) int64 numbers of frames."""
        numbers = np.empty(len(self), np.int64)
        for at, block in self._placed():
            for place, (number, row) in enumerate(block, start=at.start):
                try:
                    value = float(row[column])
                    numbers[place] = int(value)
                    if value != int(value):
                        raise ValueError
                except (ValueError, OverflowError):
                    raise ValueError(f"line {number}: {shown(row[column])} is not a frame number") from None
        return numbers

    def floats(self, columns: Sequence[int]) -> Array:
        """(R, columns) numbers, float32; an empty field is NaN."""
        values = np.empty((len(self), len(columns)), np.float32)
        with np.errstate(over="ignore"):  # what is beyond float32 is refused as infinite
            for at, block in self._placed():
                values[at] = _floats(block, columns)
        return values

    def _blocks(self) -> Iterator[Rows]:
        return (block for _, block in self._placed())

    def _placed(self) -> Iterator[tuple[slice, Rows]]:
        for first in range(0, len(self), _BLOCK):
            place = slice(first, min(first + _BLOCK, len(self)))
            yield place, self[place]

    def lines(self) -> list[bytes]:
        """The bytes of the rows, all in memory."""
        return [self.data[s:e] for s, e in zip(self.start.tolist(), self.end.tolist(), strict=True)]

    def fields(self) -> list[Row]:
        """The fields of the rows, all in memory."""
        try:
            lines = b"\n".join(self.lines()).decode().split("\n")
        except UnicodeDecodeError as error:
            raise ValueError("is not UTF-8 text") from error
        if not self.quoted:
            return [line.split(self.delimiter) for line in lines]
        try:
            rows = list(csv.reader(lines, delimiter=self.delimiter))
        except csv.Error as error:
            raise ValueError(f"line {self.numbers[0]} or after it: {error}") from error
        if len(rows) != len(lines):
            raise ValueError(f"line {self.numbers[0]} or after it: a field in quotes ends in another line")
        return rows


def rows_of(data: bytes) -> Rows:
    """The rows of a CSV file that are neither blank nor comments, separated by commas, semicolons or tabs."""
    if b"\0" in data:
        raise ValueError("is binary, not a CSV file")
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    start, end = _line_ends(data)
    kept = np.ones(len(start), dtype=bool)
    first = np.frombuffer(data, np.uint8)[start]
    for place in np.flatnonzero(np.isin(first, np.frombuffer(b"#,;\t \r\n", np.uint8))).tolist():
        kept[place] = first[place] != _HASH and bool(data[start[place] : end[place]].strip(b",;\t "))
    if not kept.any():
        raise ValueError("is empty")
    numbers = np.flatnonzero(kept) + 1
    start, end = start[kept], end[kept]
    header = data[start[0] : end[0]]
    delimiter = max(",;\t", key=lambda each: header.count(each.encode()))
    return Rows(data, start, end, numbers, delimiter, b'"' in data)


def _line_ends(data: bytes) -> tuple[Array, Array]:
    """(L,) the first byte of each line, without a byte order mark, and the byte after its last."""
    begin = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    whole = np.frombuffer(data, np.uint8)
    found = [np.flatnonzero(whole[at : at + _PIECE] == _LF) + at for at in range(0, len(data), _PIECE)] or [
        np.zeros(0, np.int64)
    ]
    end = np.concatenate([*found, [len(data)]])
    start = np.concatenate([[begin], end[:-1] + 1])
    there = start < len(data)
    start, end = start[there], end[there]
    return start, end - ((end > start) & (whole[end - 1] == _CR))


def _floats(rows: Rows, columns: Sequence[int]) -> list[list[float]]:
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


def decimal(field: str) -> str:
    """A number with a decimal point, where half the world writes a comma."""
    return field if "." in field else field.replace(",", ".")


def _number(field: str) -> float:
    text = decimal(field).strip()
    return float("nan") if not text or text.lower() in _NOTHING else float(text)
