"""Lists that people write by hand: tables of names and labels, as spreadsheets save them."""

from __future__ import annotations

import codecs
import csv
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from kineme.arguments import did_you_mean
from kineme.sources.poses.rows import in_utf8

MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class ListFile:
    """A table with a header.

    Attributes:
        titles: of the columns, as written, without spaces around them.
        rows: the number of each row's last line in the file, and its fields; blank rows are left out.
        delimiter: between fields: a comma, a semicolon or a tab, whichever the first line has most of.
        encoding: to write it in again: UTF-8, with a byte order mark if it began with one. Without it, Excel
            reads letters outside ASCII wrongly.
    """

    titles: tuple[str, ...]
    rows: tuple[tuple[int, list[str]], ...]
    delimiter: str
    encoding: str

    @property
    def columns(self) -> list[str]:
        """The titles in lower case."""
        return [title.lower() for title in self.titles]


def read_list(data: bytes) -> ListFile:
    """A table in UTF-8 or UTF-16, with or without a byte order mark, separated by commas, semicolons or tabs.

    Letters with accents are put together (NFC), as in the names of clips: macOS takes those of files apart.

    Raises:
        ValueError: it is not text, or its quotation marks do not match.

    >>> read_list("Name;Label\\r\\nwalk;go, slowly\\r\\n".encode("utf-8-sig")).rows
    ((2, ['walk', 'go, slowly']),)
    """
    text = unicodedata.normalize("NFC", in_utf8(data).decode("utf-8-sig"))
    encoding = "utf-8-sig" if data.startswith(MARKS) else "utf-8"
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    try:
        lines = csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True)
        titles = tuple(title.strip() for title in next(lines, []))
        rows = [(lines.line_num, [field.strip() for field in row]) for row in lines]
    except csv.Error as error:
        raise ValueError(str(error)) from error
    kept = tuple((number, row) for number, row in rows if any(row))
    return ListFile(titles, kept, delimiter, encoding)


def check_columns(table: ListFile, others: Sequence[str]) -> None:
    """Checks that a list of labels has the columns `name` and `label`, and no column that is known twice.

    Args:
        table: the list.
        others: columns that it may have besides, and that are read.

    Raises:
        ValueError: what is wrong with its first line, and what it should be.

    >>> check_columns(read_list(b"clip,label\\n"), ["subject"])
    Traceback (most recent call last):
    ValueError: has no column 'name'; its columns are clip, label; expected name,label and, if known, subject
    """
    columns = table.columns
    for name in ("name", "label"):
        if name not in columns:
            near = did_you_mean(name, columns)
            expected = f"expected name,label and, if known, {','.join(others)}"
            raise ValueError(f"has no column {name!r}{near}; {columns_found(table.titles)}; {expected}")
    if twice := [name for name in ("name", "label", *others) if columns.count(name) > 1]:
        raise ValueError(f"has two columns {twice[0]!r}; keep one")


def columns_found(titles: Sequence[str]) -> str:
    """What a message says of the columns that a table has.

    >>> columns_found(("Datei", "Klasse"))
    'its columns are Datei, Klasse'
    """
    shown = [title[:30] for title in titles[:6] if title.isprintable()]
    more = ", ..." if len(titles) > 6 else ""
    return f"its columns are {', '.join(shown)}{more}" if any(shown) else "its first line is empty"
