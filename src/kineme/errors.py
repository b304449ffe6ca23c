"""The user-facing exception.

What a user can cause (a missing file, a malformed line, a mistyped setting) raises `KinemeError`. Commands
print its one line and exit with status 2. Bugs of our own are assertions and show a traceback.
"""

import re

_LONGEST = 140  # characters of a reason: some libraries quote what they were given


class KinemeError(ValueError):
    """A problem that the user can fix: one line that says what, where, and what to do.

    >>> import kineme
    >>> kineme.parse_preprocessing("plane")
    Traceback (most recent call last):
    kineme.errors.KinemeError: unknown preprocessing 'plane'; did you mean plain?
    """


class SharedError(KinemeError):
    """A problem that all processes of a run meet; commands say it once."""


class FileError(KinemeError):
    """A problem of one file, or one recording, that others need not have: they can be read without it."""


class OtherSkeletonError(FileError):
    """A recording has other joints than the first one of its folder, and can be read alone."""


def one_line(error: BaseException) -> str:
    """What an error of Python or of another library says, for a message of ours.

    It is on one line of at most 140 characters, and never empty. Of an error of the system it is the reason
    alone, because our message names the file.

    >>> one_line(ValueError("not a\\n  number")), one_line(EOFError())
    ('not a number', 'EOFError')
    >>> one_line(FileNotFoundError(2, "No such file or directory", "walk.npy"))
    'No such file or directory'
    """
    told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    text = " ".join(told.split()) or type(error).__name__
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def about(file: object, reason: object) -> str:
    """What is wrong with a file, after its name; a line that the reason begins with belongs to the place.

    >>> about("walk.csv", "is empty"), about("walk.csv", "line 3: 'x' is not a number")
    ('walk.csv: is empty', "walk.csv, line 3: 'x' is not a number")
    """
    return f"{file}{', ' if re.match(r'line [0-9]+: ', str(reason)) else ': '}{reason}"


def check_between(name: str, value: float, low: float, high: float = float("inf")) -> None:
    """Raises KinemeError if a setting is outside [low, high]."""
    if not low <= value <= high:
        upper = "" if high == float("inf") else f" and at most {high}"
        raise KinemeError(f"{name}: is {value}; it must be at least {low}{upper}")


def check_positive(**settings: float | None) -> None:
    """Refuses settings that are given and not above 0."""
    for name, value in settings.items():
        if value is not None and not value > 0:
            raise KinemeError(f"`{name}` is {value}; it must be above 0")
