"""What a source's clips are like, judged by the first one that can be read."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from kineme.clips.store import Clip
from kineme.errors import KinemeError
from kineme.sources import Source
from kineme.sources.poses.body import HIGH, LOW, tallest

logger = logging.getLogger(__name__)

_TRIED = 5  # clips, before the first one's error counts


@dataclass(frozen=True)
class Measured:
    """A clip, and about how tall its bodies are in metres, see `tallest`; None in other units."""

    clip: Clip
    height: float | None


def measured(source: Source, items: Iterable[Any]) -> Measured | KinemeError:
    """Reads the first of some items that can be read; the first one's error if none of a few can.

    Of items that take minutes only the beginning is read.
    """
    wrong: KinemeError | None = None
    for item in islice(items, _TRIED):
        try:
            clip = source.beginning(item)
        except KinemeError as error:
            wrong = wrong or error
            continue
        if not isinstance(clip, Clip):  # the source may be anybody's
            raise KinemeError(f"source {source.name}: `read` returns {type(clip).__name__}; return a Clip")
        if source.units != "metres":
            return Measured(clip, None)
        points = np.where((clip.xyz == 0).all(axis=-1, keepdims=True), np.nan, clip.xyz)
        return Measured(clip, tallest(points))
    assert wrong is not None
    return wrong


def remark_on_height(source: Source, found: Measured, *, units: bool) -> None:
    """Warns of bodies that are too small or too tall for people.

    Args:
        source: of the clip.
        found: a clip of it.
        units: the source has an option of that name.
    """
    if found.height is None or LOW <= found.height <= HIGH:
        return
    remedy = "set `units` to what the files are in" if units else "scale the recordings"
    logger.warning(
        "%s: its body measures about %.3g m; if that is wrong, %s", found.clip.name, found.height, remedy
    )
