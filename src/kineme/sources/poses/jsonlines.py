"""JSON lines: poses as `kineme watch` takes them, see `lines.py`, or a line for each frame of other JSON.

Functions raise ValueError with what is wrong, and in which line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS
from kineme.sources.poses.arrays import Detections, Poses
from kineme.sources.poses.coordinates import AXES, metres_per_unit
from kineme.sources.poses.documents import clip_of
from kineme.sources.poses.keypoints import parsed
from kineme.sources.poses.lines import Header
from kineme.sources.poses.people import told

_HEADER = {each.name for each in fields(Header)}


def jsonl_poses(data: bytes, scores: bool, components: Sequence[str] = ()) -> Poses | Detections:
    """The bytes of a file → its clip; arguments as of `documents.json_poses`."""
    header, entries = _read(data)
    found = clip_of(entries, scores, components)
    layout = LAYOUTS.get(header.layout or "")
    if layout and not found.joints and layout.num_joints == found.points.shape[-2]:
        found = replace(found, joints=layout.joints)
    scale = found.scale if header.units is None else metres_per_unit(header.units)
    return replace(found, scale=scale, axes=header.axes if header.axes in AXES else found.axes)


def jsonl_notes(data: bytes) -> dict[str, Any]:
    """The frame rate that the first line says, or that the times of the others tell."""
    header, entries = _read(data)
    return told(entries) if header.fps is None else {"fps": header.fps}


def _read(data: bytes) -> tuple[Header, list[Any]]:
    """What the stream says of itself, and its frames as other JSON has them."""
    entries = []
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if line.strip():
            try:
                entries.append(parsed(line))
            except ValueError as error:
                raise ValueError(f"line {number}: is not JSON, or is cut off") from error
    header = Header()
    if entries and isinstance(entries[0], dict) and entries[0].keys() <= _HEADER:
        try:
            header = Header.read(entries.pop(0))
        except KinemeError as error:
            raise ValueError(str(error)) from error
    who: dict[Any, int] = {}
    return header, [_frame(entry, who) for entry in entries]


def _frame(entry: Any, who: dict[Any, int]) -> Any:
    """A frame of a stream in the form of other JSON: a number for each person, no null for a joint."""
    if not isinstance(entry, dict) or not isinstance(entry.get("joints", entry.get("people")), list):
        return entry
    people = [{"joints": entry["joints"]}] if "joints" in entry else entry["people"]
    if not all(isinstance(each, dict) and isinstance(each.get("joints"), list) for each in people):
        return entry
    shown = [
        {"id": who.setdefault(str(each.get("id")), len(who)), "joints": _whole(each["joints"])}
        for each in people
    ]
    return {"people": shown, **({"time_s": entry["t"]} if "t" in entry else {})}


def _whole(joints: list[Any]) -> list[Any]:
    width = next((len(each) for each in joints if isinstance(each, list)), 3)
    return [[None] * width if each is None else each for each in joints]
