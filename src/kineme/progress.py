"""How library code tells how far it is: a hook that callers may pass, such as a command's progress bar."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called as work goes on, with what is done and what there is in all, in one unit (clips, frames)."""

    def __call__(self, done: int, total: int) -> None:
        """Takes note; must return at once."""


def silent(done: int, total: int) -> None:
    """The progress of callers that do not ask."""


def within(progress: Progress, before: int, total: int) -> Progress:
    """The hook for one part of the work: `before` units of the `total` come before it."""
    return lambda done, _: progress(before + done, total)
