"""The one error that speaks to users.

Everything a user can cause (a missing file, a malformed line, a mistyped setting) raises `KinemeError`
with a message that names the place and the remedy; the command line prints it in one line and exits with
status 2. Mistakes of our own are assertions and show a traceback.
"""


class KinemeError(ValueError):
    """A problem the user can mend. The message is complete: what, where, and what to do."""


def check_between(name: str, value: float, low: float, high: float = float("inf")) -> None:
    """Refuses a setting outside [low, high], by name."""
    if not low <= value <= high:
        upper = "" if high == float("inf") else f" and at most {high}"
        raise KinemeError(f"{name}: is {value}; it must be at least {low}{upper}")
