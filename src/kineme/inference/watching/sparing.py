"""Messages about what may go wrong thirty times a second, all day."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

AT_ONCE = 5  # messages of a kind
LONGEST = 3600.0  # seconds for which a kind is held back


@dataclass
class _Kind:
    said: int = 0
    held: int = 0
    until: float = 0.0


class Sparing:
    """Says the first messages of a kind at once, and later ones after 1, 2, 4 ... seconds, up to an hour.

    Each says how many like it were held back before.

    Args:
        say: takes a message.
        clock: seconds.

    >>> seconds = iter([0.0] * 7 + [1.5])
    >>> sparing = Sparing(print, clock=lambda: next(seconds))
    >>> for line in range(1, 9):
    ...     sparing("line", f"line {line} is bad")
    line 1 is bad
    line 2 is bad
    line 3 is bad
    line 4 is bad
    line 5 is bad
    line 8 is bad (and 2 more like it)
    """

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._say, self._clock = say, clock
        self._kinds: dict[str, _Kind] = {}

    def __call__(self, kind: str, message: str) -> None:
        """Says or counts a message; `kind` is one of few words."""
        state, now = self._kinds.setdefault(kind, _Kind()), self._clock()
        if now < state.until:
            state.held += 1
            return
        self._say(message + self._more(state))
        state.said, state.held = state.said + 1, 0
        if state.said >= AT_ONCE:
            state.until = now + min(2.0 ** (state.said - AT_ONCE), LONGEST)

    def finish(self) -> None:
        """Says how many were held back at the end."""
        for kind, state in self._kinds.items():
            if state.held:
                self._say(f"{state.held:,} more like the last message about a {kind}")
                state.held = 0

    @staticmethod
    def _more(state: _Kind) -> str:
        return f" (and {state.held:,} more like it)" if state.held else ""
