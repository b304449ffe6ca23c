"""The report's templates, and numbers in words for them."""

from __future__ import annotations

from kineme.drawing.templating import Templates


def counted(number: int, noun: str, plural: str = "") -> str:
    """How many of something: `1 clip`, `1,200 clips`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


TEMPLATES = Templates("kineme.report")
TEMPLATES.environment.filters["counted"] = counted
render = TEMPLATES.render
