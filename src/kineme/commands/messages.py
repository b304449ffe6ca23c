"""What library code has to say, on stderr and in the words of the command line."""

from __future__ import annotations

import logging
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

PACKAGE = Path(__file__).resolve().parents[1]


def spelt(text: str, names: Mapping[str, str]) -> str:
    """A message with the parameters that it names in backticks as they are spelt elsewhere.

    >>> spelt("set `map_joints` to ...; see `plain`", {"map_joints": "--map-joints"})
    'set --map-joints to ...; see `plain`'
    """
    return re.sub(r"`(\w+)`", lambda found: names.get(found[1], found[0]), text)


class _Lines(logging.Handler):
    """Records as plain lines; warnings in yellow on a terminal."""

    def __init__(self, spell: Callable[[str], str]) -> None:
        super().__init__()
        self._spell = spell

    def emit(self, record: logging.LogRecord) -> None:
        line = self._spell(record.getMessage())
        if record.levelno >= logging.WARNING:
            line = f"warning: {line}"
            if sys.stderr.isatty() and "NO_COLOR" not in os.environ:
                line = f"\033[33m{line}\033[0m"
        print(line, file=sys.stderr)  # looked up each time: a progress bar takes its place while it is drawn


@contextmanager
def on_stderr(spell: Callable[[str], str]) -> Iterator[None]:
    """Prints the log and the warnings of Kineme meanwhile.

    Args:
        spell: a message of library code → the same in the words of the command line.
    """
    logger = logging.getLogger("kineme")
    level, lines = logger.level, _Lines(spell)
    with warnings.catch_warnings():
        shown = warnings.showwarning

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if Path(filename).is_relative_to(PACKAGE):
                logger.warning("%s", message)
            else:
                shown(message, category, filename, lineno, file, line)

        warnings.showwarning = show
        logger.addHandler(lines)
        logger.setLevel(logging.INFO)
        try:
            yield
        finally:
            logger.removeHandler(lines)
            logger.setLevel(level)
