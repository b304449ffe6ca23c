"""ASF, the skeleton of Acclaim's format: CMU's motion library and HDM05, whose motions are in AMC files.

    :units
      length 0.45                        a unit is 1 inch / 0.45
      angle deg
    :root
      order TX TY TZ RX RY RZ            what an AMC file says of the root
      position 0 0 0
      orientation 0 0 0
    :bonedata
      begin
        name lfemur
        direction 0.34 -0.93 0           of the bone at rest, in the axes of the room
        length 7.2
        axis 0 0 20 XYZ                  how the axes that it turns about lie at rest
        dof rx ry rz                     about which it turns: what an AMC file says of it
      end
    :hierarchy
      root lhipjoint rhipjoint
      lhipjoint lfemur

A bone begins where the one above it ends. `#` begins a comment; commas and brackets are spaces. (Schafer,
Acclaim Skeleton File Definition V1.10.) Functions raise ValueError with what is wrong, and in which line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kineme.layouts import MAX_JOINTS
from kineme.sources.poses.bvh import floats, rotation
from kineme.sources.raw import RemediedError, shown
from kineme.typing import Array

MAX_ASF_BYTES = 1 << 22  # CMU's have 10 KB
ROOT = "root"
_INCH = 0.0254
_ORDER = ("TX", "TY", "TZ", "RX", "RY", "RZ")
_Line = tuple[int, list[str]]  # number of a line of the file, and its words


@dataclass(frozen=True)
class Bone:
    """A bone, or the root, which has no length.

    Attributes:
        name: as the file spells it.
        parent: place of the bone above it, -1 for the root.
        offset: (3,) from its beginning to its end at rest, in units of the file.
        axes: (3, 3) the axes that it turns about, as columns.
        channels: what an AMC file says of it, such as RX, in that order.
    """

    name: str
    parent: int
    offset: Array
    axes: Array
    channels: tuple[str, ...]


@dataclass(frozen=True)
class Skeleton:
    """The root and the bones, in the order of the file.

    Attributes:
        bones: the root first.
        order: places of all of them, each after its parent.
        scale: metres of a unit; None where the file does not say.
        degrees: whether angles are in degrees rather than radians.
    """

    bones: tuple[Bone, ...]
    order: tuple[int, ...]
    scale: float | None
    degrees: bool


def asf_skeleton(data: bytes) -> Skeleton:
    """The bytes of an ASF file → its skeleton."""
    sections = _sections(data.decode("utf-8-sig", errors="replace"))
    if lacking := [name for name in ("root", "bonedata", "hierarchy") if name not in sections]:
        raise ValueError(f"is not an ASF file, or is cut off: it has no :{lacking[0]}")
    units = _by_word(sections.get("units", []))
    angle = units.get("angle", (0, ["deg"]))[1][:1]
    degrees = angle != ["rad"]
    top = _by_word(sections["root"])
    found = [_root(top, degrees), *(_bone(each, degrees) for each in _blocks(sections["bonedata"]))]
    at = {bone.name.lower(): place for place, bone in enumerate(found)}
    if len(found) > MAX_JOINTS or len(at) < len(found):
        raise ValueError(f"has more than {MAX_JOINTS:,} bones, or two of the same name")
    below = _hierarchy(sections["hierarchy"], at)
    order = [0]
    for place in order:
        order += below.get(place, [])
    above = {child: place for place, children in below.items() for child in children}
    if loose := [bone.name for place, bone in enumerate(found) if place not in order]:
        raise ValueError(f"its :hierarchy does not lead from the root to the bone {shown(loose[0])}")
    bones = tuple(
        Bone(bone.name, above.get(place, -1), bone.offset, bone.axes, bone.channels)
        for place, bone in enumerate(found)
    )
    return Skeleton(bones, tuple(order), _scale(units), degrees)


def _sections(text: str) -> dict[str, list[_Line]]:
    """Lines of each section, by its keyword without the colon."""
    sections: dict[str, list[_Line]] = {}
    lines: list[_Line] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = re.sub(r"[,()]", " ", line.partition("#")[0]).split()
        if words and words[0].startswith(":"):
            lines = sections.setdefault(words[0][1:].lower(), [])
        elif words:
            lines.append((number, words))
    return sections


def _by_word(lines: Sequence[_Line]) -> dict[str, _Line]:
    """First word of each line, in lower case → the line without it."""
    return {words[0].lower(): (number, words[1:]) for number, words in lines}


def _blocks(lines: Sequence[_Line]) -> list[dict[str, _Line]]:
    """What stands between each `begin` and `end`."""
    blocks: list[list[_Line]] = []
    for number, words in lines:
        if words[0].lower() == "begin":
            blocks.append([(number, ["begin"])])
        elif blocks:
            blocks[-1].append((number, words))
    return [_by_word(block) for block in blocks]


def _root(said: Mapping[str, _Line], degrees: bool) -> Bone:
    """The root, whose preset place and orientation come before its motion; in all files they are 0."""
    number, words = said.get("order", (0, list(_ORDER)))
    channels = tuple(word.upper() for word in words)
    if set(channels) - {*_ORDER} or len(set(channels)) < len(channels):
        raise ValueError(f"line {number}: the order of the root is {shown(' '.join(words))}")
    names = said.get("axis", (0, ["XYZ"]))[1]
    number, angles = said.get("orientation", (0, ["0", "0", "0"]))
    preset = _axes((number, [*angles, *names]), degrees)
    return Bone(ROOT, -1, _numbers(said.get("position", (0, ["0", "0", "0"])), 3), preset, channels)


def _bone(said: Mapping[str, _Line], degrees: bool) -> Bone:
    begin = said["begin"][0]
    name = " ".join(said.get("name", (0, []))[1])
    if not name or "direction" not in said or "length" not in said:
        raise ValueError(f"line {begin}: the bone {shown(name)} needs a name, a direction and a length")
    number, words = said.get("dof", (0, []))
    channels = tuple(word.upper() for word in words)
    if set(channels) - {"RX", "RY", "RZ"}:
        moves = f"line {number}: the bone {shown(name)} moves by {shown(' '.join(words))}"
        raise RemediedError(f"{moves}, and only rotations are read", "export it with bones of fixed length")
    if len(set(channels)) < len(channels):
        raise ValueError(f"line {number}: the bone {shown(name)} turns about an axis twice")
    offset = _numbers(said["direction"], 3) * _numbers(said["length"], 1)
    return Bone(name, -1, offset, _axes(said.get("axis", (0, ["0", "0", "0", "XYZ"])), degrees), channels)


def _axes(line: _Line, degrees: bool) -> Array:
    """Three angles about fixed axes, and the order of these → (3, 3) axes as columns."""
    number, words = line
    names = words[3].upper() if len(words) > 3 else "XYZ"
    if sorted(names) != ["X", "Y", "Z"]:
        raise ValueError(f"line {number}: expected three angles and an order such as XYZ")
    angles = _numbers((number, words[:3]), 3)
    axes: Array = turned(names, (np.radians(angles) if degrees else angles)[None])[0]
    return axes


def turned(axes: Sequence[str], angles: Array) -> Array:
    """(T, len(axes)) radians about fixed axes, one after the other → (T, 3, 3)."""
    turn = np.broadcast_to(np.eye(3), (len(angles), 3, 3))
    for axis, angle in zip(axes, angles.T, strict=True):
        turn = rotation(axis, angle) @ turn
    return turn


def _hierarchy(lines: Sequence[_Line], at: Mapping[str, int]) -> dict[int, list[int]]:
    """Place of each bone → places of those that begin where it ends."""
    below: dict[int, list[int]] = {}
    seen = {0}
    for number, words in lines:
        if len(words) == 1 and words[0].lower() in ("begin", "end"):
            continue
        for word in words:
            if word.lower() not in at:
                raise ValueError(f"line {number}: {shown(word)} is no bone of the file")
        above, *children = [at[word.lower()] for word in words]
        if not seen.isdisjoint(children) or len(set(children)) < len(children):
            raise ValueError(f"line {number}: a bone has two places in the hierarchy")
        seen |= {*children}
        below.setdefault(above, []).extend(children)
    return below


def _scale(units: Mapping[str, _Line]) -> float | None:
    """Metres of a unit. A length of 1 is what programs write that know of no unit."""
    if "length" not in units:
        return None
    length = float(_numbers(units["length"], 1)[0])
    if not 1e-3 < length < 1e3:
        raise ValueError(f"line {units['length'][0]}: the length of a unit is {length:g}")
    return None if length == 1 else _INCH / length


def _numbers(line: _Line, count: int) -> Array:
    number, words = line
    return floats(words, count, number, most=1e9)
