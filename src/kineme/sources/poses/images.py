"""Names of images → frames of a video: `walk_0012.jpg`, or the time at which an image was taken."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from kineme.sources.poses.arrays import renumber
from kineme.sources.poses.times import in_order, stamp
from kineme.sources.raw import RemediedError, shown
from kineme.typing import Array


def frames_of(names: Sequence[Any]) -> tuple[Array, int, Array | None]:
    """Names or numbers of images → the frame of each (D,), how many frames, and their seconds (T,) if told.

    Raises:
        ValueError: a name has no number, or they are of several videos.
    """
    stamps = [stamp(name) if isinstance(name, str) else None for name in names]
    if all(each is not None for each in stamps):
        told = [each for each in stamps if each is not None]
        _one({before for before, _ in told})
        frame, times = in_order([time for _, time in told])
        return frame, len(times), times
    numbered = [_number(name, place) for place, name in enumerate(names)]
    _one({before for before, _ in numbered})
    frame, count = renumber([number for _, number in numbered])
    return frame, count, None


def _number(name: Any, place: int) -> tuple[str, int]:
    """12 and "walk/frame_12.jpg" → ("", 12) and ("walk/frame_", 12)."""
    if isinstance(name, int):
        return "", name
    match = re.fullmatch(r"(.*?)([0-9]{1,18})(\.\w{1,5})?", name) if isinstance(name, str) else None
    if match is None:
        raise ValueError(f"entry {place} has an 'image_id' without a frame number")
    return match[1], int(match[2])


def _one(videos: set[str]) -> None:
    if len(videos) > 1:
        one, other = map(shown, sorted(videos)[:2])
        raise RemediedError(f"contains several videos ({one} and {other})", "write a file for each")
