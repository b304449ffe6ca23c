"""What library code has to say, on stderr and in the words of the command line."""

from __future__ import annotations

import logging
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from kineme.errors import KinemeError
from kineme.launch import helps

PACKAGE = Path(__file__).resolve().parents[1]
_spelling: ContextVar[Callable[[str], str]] = ContextVar("spelling", default=str)


def as_options(text: str) -> str:
    """Names the parameters of a message as users of the running command spell them."""
    return _spelling.get()(text)


class _Lines(logging.Handler):
    """Records as plain lines; warnings in yellow on a terminal."""

    def __init__(self, spelt: Callable[[str], str]) -> None:
        super().__init__()
        self._spelt = spelt
        self._given: set[str] = set()  # of what holds for all inputs, and so is said once: every warning

    def emit(self, record: logging.LogRecord) -> None:
        if helps():
            return
        line = self._spelt(record.getMessage())
        if record.levelno >= logging.WARNING or getattr(record, "once", False):
            if line in self._given:
                return
            self._given.add(line)
        if record.levelno >= logging.WARNING:
            line = f"\033[33mwarning: {line}\033[0m" if sys.stderr.isatty() else f"warning: {line}"
        print(line, file=sys.stderr)  # looked up each time: a progress bar takes its place while it is drawn


@contextmanager
def translated(options: Callable[[], Mapping[str, str]]) -> Iterator[None]:
    """Prints Kineme's log and warnings meanwhile, and names parameters in messages as users spell them.

    Args:
        options: parameter → option, such as `map_joints` → --map-joints; called when there is a message. What
            else a message has in backticks stays.
    """

    def spelt(text: str) -> str:
        return re.sub(r"`(\w+)`", lambda found: options().get(found[1], found[0]), text)

    logger, lines = logging.getLogger("kineme"), _Lines(spelt)
    level = logger.level
    with warnings.catch_warnings():
        shown = warnings.showwarning

        def show(message: Warning | str, kind: type[Warning], file: str, *rest: Any, **more: Any) -> None:
            if Path(file).is_relative_to(PACKAGE):
                logger.warning("%s", message)
            else:
                shown(message, kind, file, *rest, **more)

        warnings.showwarning = show  # type: ignore[assignment]
        logger.addHandler(lines)
        logger.setLevel(logging.INFO)
        before = _spelling.set(spelt)
        try:
            yield
        except KinemeError as error:
            raise type(error)(spelt(str(error))) from error
        finally:
            _spelling.reset(before)
            logger.removeHandler(lines)
            logger.setLevel(level)
