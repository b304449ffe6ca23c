"""The labels: a table of `kineme teach`, written whole at every change.

Every change reads the table again, under a lock that other processes see, so two windows, two programs or a
spreadsheet do not undo each other's labels. A table is on disk before a change is answered: a process that is
killed at any moment loses no label that a page has shown as kept.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePath
from threading import RLock

from kineme.errors import KinemeError
from kineme.files import atomic_write, locked, synchronise
from kineme.inference.classifying.examples import Example, read_examples
from kineme.sources.poses.lists import read_list

HEADER = ("name", "label", "start", "end")
PATIENCE = 5.0  # seconds that another writer is waited for
LONGEST = 200  # characters of a label
REMEMBERED = 1000  # changes that can be undone

Row = dict[str, str]


@dataclass(frozen=True, order=True)
class Part:
    """A stretch of a recording that a label is about.

    Attributes:
        name: of the recording.
        start, end: in milliseconds; those of the whole recording are its own.

    >>> Part("walk_01", 1000, 2500).seconds
    (1.0, 2.5)
    """

    name: str
    start: int
    end: int

    @property
    def seconds(self) -> tuple[float, float]:
        """Start and end."""
        return self.start / 1000, self.end / 1000


@dataclass
class Table:
    """Rows as they stand in the file, so that what is not ours is kept as it is."""

    titles: list[str] = field(default_factory=lambda: list(HEADER))
    rows: list[Row] = field(default_factory=list)
    delimiter: str = ","
    encoding: str = "utf-8"

    @cached_property
    def columns(self) -> list[str]:
        """Ours by their names, others by their places: titles may be missing or stand twice."""
        names = (title.strip().lower() for title in self.titles)
        return [name if name in HEADER else str(place) for place, name in enumerate(names)]


@dataclass(frozen=True)
class Change:
    """What a window did: rows by part, before and after; None: there was, or is, no row."""

    window: int
    before: Mapping[Part, Row | None]
    after: Mapping[Part, Row | None]


class Labels:
    """The table of labels of a store, shared by all windows.

    >>> labels = Labels(example_folder / "mine.csv", {"walk_01": 4.0})
    >>> labels.set(1, {Part("walk_01", 0, 4000): "walk"})
    >>> labels.undo(1), labels.undo(1)
    (True, False)
    """

    def __init__(self, path: Path, seconds: Mapping[str, float]) -> None:
        """Opens the table, which need not exist.

        Args:
            path: of the table.
            seconds: that each recording of the store lasts.

        Raises:
            KinemeError: the table is malformed, or its folder cannot be written.
        """
        self.path, self._seconds = path, seconds
        self._lock = RLock()
        self._done: list[Change] = []
        self.examples()
        with self._writing():
            pass

    def whole(self, name: str) -> Part:
        """All of a recording."""
        return Part(name, 0, round(1000 * self._seconds[name]))

    def examples(self) -> list[Example]:
        """The labelled rows, as `kineme.inference.teach` takes them.

        Raises:
            KinemeError: the table is malformed.
        """
        return read_examples(self.path)[0] if self.path.exists() else []

    def parts(self) -> dict[Part, str]:
        """The labels of the store's own recordings, in the order of the table."""
        return {part: row["label"] for part, row in self._known(self._read()).items() if row["label"]}

    def set(self, window: int, wanted: Mapping[Part, str | None]) -> None:
        """Labels parts; None takes a label away. It is one step to be undone.

        A name that is spelt like a known one but for capitals is that one.

        Args:
            window: number of the browser window, whose `undo` takes it back.
            wanted: the label of each part.

        Raises:
            KinemeError: a label is no name, or the table cannot be read or written.
        """
        for label in wanted.values():
            _check(label)
        with self._lock, self._writing():
            table = self._read()
            known = self._known(table)
            spelt = {row["label"].casefold(): row["label"] for row in table.rows if row["label"]}
            after: dict[Part, Row | None] = {}
            for part, label in wanted.items():
                if label is None:
                    after[part] = None
                    continue
                name = spelt.setdefault(label.strip().casefold(), label.strip())
                after[part] = {**(known.get(part) or self._row(part, table.columns)), "label": name}
            self._apply(table, after)
            self._done.append(Change(window, {part: known.get(part) for part in wanted}, after))
            del self._done[:-REMEMBERED]

    def undo(self, window: int) -> bool:
        """Takes a window's last change back, where nobody has changed the same parts since.

        Returns:
            whether there was one.
        """
        with self._lock, self._writing():
            place = next(
                (i for i in reversed(range(len(self._done))) if self._done[i].window == window), None
            )
            if place is None:
                return False
            change = self._done[place]
            table = self._read()
            known = self._known(table)
            back = {p: row for p, row in change.before.items() if known.get(p) == change.after[p]}
            self._apply(table, back)
            del self._done[place]
            return True

    def can_undo(self, window: int) -> bool:
        """Whether a window has changed something."""
        with self._lock:
            return any(change.window == window for change in self._done)

    def stamp(self) -> tuple[int, int]:
        """Changes when the file does, whoever writes it."""
        try:
            told = self.path.stat()
        except OSError:
            return 0, 0
        return told.st_mtime_ns, told.st_size

    def _apply(self, table: Table, after: Mapping[Part, Row | None]) -> None:
        """Replaces rows in their places, removes and appends others, and writes the table."""
        rows: list[Row | None] = []
        left, listed = dict(after), set[Part]()
        known = self._known(table)
        moved = [part for part, row in after.items() if row is not None and part not in known]
        for row in table.rows:
            part = self._part(row)
            if part is not None and part in after:
                if left.pop(part, None) is not None:  # a part that is listed twice has one row afterwards
                    rows.append(after[part])
                elif part not in listed and moved:  # a stretch whose edge has moved keeps its place
                    rows.append(left.pop(moved.pop(0)))
                listed.add(part)
            else:
                rows.append(row)
        rows += left.values()
        with atomic_write(self.path) as aside:
            with aside.open("w", newline="", encoding=table.encoding) as file:
                writer = csv.writer(file, lineterminator="\n", delimiter=table.delimiter)
                writer.writerow(table.titles)
                writer.writerows([row.get(column, "") for column in table.columns] for row in rows if row)
            synchronise(aside)
        synchronise(self.path.parent)

    def _read(self) -> Table:
        """The table as it stands now; `read_examples` says what is wrong with it."""
        self.examples()
        if not self.path.exists():
            return Table()
        found = read_list(self.path.read_bytes())
        missing = [name for name in HEADER if name not in found.columns]
        table = Table([*found.titles, *missing], delimiter=found.delimiter, encoding=found.encoding)
        empty = [""] * len(missing)
        table.rows = [dict(zip(table.columns, row + empty, strict=True)) for _, row in found.rows]
        return table

    def _known(self, table: Table) -> dict[Part, Row]:
        """The rows that are about recordings of the store; where a part is listed twice, the last."""
        found = ((self._part(row), row) for row in table.rows)
        return {part: row for part, row in found if part is not None}

    def _part(self, row: Row) -> Part | None:
        name = row["name"].strip()
        if name not in self._seconds:  # as files are called that were prepared
            name = PurePath(name).with_suffix("").as_posix() if name else ""
        if name not in self._seconds:
            return None
        whole = self.whole(name)
        start, end = (row[column].strip() for column in ("start", "end"))
        first = _milliseconds(start) if start else 0
        return Part(name, first, min(_milliseconds(end), whole.end) if end else whole.end)

    def _row(self, part: Part, columns: Sequence[str]) -> Row:
        times = ("", "") if part == self.whole(part.name) else [f"{time:.3f}" for time in part.seconds]
        return {**dict.fromkeys(columns, ""), "name": part.name, "start": times[0], "end": times[1]}

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """The lock against other processes, which hold it for milliseconds."""
        until = time.monotonic() + PATIENCE
        with ExitStack() as stack:
            while True:
                try:
                    stack.enter_context(locked(self.path, "this table of labels"))
                    break
                except KinemeError as error:
                    if not isinstance(error.__cause__, BlockingIOError) or time.monotonic() > until:
                        raise
                    time.sleep(0.02)
            yield


def _milliseconds(text: str) -> int:
    """Of seconds; a decimal comma is as good as a point."""
    return round(1000 * float(text.replace(",", ".")))


def _check(label: str | None) -> None:
    """Refuses what is no name."""
    if label is not None and not (0 < len(label.strip()) <= LONGEST and label.isprintable()):
        raise KinemeError(f"a label is a name of 1 to {LONGEST} characters on one line")
