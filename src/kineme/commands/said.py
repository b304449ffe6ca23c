"""What commands say when they have done something: plain lines on stderr, where names are text."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path


def say(line: str) -> None:
    """Prints a line on stderr, as long as it is."""
    print(line, file=sys.stderr)


def written(*paths: Path, what: str = "") -> None:
    """Says where outputs are.

    Args:
        paths: of the outputs, one a line.
        what: they hold, such as `12 rows`.
    """
    for path in paths:
        say(f"{what} written to {path}".lstrip())


def command(*words: object) -> str:
    """A command that can be copied, with names quoted where they need it.

    >>> command("kineme", "report", Path("runs/my run"))
    "kineme report 'runs/my run'"
    """
    return shlex.join(map(str, words))
