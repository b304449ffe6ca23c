"""The user-facing exception.

What a user can cause (a missing file, a malformed line, a mistyped setting) raises `KinemeError`. Commands
print its one line and exit with status 2. Bugs of our own are assertions and show a traceback.
"""


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
    """What an error of another library says, for a message of ours: on one line, and never empty.

    >>> one_line(ValueError("not a\\n  number")), one_line(EOFError())
    ('not a number', 'EOFError')
    """
    return " ".join(str(error).split()) or type(error).__name__


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
