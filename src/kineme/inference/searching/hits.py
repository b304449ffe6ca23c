"""What a search finds, and its table."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from kineme.files import atomic_write


@dataclass(frozen=True)
class Hit:
    """A clip or moment that a search found. The fields are the columns of the table.

    Attributes:
        similarity: cosine, at most 1.
        name: of the recording.
        start, end: in seconds from its beginning.
        subject: the performer, empty if unknown.
        label: name of the class, empty if unknown.

    >>> Hit(0.98, "walk", 2.0, 4.0, "anna", "").name
    'walk'
    """

    similarity: float
    name: str
    start: float
    end: float
    subject: str
    label: str


def write_hits(hits: Sequence[Hit], path: Path) -> None:
    """Writes hits as CSV, times to the millisecond; an existing file is replaced.

    Raises:
        KinemeError: the file cannot be written.
    """
    with atomic_write(path) as aside, aside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([each.name for each in fields(Hit)])
        for hit in hits:
            similarity, name, start, end, *rest = astuple(hit)
            writer.writerow([f"{similarity:.4f}", name, f"{start:.3f}", f"{end:.3f}", *rest])
