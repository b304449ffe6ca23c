"""MVNX, the XML that Xsens MVN exports: places of body segments in metres, z up.

    <subject label="anna" frameRate="60" segmentCount="23">
      <segments><segment label="Pelvis" id="1">...
      <joints><joint label="jL5S1"><connector1>Pelvis/jL5S1</connector1><connector2>L5/jL5S1</connector2>...
      <frames><frame time="0" type="normal"><position>0.1 0.2 0.9 ...</position>...

A segment begins in its joint. Frames of other types are calibration poses. The text is searched, and is not
parsed as XML, so that it declares nothing. Functions raise ValueError with what is wrong.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from kineme.sources.poses.arrays import Poses, check_size, split_columns
from kineme.sources.raw import RemediedError, shown

MAX_MVNX_BYTES = 1 << 29  # a quarter of an hour of all that can be exported, at 60 a second
_HEAD = 1 << 20
_SEGMENT = re.compile(rb"<segment\s[^<>]{0,500}?label=\"([^\"<>]{1,100})\"")
_JOINT = re.compile(
    r"<connector1>\s*([^/<>]{1,100})/[^<>]{0,100}</connector1>\s*<connector2>\s*([^/<>]{1,100})/"
)
_POSITION = re.compile(rb"<position>([^<>]*)</position>")


def mvnx_poses(data: bytes) -> Poses:
    """The bytes of an MVNX file → its clip."""
    head, *frames = re.split(rb"<frame\s", data)
    if b"<mvnx" not in head:
        raise ValueError("is not an MVNX file: it has no element mvnx")
    names = [name.decode(errors="replace") for name in _SEGMENT.findall(head)]
    if count := re.search(rb"\ssegmentCount=\"(\d{1,4})\"", head):  # those of fingers come after them
        names = names[: int(count[1])]
    if len(set(names)) < max(len(names), 2):
        raise ValueError(f"names the segments {shown(names)}")
    normal = [frame for frame in frames if re.search(rb"\stype=\"normal\"", b" " + frame.partition(b">")[0])]
    if not normal:
        raise RemediedError("has no frames of motion", "export them too")
    check_size(len(normal), 1, len(names), 3)
    points = np.empty((len(normal), len(names), 3), np.float32)
    for place, frame in enumerate(normal):
        found = _POSITION.search(frame)
        if found is None:
            raise RemediedError(f"frame {place} has no positions", "export those of segments")
        try:
            values = np.array(found[1].split(), np.float64)
        except ValueError:
            raise ValueError(f"frame {place} has positions that are not numbers") from None
        if values.size != 3 * len(names):
            raise ValueError(f"frame {place} has {values.size} numbers for {len(names)} segments")
        points[place] = values.reshape(-1, 3)
    places, _ = split_columns(points[:, None], scores=False)
    parents = _parents(head, names)
    return Poses(places, None, tuple(names), parents=parents, scale=1.0, axes="z-up")


def mvnx_notes(data: bytes) -> dict[str, Any]:
    """The frame rate."""
    found = re.search(rb"<subject\s[^<>]{0,500}?frameRate=\"([\d.]{1,12})\"", data[:_HEAD])
    try:
        return {"fps": float(found[1])} if found else {}
    except ValueError:
        return {}


def _parents(head: bytes, names: list[str]) -> tuple[int, ...]:
    """Of each segment, -1 for the root; empty where the joints make no tree of all segments."""
    text = head.decode(errors="replace")
    above = {below: over for over, below in _JOINT.findall(text)}
    parents = [names.index(above[name]) if above.get(name) in names else -1 for name in names]
    for start in range(len(names)):
        joint, steps = start, 0
        while joint != -1 and steps <= len(names):
            joint, steps = parents[joint], steps + 1
        if joint != -1:
            return ()
    return tuple(parents) if parents.count(-1) == 1 else ()
