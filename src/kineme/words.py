"""Words of messages."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun; an irregular plural is given.

    >>> counted(1, "clip"), counted(2000, "clip"), counted(3, "class"), counted(2, "body", "bodies")
    ('1 clip', '2,000 clips', '3 classes', '2 bodies')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + ('es' if noun.endswith('s') else 's')}"
