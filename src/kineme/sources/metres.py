"""Which numbers can be coordinates in metres."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kineme.errors import KinemeError
from kineme.sources.raw import RawFile

MAX_METRES = 1e4


def check_metres(file: RawFile, name: str, values: npt.NDArray[Any], remedy: str) -> None:
    """Refuses (T, V, C) values that are no coordinates, naming the first frame of them.

    Raises:
        KinemeError: one is not finite, or farther away than any camera sees.
    """
    fits = (np.abs(values) < MAX_METRES).all(axis=(1, 2))  # NaN is not smaller either
    if not fits.all():
        raise KinemeError(
            f"{file}: frame {int(np.flatnonzero(~fits)[0])} of {name!r} holds what is no coordinate in "
            f"metres; {remedy}"
        )
