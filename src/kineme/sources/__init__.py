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
        names: (N,) name of every clip.
        items: (N,) what `read` takes for it, such as its path.
        read: item → raw clip, xyz (T, M, V, C); raises KinemeError that names the file.
        costly: reading takes long enough to be shared among processes; then `read` and items can be pickled.
        untrimmed: clips are whole recordings with labelled intervals, whose frames must stay in their places.
        confidence: clips say how sure the pose estimator was of each joint.
        units: of the coordinates.
    """

    name: str
    layout: Layout
    class_names: tuple[str, ...]
    fps: float
    bodies: int
    names: Sequence[str]
    items: Sequence[Any]
    read: Callable[[Any], Clip]
    costly: bool = False
    untrimmed: bool = False
    confidence: bool = False
    units: str = "metres"
