"""Plausible coordinates in metres."""

from __future__ import annotations

import numpy as np

from kineme.sources.raw import RawFile
from kineme.typing import Array

MAX_METRES = 1e4


def check_metres(file: RawFile, name: str, values: Array) -> None:
    """Refuses (T, V, C) values that are not finite or farther away than any camera sees.

    Raises:
        KinemeError: the message names the first such frame.
    """
    fits = (np.abs(values) < MAX_METRES).all(axis=(1, 2))  # False for NaN too
    if not fits.all():
        frame = int(np.flatnonzero(~fits)[0])
        raise file.error(f"frame {frame} of {name!r} contains invalid coordinates in metres")
