"""The progress hook of library code, such as a command's progress bar."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called with the work done and in total, in one unit (clips, frames)."""

    def __call__(self, done: int, total: int) -> None:
        """Must return quickly."""


def silent(done: int, total: int) -> None:
    """Reports nothing."""


def share(progress: Progress, before: int, units: int, total: int) -> Progress:
    """The hook for one part of the work whose own units differ: it counts as `units` of the `total`."""
    return lambda done, of: progress(before + units * done // max(of, 1), total)


def within(progress: Progress, before: int, total: int) -> Progress:
    """The hook for one part of the work: `before` units of the `total` come before it."""
    return lambda done, _: progress(before + done, total)
