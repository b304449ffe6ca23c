"""Raw formats, one file each: every one gives a `Source` of clips as they were recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kineme.clips.store import Clip
from kineme.layouts import Layout


@dataclass(frozen=True)
class Source:
    """Raw clips of one origin: what they are, and how each is read.

    Attributes:
        name: how manifests call it, such as `ntu60`.
        layout: joints of all clips.
        class_names: what labels stand for.
        fps: frames a second.
        bodies: bodies a prepared frame can hold.
        items: one entry a clip, such as its path.
        read: entry → raw clip, xyz (T, M, V, C); raises KinemeError that names the file. Both it and the items
            can be pickled, so that several processes can read.
    """

    name: str
    layout: Layout
    class_names: tuple[str, ...]
    fps: float
    bodies: int
    items: Sequence[Any]
    read: Callable[[Any], Clip]
