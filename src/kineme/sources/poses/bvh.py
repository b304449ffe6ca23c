"""BVH, the files of animation: Mixamo, Blender, Unity, MotionBuilder, Rokoko, the CMU library.

A tree of joints with offsets, then one line of channels a frame. Rotations multiply in the order in which
their channels stand, whatever it is; positions replace a joint's offset, as in Blender. Where a joint ends
without a child, its `End Site` becomes the joint `NAME_end`, unless it lies on the joint.

A file does not say its units. They are guessed from the skeleton's size, see `coordinates.guessed_scale`.
Functions raise ValueError with what is wrong, and in which line.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np

from kineme.errors import one_line
from kineme.layouts import MAX_JOINTS, without_prefix
from kineme.sources.poses.arrays import MAX_FRAMES, STANDING, Poses, check_size, split_columns
from kineme.sources.raw import RemediedError, shown
from kineme.typing import Array

MAX_BVH_BYTES = 1 << 28
_BLOCK = 4096  # frames at a time: rotations of all joints of that many take some 20 MB
_CHANNELS = [f"{axis}{kind}" for kind in ("position", "rotation") for axis in "XYZ"]


@dataclass
class _Joint:
    name: str
    parent: int
    offset: Array = field(default_factory=lambda: np.zeros(3))
    channels: tuple[str, ...] = ()
    end: bool = False  # an End Site


@dataclass(frozen=True)
class _Motion:
    frames: int
    start: int  # line of the first frame, from 0


def bvh_poses(data: bytes) -> Poses:
    """The bytes of a BVH file → its clip, with names and parents of its joints."""
    lines = _text(data).splitlines()
    joints, motion = _hierarchy(lines)
    channels = sum(len(joint.channels) for joint in joints)
    check_size(motion.frames, 1, len(joints), 3)
    values = _values(lines, motion, channels)
    places = np.concatenate(list(_places(joints, values)))
    above = {joint.parent for joint in joints}
    kept = [
        row
        for row, joint in enumerate(joints)
        if not joint.end or row in above or np.linalg.norm(joint.offset) > 1e-6
    ]
    at = {joint: place for place, joint in enumerate(kept)} | {-1: -1}
    names = [joint.name for joint in joints]
    bare = [without_prefix(name) for name in names]
    names = bare if len(set(bare)) == len(bare) else names
    points, _ = split_columns(places[:, None, kept], scores=False)
    return Poses(
        points,
        None,
        tuple(names[joint] for joint in kept),
        parents=tuple(at[joints[joint].parent] for joint in kept),
        axes=STANDING,
    )


def bvh_notes(data: bytes) -> dict[str, Any]:
    """The frame rate. `data` may end anywhere after the time of a frame."""
    match = re.search(rb"Frame\s+Time\s*:\s*([\d.]\S{0,30})", data, re.IGNORECASE)
    try:
        written = Decimal(match[1].decode("ascii", "replace") if match else "0")
    except InvalidOperation:
        return {}
    seconds = float(written)
    if not 1e-4 < seconds < 1e3:
        return {}
    whole = round(1 / seconds)  # 0.033333 is 1/30, rounded
    digits = int(written.as_tuple().exponent)
    exact = whole and abs(1 / whole - seconds) <= 0.5000001 * 10.0**digits
    return {"fps": float(whole) if exact else round(1 / seconds, 3)}


def _text(data: bytes) -> str:
    text = data.decode("utf-8-sig", errors="replace")
    if not text.lstrip()[:9].upper() == "HIERARCHY":
        raise ValueError("is not a BVH file: it does not begin with HIERARCHY")
    return text


def _hierarchy(lines: Sequence[str]) -> tuple[list[_Joint], _Motion]:
    """The joints, parents first, and what the lines after MOTION say."""
    joints: list[_Joint] = []
    open_joints: list[int] = []
    frames = 0
    for number, words in _statements(lines):
        keyword = words[0].upper()
        if keyword in ("ROOT", "JOINT", "END"):
            if keyword == "ROOT" and joints:
                raise RemediedError(f"line {number}: a second skeleton begins", "keep one in a file")
            if keyword != "ROOT" and not open_joints:
                raise ValueError(f"line {number}: {shown(' '.join(words))} is outside any joint")
            if len(joints) >= MAX_JOINTS:
                raise ValueError(f"has more than {MAX_JOINTS:,} joints")
            parent = open_joints[-1] if open_joints else -1
            name = f"{joints[parent].name}_end" if keyword == "END" else " ".join(words[1:])
            joints.append(_Joint(_unique(name, joints), parent, end=keyword == "END"))
            open_joints.append(len(joints) - 1)
        elif keyword == "}":
            if not open_joints:
                raise ValueError(f"line {number}: closes a joint that was not opened")
            open_joints.pop()
        elif keyword == "OFFSET" and open_joints:
            joints[open_joints[-1]].offset = floats(words[1:4], 3, number)
        elif keyword == "CHANNELS" and open_joints:
            joints[open_joints[-1]].channels = _channels(words, number)
        elif keyword == "FRAMES:":
            frames = int(floats(words[1:2], 1, number)[0])
            if not 1 <= frames <= MAX_FRAMES:
                raise ValueError(f"line {number}: says {frames:,} frames; expected 1 to {MAX_FRAMES:,}")
        elif keyword == "FRAME" and len(words) > 1 and words[1].upper() == "TIME:":
            if not joints or not frames:
                raise ValueError(f"line {number}: the joints or the number of frames are missing before it")
            floats(words[2:3], 1, number)
            return joints, _Motion(frames, number)
    raise ValueError("ends before its first frame; it is cut off or damaged")


def _statements(lines: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Line number and words of each statement; braces stand for themselves wherever they are in a line."""
    for number, line in enumerate(lines, start=1):
        if line.lstrip()[:5].upper() == "FRAME":  # 'Frame Time:0.01', 'Frames : 2'
            line = re.sub(r"\s*:\s*", ": ", line)
        for part in re.split(r"([{}])", line):
            if words := part.split():
                yield number, words


def _unique(name: str, joints: Sequence[_Joint]) -> str:
    names = {joint.name for joint in joints}
    return name if name not in names else next(
        f"{name}_{number}" for number in range(2, MAX_JOINTS + 2) if f"{name}_{number}" not in names
    )  # fmt: skip


def _channels(words: Sequence[str], number: int) -> tuple[str, ...]:
    lower = {name.lower(): name for name in _CHANNELS}
    found = tuple(lower.get(word.lower(), "") for word in words[2:])
    if "" in found or len(words) < 2 or words[1] != str(len(found)) or len(set(found)) < len(found):
        raise ValueError(
            f"line {number}: {shown(' '.join(words))}; expected channels such as 3 Zrotation ..."
        )
    return found


def floats(words: Sequence[str], count: int, number: int, most: float = 1e12) -> Array:
    """Words of a line → (count,) numbers below `most`; ValueError with the line's number if they are not."""
    try:
        values = np.array([float(word) for word in words])
    except ValueError:
        values = np.zeros(0)
    if len(values) != count or not (np.abs(values) < most).all():
        raise ValueError(f"line {number}: expected {count} {'number' if count == 1 else 'numbers'}")
    return values


def _values(lines: Sequence[str], motion: _Motion, channels: int) -> Array:
    """(T, channels)."""
    rows = [line for line in lines[motion.start : motion.start + 2 * motion.frames] if line.strip()]
    if len(rows) < motion.frames:
        raise ValueError(f"says {motion.frames:,} frames and has {len(rows):,}; it is cut off")
    try:
        values: Array = np.loadtxt(
            io.StringIO("\n".join(rows[: motion.frames])), np.float64, comments=None, ndmin=2
        )
    except ValueError as error:
        raise ValueError(f"its frames: {one_line(error)}") from error
    if values.shape != (motion.frames, channels):
        raise ValueError(f"has {values.shape[1]} numbers a frame; its joints have {channels} channels")
    if not (np.abs(values) < 1e9).all():
        raise ValueError("its frames contain infinite or missing numbers")
    return values


def _places(joints: Sequence[_Joint], values: Array) -> Iterator[Array]:
    """(T, channels) → blocks of (frames, joints, 3), by forward kinematics over all frames of a block."""
    for start in range(0, len(values), _BLOCK):
        block = values[start : start + _BLOCK]
        places = np.empty((len(block), len(joints), 3))
        turns: list[Array] = []
        column = 0
        for row, joint in enumerate(joints):
            own = {channel: block[:, column + i] for i, channel in enumerate(joint.channels)}
            column += len(joint.channels)
            place = np.broadcast_to(joint.offset, (len(block), 3)).copy()
            for axis, channel in enumerate(_CHANNELS[:3]):
                if channel in own:
                    place[:, axis] = own[channel]
            turn = np.broadcast_to(np.eye(3), (len(block), 3, 3))
            for channel in joint.channels:
                if channel.endswith("rotation"):
                    turn = turn @ rotation(channel[0], np.radians(own[channel]))
            if joint.parent == -1:
                places[:, row] = place
                turns.append(turn)
            else:
                above = turns[joint.parent]
                places[:, row] = places[:, joint.parent] + (above @ place[..., None])[..., 0]
                turns.append(above @ turn if joint.channels else above)
        yield places


def rotation(axis: str, angle: Array) -> Array:
    """(T,) radians about `X`, `Y` or `Z` → (T, 3, 3)."""
    first, second = {"X": (1, 2), "Y": (2, 0), "Z": (0, 1)}[axis]
    turn = np.zeros((len(angle), 3, 3))
    turn[:, [0, 1, 2], [0, 1, 2]] = 1
    turn[:, first, first] = turn[:, second, second] = np.cos(angle)
    turn[:, second, first] = np.sin(angle)
    turn[:, first, second] = -turn[:, second, first]
    return turn
