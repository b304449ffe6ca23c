"""Two runs on the same motion: where their neighbours differ."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from kineme.explore.library import Library
from kineme.report.examined import evenly
from kineme.typing import Array

NEIGHBOURS = 10
COMPARED = 10_000  # points, at most: evenly drawn


class Comparison:
    """Two runs, as libraries of the same points."""

    def __init__(self, one: Library, other: Library) -> None:
        assert len(one) == len(other), "the same store in the same windows"
        self.libraries = one, other

    @cached_property
    def points(self) -> Array:
        """(n,) points that are compared."""
        return evenly(np.arange(len(self.libraries[0])), COMPARED)

    @cached_property
    def shared(self) -> Array:
        """(n,) how many of its nearest points both runs have in common, for each of `points`."""
        one, other = (library.neighbours(self.points, NEIGHBOURS) for library in self.libraries)
        found: Array = (one[:, :, None] == other[:, None, :]).any(axis=2).sum(axis=1)
        return found
